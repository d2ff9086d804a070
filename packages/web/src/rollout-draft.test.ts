import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkPolicy, createZones } from '@seaworthy/fleet/rollouts'
import { draftDefaults, draftOptions, readDraft } from './rollout-draft.ts'

test('D3 what a form says of a rollout is a policy that the fleet’s rules accept', () => {
  const { policy } = readDraft({
    ...draftDefaults,
    waves: 'tag:canary=yes, count:5,50%,100%',
    approvals: '3',
    bake: '2h',
    isSafe: true,
    isAbortedByFailures: true,
  })
  assert.ok(policy !== undefined)
  checkPolicy(policy, createZones())
  assert.deepEqual(
    policy.waves.map(({ members, needsApproval, gate }) => [
      members.kind,
      needsApproval,
      gate.bakeSeconds,
    ]),
    [
      ['tag', false, 7200],
      ['count', false, 7200],
      ['percent', true, 7200],
      ['percent', false, 7200],
    ],
  )
  assert.deepEqual([policy.safeMode, policy.onFailure], [true, 'abort'])
  checkPolicy(readDraft(draftDefaults).policy!, createZones())
  assert.deepEqual(draftOptions(draftDefaults), [
    ...['--waves', '1%,10%,50%,100%', '--bake', '30m', '--max-failures', '5%'],
  ])
})

test('D3 a draft that is no policy says which field is wrong', () => {
  const wrong = (part: Partial<typeof draftDefaults>) =>
    Object.keys(readDraft({ ...draftDefaults, ...part }).mistakes)
  assert.deepEqual(wrong({}), [])
  for (const waves of ['', '0%', '101%', 'all', 'count:0', 'tag:=x', '1%,,2%']) {
    assert.deepEqual(wrong({ waves }), ['waves'], waves)
  }
  for (const approvals of ['5', '0', 'x']) assert.deepEqual(wrong({ approvals }), ['approvals'])
  assert.deepEqual(wrong({ bake: 'long', failuresPercent: '' }), ['bake', 'failuresPercent'])
  assert.deepEqual(wrong({ bake: '365d' }), ['bake'])
})
