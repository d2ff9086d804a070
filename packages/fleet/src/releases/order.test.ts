import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { chooseAssignment } from '../devices/assignment.ts'
import { admitDevice } from '../rollouts/admission.ts'
import { decideUpdate, rankRollouts } from '../rollouts/decision.ts'
import {
  factsOf,
  fleetOf,
  releaseOf,
  rolloutOf,
  runs,
  startAt,
  updateOf,
} from '../rollouts/rollout.fixture.ts'
import type { CheckInFacts } from '../rollouts/rollout.ts'
import { createZones } from '../rollouts/zones.ts'
import type { Standing } from './order.ts'
import { isNewer, isSameRelease, newestFirst, newestRelease, standingOf } from './order.ts'

const zones = createZones()
const now = new Date(startAt.getTime() + 1000)
const release = releaseOf(2)

/** The answer to the device in a fleet that follows the only rollout, which brings `release`. */
function decide(facts: CheckInFacts, baseline: CheckInFacts['running'] = null) {
  const rollouts = baseline === null ? rankRollouts([rolloutOf()], [release]) : []
  const fleet = fleetOf({ baseline: baseline && { ...baseline, version: release.version } })
  return decideUpdate(facts, { fleet, rollouts, releases: [release], zones, now })
}

/**
 * The oracle: the releases of a product lie on a line in the order in which they were signed, and a
 * device stands where it came farthest. It knows no counter of its own.
 */
function expected(device: { at: number | null; committed: number; floor: number }): Standing {
  const line = [0, 1, 2, 3, 4]
  const behind = new Set(line.filter((at) => at < device.floor))
  if (device.at === release.counter) return 'running'
  if (behind.has(release.counter)) return 'not_newer'
  const seen = line.filter(
    (at) => at <= device.committed || (device.at !== null && at <= device.at),
  )
  if (!seen.includes(release.counter)) return 'newer'
  const isLast = seen.at(-1) === release.counter
  return isLast && device.at === null ? 'again' : 'not_newer'
}

const anyDevice = fc.record({
  at: fc.option(fc.integer({ min: 1, max: 4 })),
  committed: fc.integer({ min: 0, max: 4 }),
  floor: fc.integer({ min: 0, max: 4 }),
})

test('D2 D12 which release is newer is one judgement for channel, baseline and rollout (property)', () => {
  fc.assert(
    fc.property(anyDevice, (device) => {
      const facts = factsOf({
        running: device.at === null ? null : runs(device.at),
        committedCounter: device.committed,
        floor: device.floor,
      })
      const standing = expected(device)
      assert.equal(standingOf(release, facts), standing)
      const mayTake = standing === 'newer' || standing === 'again'

      const report = { ...facts, update: { state: 'idle' } }
      const newest = chooseAssignment(report, fleetOf({ follow: 'newest' }), [release])
      assert.equal(newest.release !== null, mayTake, `newest: ${newest.reason}`)

      const based = decide(facts, runs(2))
      assert.ok(based.kind === 'answer')
      assert.equal(based.release !== null, mayTake, `baseline: ${based.reason}`)

      const admission = admitDevice(rolloutOf(), facts, now, zones)
      // A device that runs it has reached it; the counter that it says it has committed is no more.
      if (standing !== 'running') assert.equal(admission.kind === 'admitted', mayTake)

      // What was offered is shown again until the device runs it.
      const offered = decide({ ...facts, updates: [updateOf({ deadlineAt: new Date(8.64e15) })] })
      if (offered.kind === 'answer') {
        assert.equal(offered.release !== null, mayTake, `again: ${offered.reason}`)
      } else {
        assert.ok(!mayTake, 'the update ended although the device may take the release')
      }
    }),
    { numRuns: 400 },
  )
})

test('D11 fault: a device that has committed the release of a rollout and runs none is shown what it was offered', () => {
  const facts = factsOf({ running: null, committedCounter: 2 })
  assert.equal(admitDevice(rolloutOf(), facts, now, zones).kind, 'admitted')
  const decision = decide({ ...facts, updates: [updateOf()] })
  assert.ok(decision.kind === 'answer')
  assert.deepEqual([decision.release?.counter, decision.reason], [2, 'rollout'])
})

test('D11 fault: a device that fell back behind what it has committed is not offered what it is then not shown', () => {
  const facts = factsOf({ running: runs(1), committedCounter: 2 })
  const admission = admitDevice(rolloutOf(), facts, now, zones)
  assert.deepEqual(admission, { kind: 'refused', reason: 'not_newer', last: null })
  const decision = decide(facts)
  assert.deepEqual(
    [decision.kind, decision.kind === 'answer' && decision.reason],
    ['answer', 'not_newer'],
  )
})

test('D2 the newest of releases is the first in their order, and nothing is newer than it (property)', () => {
  const releases = fc.uniqueArray(fc.integer({ min: 1, max: 50 }), { maxLength: 8 })
  fc.assert(
    fc.property(releases, (counters) => {
      const all = counters.map((counter) => releaseOf(counter))
      const newest = newestRelease(all)
      assert.equal(newest?.counter, counters.length === 0 ? undefined : Math.max(...counters))
      assert.equal(newest, all.toSorted(newestFirst)[0])
      for (const a of all) {
        for (const b of all) {
          // Exactly one holds: newer, the same, older.
          const holds = [isNewer(a, b), isSameRelease(a, b), isNewer(b, a)]
          assert.equal(holds.filter(Boolean).length, 1)
        }
      }
    }),
  )
})
