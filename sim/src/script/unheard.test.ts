/** Random histories of a device and its server that forget and miss things, each on its own. */
import { test } from 'node:test'
import fc from 'fast-check'
import { runScript } from './run-script.ts'

/** What is refused is signed, and so is its end: the cheapest way to use up two numbers. */
const signs = ['network server corrupt 9 path=timestamp', 'device d1 poll', 'network server ok']

const steps = {
  signs,
  'signs twice': [...signs, 'device d1 poll'],
  'misses the answers': [
    'network server truncate 0 path=check-in',
    'network server corrupt 9 path=timestamp',
    'device d1 poll',
    'network server ok',
  ],
  'is killed before it is heard': [
    'network server drop path=check-in',
    'network server corrupt 9 path=timestamp',
    'device d1 poll',
    'device d1 kill',
    'network server ok',
  ],
  'keeps its state': ['disk d1 save trust/device-state.0', 'disk d1 save trust/device-state.1'],
  'returns to its state': [
    'device d1 off',
    'disk d1 put trust/device-state.0',
    'disk d1 put trust/device-state.1',
    'device d1 on',
  ],
  'server is backed up': ['backup a taken'],
  'server is restored': ['backup a restored'],
} as const

test('D8 V4 no history of lost answers, killed agents and restored states leaves a device unheard (property)', async () => {
  const start = [
    ...['channel app stable', 'publish app stable 1.0.0', 'add device d1 app stable'],
    ...['device d1 on', ...steps['keeps its state'], ...steps['server is backed up']],
  ]
  const step = fc.constantFrom(...(Object.keys(steps) as (keyof typeof steps)[]))
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 10 }), async (history) => {
      const happened = history.flatMap((name) => steps[name])
      await runScript(
        ['seed 62', ...start, ...happened, 'device d1 poll', 'expect d1 heard 1.0.0'].join('\n'),
      )
    }),
    { numRuns: 15, interruptAfterTimeLimit: 60_000 },
  )
})
