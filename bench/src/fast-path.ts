import { connections, describe, measure, startSide } from './lib/check-in-side.ts'
import type { Comparison } from './lib/measure.ts'
import { compareInPairs } from './lib/measure.ts'

export const title = 'idle check-ins on the fast path: against the same server without it'

const devicesCount = 1000
const rounds = 5

export async function run(log: (line: string) => void): Promise<Comparison[]> {
  const fast = await startSide(devicesCount)
  const plain = await startSide(devicesCount, '--no-fast-path')
  try {
    const micros: Record<'fast' | 'plain', number[]> = { fast: [], plain: [] }
    const runOf = (name: keyof typeof micros, side: typeof fast) => async () => {
      const order = { ...side.order, connections, warmUpMs: 500, durationMs: 2500 }
      const result = await measure(side.server.pid, order)
      describe(log, name === 'fast' ? 'with the fast path' : 'without', result)
      micros[name].push(result.serverMicros)
      return result.perSecond
    }
    const rate = await compareInPairs(runOf('fast', fast), runOf('plain', plain), rounds)
    const work = await compareInPairs(
      async () => micros.plain.shift()!,
      async () => micros.fast.shift()!,
      rounds,
    )
    return [
      {
        name: 'durable check-ins over TLS',
        baseline: 'the same server with --no-fast-path',
        unit: '/s',
        ...rate,
        target: 'at least 1.2',
        isMet: rate.ratio >= 1.2,
      },
      {
        name: 'processor time for each without it',
        baseline: 'with it',
        unit: 'µs',
        ...work,
        target: 'at least 1.2',
        isMet: work.ratio >= 1.2,
      },
    ]
  } finally {
    await fast.server.stop()
    await plain.server.stop()
  }
}
