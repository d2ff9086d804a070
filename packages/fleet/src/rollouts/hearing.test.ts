import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Hearing } from './hearing.ts'
import { hear, isCountCurrent, isSilent, silenceOf, silentAfterOf } from './hearing.ts'
import { secondsOn, startAt } from './rollout.fixture.ts'

const nothingHeard: Hearing = { heardAt: null, gaps: [] }
const fleet = { pollSeconds: 60 }
const policy = { silentAfterSeconds: 600 }
const hearAt = (...seconds: number[]) =>
  seconds.reduce((hearing: Hearing, at) => hear(hearing, secondsOn(at)), nothingHeard)
const silence = (hearing: Hearing, at: number) => silenceOf(policy, fleet, hearing, secondsOn(at))

/** Somebody was heard each minute, from one second to another. */
const minutes = (from: number, to: number) =>
  Array.from({ length: Math.floor((to - from) / 60) + 1 }, (_, i) => from + i * 60)

test('D3 fault: after an outage nobody is silent before it has had the time for it anew', () => {
  const before = minutes(0, 3600)
  const steady = silence(hearAt(...before), 3600)
  assert.ok(isSilent(steady, secondsOn(2999), secondsOn(3600)))
  assert.ok(!isSilent(steady, secondsOn(3000), secondsOn(3600)))
  // Nobody is heard for two hours: no device is silent while that lasts, nor when the first one is
  // heard again.
  for (const at of [4600, 10_800]) {
    const cutOff = silence(hearAt(...before), at)
    assert.equal(cutOff.since, null)
    assert.ok(!isSilent(cutOff, startAt, secondsOn(at)), `${at}`)
  }
  const back = hearAt(...before, 10_801)
  assert.ok(!isSilent(silence(back, 10_801), startAt, secondsOn(10_801)))
  const later = hearAt(...before, ...minutes(10_801, 11_401))
  assert.ok(!isSilent(silence(later, 11_401), startAt, secondsOn(11_401)))
  assert.ok(isSilent(silence(later, 11_402), startAt, secondsOn(11_402)))
  // What was counted before the end of the outage does not know of it.
  assert.ok(!isCountCurrent(silence(later, 11_401), secondsOn(10_800)))
  assert.ok(!isCountCurrent(silence(later, 11_401), undefined))
  assert.ok(isCountCurrent(silence(later, 11_401), secondsOn(10_801)))
})

test('D3 fault: devices that poll every 60 s are not silent after 60 s: five polls are the least', () => {
  const short = { silentAfterSeconds: 60 }
  assert.equal(silentAfterOf(short, fleet), 300)
  assert.equal(silentAfterOf(short, { pollSeconds: 86_400 }), 432_000)
  assert.equal(silentAfterOf({ silentAfterSeconds: 86_400 }, { pollSeconds: 3600 }), 86_400)
  assert.equal(silentAfterOf({ silentAfterSeconds: null }, fleet), null)
  const hearing = hearAt(...minutes(0, 3600))
  const { afterMs } = silenceOf(short, fleet, hearing, secondsOn(3600))
  assert.equal(afterMs, 300_000)
})

test('D3 nobody is silent where nobody was heard yet, and never where the policy waits for everybody', () => {
  const none = silence(nothingHeard, 1e6)
  assert.ok(!isSilent(none, startAt, secondsOn(1e6)))
  const always = silenceOf(
    { silentAfterSeconds: null },
    fleet,
    hearAt(...minutes(0, 3600)),
    startAt,
  )
  assert.ok(!isSilent(always, startAt, secondsOn(1e6)))
})

test('D3 whatever is forgotten of gaps, the answer is that of all of them; and who polls in time is never silent (property)', () => {
  const anyStep = fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 1, max: 60 }) },
    { weight: 1, arbitrary: fc.integer({ min: 60, max: 5000 }) },
  )
  fc.assert(
    fc.property(
      fc.array(anyStep, { minLength: 1, maxLength: 200 }),
      fc.constantFrom(60, 300, 900, 3600),
      fc.constantFrom(15, 60, 300),
      fc.nat(1000),
      (steps, silentAfterSeconds, pollSeconds, rest) => {
        let at = 0
        const times = steps.map((step) => (at += step))
        const hearing = hearAt(...times)
        const now = secondsOn(at + rest)
        const given = { silentAfterSeconds }
        const found = silenceOf(given, { pollSeconds }, hearing, now)
        const after = Math.max(silentAfterSeconds, 5 * pollSeconds)
        const gapMax = after - 3 * pollSeconds
        const all = [Number.NEGATIVE_INFINITY, ...times]
        const last = times.findLast((time, i) => time - all[i]! > gapMax && time - all[i]! >= 20)
        const expected = rest > gapMax ? null : secondsOn(last ?? 0)
        assert.deepEqual(found.since, expected)
        assert.ok(hearing.gaps.length < 40)
        // A device that was heard within a poll of the last word of anybody, before whatever gap.
        for (const [i, time] of times.entries()) {
          const heardAt = secondsOn(time - pollSeconds)
          const next = secondsOn(times[i + 1] ?? at + rest)
          const then = silenceOf(given, { pollSeconds }, hearAt(...times.slice(0, i + 1)), next)
          assert.ok(!isSilent(then, heardAt, next), 'silent because nobody was heard')
        }
      },
    ),
    { numRuns: 100 },
  )
})
