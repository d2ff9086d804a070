import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { GivenWords } from './fill-way-out.ts'
import { fillWayOut } from './fill-way-out.ts'

const given = (noun: string, words: Partial<GivenWords>): GivenWords => ({
  ...{ noun, args: {}, options: {} },
  ...words,
})

test('a way out names what the command was about, not a placeholder', () => {
  const rollout = given('rollout', { args: { rollout: 'rollout_1' }, options: { fleet: 'pumps' } })
  for (const [wayOut, filled] of [
    ['See `seaworthy rollout show ROLLOUT`.', 'See `seaworthy rollout show rollout_1`.'],
    ['See `seaworthy rollout list --fleet NAME`.', 'See `seaworthy rollout list --fleet pumps`.'],
    [
      'Run `seaworthy fleet set FLEET --follow rollouts`.',
      'Run `seaworthy fleet set pumps --follow rollouts`.',
    ],
  ] as const) {
    assert.equal(fillWayOut(wayOut, rollout), filled)
  }
  const fleet = given('fleet', { args: { name: 'pumps' } })
  assert.equal(
    fillWayOut(
      'End them: `seaworthy rollout list --fleet NAME`, `seaworthy fleet set NAME`.',
      fleet,
    ),
    'End them: `seaworthy rollout list --fleet pumps`, `seaworthy fleet set pumps`.',
  )
})

test('a way out keeps a placeholder for what the command was not given, or what a shell would read otherwise', () => {
  const secret = given('secret', { args: { name: 'TOKEN' }, options: { reason: 'two words' } })
  for (const wayOut of [
    'See `seaworthy variable list --fleet NAME`.',
    'See `seaworthy product show NAME`.',
    'Ask: `seaworthy credential request NAME --reason TEXT`.',
    'Go back: `seaworthy rollout back ROLLOUT --to VERSION`.',
    'The NAME outside of a command stays.',
  ]) {
    assert.equal(fillWayOut(wayOut, secret), wayOut)
  }
  for (const name of ['a b', '$(id)', '`id`', '-x', "o'clock", 'FILE', '']) {
    const wayOut = 'Change it: `seaworthy fleet set NAME`.'
    assert.equal(fillWayOut(wayOut, given('fleet', { args: { name } })), wayOut, name)
  }
})
