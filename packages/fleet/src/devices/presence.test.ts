import assert from 'node:assert/strict'
import { test } from 'node:test'
import { policyDefaults } from '../rollouts/index.ts'
import { presenceOf, silentSecondsDefault, silentSecondsOf } from './presence.ts'

const registeredAt = new Date('2026-01-01T00:00:00Z')
const after = (seconds: number) => new Date(registeredAt.getTime() + seconds * 1000)

test('D5 a device is online for its last polls, silent after a day without them, and late in between', () => {
  for (const [pollSeconds, online, silent] of [
    [10, 300, 86_400],
    [60, 300, 86_400],
    [3600, 18_000, 86_400],
    [86_400, 432_000, 432_000],
  ] as const) {
    const at = (seconds: number) =>
      presenceOf({ seenAt: registeredAt, registeredAt }, { pollSeconds }, after(seconds))
    assert.equal(silentSecondsOf({ pollSeconds }), silent)
    assert.deepEqual([at(0), at(online), at(silent + 1)], ['online', 'online', 'silent'])
    assert.equal(at(online + 1), online === silent ? 'silent' : 'late')
    assert.equal(at(-60), 'online', 'a clock that was set back makes nobody silent')
  }
})

test('D5 a device that was never heard of counts from its registration', () => {
  const never = { seenAt: null, registeredAt }
  const fleet = { pollSeconds: 60 }
  assert.equal(presenceOf(never, fleet, after(60)), 'online')
  assert.equal(presenceOf(never, fleet, after(90_000)), 'silent')
  assert.equal(presenceOf({ seenAt: after(89_990), registeredAt }, fleet, after(90_000)), 'online')
})

test('D5 waves wait by default for exactly those devices that are not called silent', () => {
  assert.equal(policyDefaults.silentAfterSeconds, silentSecondsDefault)
})
