/**
 * What a device's fetcher can do to a rollout without the device's key, and what the device can do
 * with it: random histories.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Statement } from '../devices/statements.ts'
import { judgeSigned, judgeUnsigned, asSignedSequence } from '../devices/statements.ts'
import { rankRollouts } from './decision.ts'
import { createMemberCounter } from './members.ts'
import {
  factsOf,
  fleetOf,
  policyOf,
  releaseOf,
  rolloutOf,
  runs,
  secondsOn,
} from './rollout.fixture.ts'
import type { CheckInFacts, Rollout, Update } from './rollout.ts'
import { settleRollouts } from './settle.ts'
import { counterOf, readActivity } from './update-states.ts'
import { contradictionOf } from './wave-counts.ts'
import { createZones } from './zones.ts'

const releases = [releaseOf(1), releaseOf(2)]
const policy = { attempts: { max: 10, waitSeconds: 0 }, failuresMax: 3 }
const updates = [
  { state: 'idle' },
  ...(['downloading', 'watching', 'committed', 'failed', 'rolled_back'] as const).map((state) => ({
    state,
    sha256: releaseOf(2).sha256,
  })),
  { state: 'failed', sha256: releaseOf(2).sha256, code: 'no_space' },
] as const

/** What the server keeps of one device, and its rollout. */
function createWorld() {
  let rollout: Rollout = rolloutOf(policyOf(policy), {}, { membersCount: 1 })
  let known: readonly Update[] = []
  const signed: Statement[] = []
  const zones = createZones()

  /** Takes a report, and answers how many verdicts the rollout has got by it. */
  const take = (report: Statement, isSigned: boolean, second: number): number => {
    if (isSigned && !signed.some(({ sequence }) => sequence === report.sequence)) {
      signed.unshift(report)
      signed.sort((a, b) => b.sequence - a.sequence)
    }
    const judged = isSigned
      ? judgeSigned(report.sequence, signed[0]?.sequence ?? null)
      : judgeUnsigned(report, signed)
    if (judged.kind !== 'accepted') return 0
    const { running, committedCounter, floor, sequence } = report
    const update = report.update as (typeof updates)[number]
    const facts = factsOf({
      ...{ running, committedCounter, floor, sequence, updates: known },
      activity: readActivity(update, judged.saidSequence),
    })
    const situation = {
      ...{ fleet: fleetOf(), releases, zones, now: secondsOn(second) },
      rollouts: rankRollouts([rollout], releases),
    }
    const settled = settleRollouts(situation, [facts])
    rollout = settled.rollouts[0] ?? rollout
    known = settled.updates.get(facts.deviceId) ?? known
    const ends: readonly string[] = ['committed', 'failed', 'rolled_back']
    return settled.changes.filter(({ after }) => ends.includes(after.state)).length
  }
  return { take, signed, stateOf: () => rollout.state }
}

type Step =
  | { readonly by: 'device'; readonly update: number; readonly isCommit: boolean }
  | { readonly by: 'fetcher'; readonly update: number; readonly back: number }
  | { readonly by: 'replay'; readonly back: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    by: fc.constant('device' as const),
    update: fc.nat(updates.length - 1),
    isCommit: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  }),
  fc.record({
    by: fc.constant('fetcher' as const),
    update: fc.nat(updates.length - 1),
    back: fc.integer({ min: -1, max: 3 }),
  }),
  fc.record({ by: fc.constant('replay' as const), back: fc.nat(4) }),
)

test('D4 D8 attack: whatever a fetcher forges, repeats or replays without the key, no rollout gets a verdict by it (property)', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 4, maxLength: 24 }), (steps) => {
      const world = createWorld()
      let own: Statement = {
        ...{ sequence: 0, running: { ...runs(1), version: '1.1.0' }, committedCounter: 1 },
        ...{ floor: 1, update: { state: 'idle' }, refusals: [], platform: 'linux/amd64' },
      }
      const sign = (second: number) => {
        own = { ...own, sequence: own.sequence + 1 }
        return world.take(own, true, second)
      }
      sign(1)
      for (const [i, one] of steps.entries()) {
        const second = i + 2
        if (one.by === 'device') {
          const isCommit = one.isCommit && own.committedCounter === 1
          own = isCommit
            ? { ...own, running: { ...runs(2), version: '1.2.0' }, committedCounter: 2 }
            : { ...own, update: updates[one.update]! }
          sign(second)
          continue
        }
        const stateBefore = world.stateOf()
        const report =
          one.by === 'replay'
            ? world.signed[Math.min(one.back, world.signed.length - 1)]!
            : {
                ...own,
                sequence: Math.max(0, own.sequence - one.back),
                update: updates[one.update]!,
              }
        const verdicts = world.take(report, one.by === 'replay', second)
        assert.deepEqual([verdicts, world.stateOf()], [0, stateBefore], JSON.stringify(one))
      }
    }),
    { numRuns: 1500, interruptAfterTimeLimit: 60_000 },
  )
})

/** What a device can sign of itself: counters below, at and above that of the release. */
const anyWord = fc.record({
  counter: fc.integer({ min: 0, max: 4 }),
  running: fc.option(fc.integer({ min: 1, max: 3 }), { freq: 4 }),
  floor: fc.integer({ min: 0, max: 3 }),
  update: fc.nat(updates.length - 1),
  /** Seconds until it signs the next one. */
  after: fc.constantFrom(1, 30, 61, 7300),
  isCount: fc.boolean(),
})

test('D3 D8 attack: whatever one device signs about itself, it takes no more offers than it has attempts, and holds up no gate (property)', () => {
  const zones = createZones()
  const honest = factsOf({ deviceId: 'device_b' })
  const silence = { afterMs: null, since: null }
  fc.assert(
    fc.property(
      fc.array(anyWord, { minLength: 2, maxLength: 30, size: 'max' }),
      fc.record({ max: fc.integer({ min: 1, max: 3 }), waitSeconds: fc.constantFrom(0, 60) }),
      (words, attempts) => {
        const limits = { attempts, perPeriod: { updatesMax: attempts.max + 1, seconds: 1e6 } }
        let rollout: Rollout = rolloutOf(limits, {}, { membersCount: 2 })
        const rows = new Map<string, readonly Update[]>()
        const offered: Update[] = []
        const ended: Update[] = []
        const take = (said: CheckInFacts, second: number) => {
          const facts = { ...said, updates: rows.get(said.deviceId) ?? [] }
          const situation = {
            ...{ fleet: fleetOf(), releases, zones, now: secondsOn(second) },
            rollouts: rankRollouts([rollout], releases),
          }
          const settled = settleRollouts(situation, [facts])
          rollout = settled.rollouts[0] ?? rollout
          rows.set(facts.deviceId, settled.updates.get(facts.deviceId)!)
          for (const { after, deviceId } of settled.changes) {
            if (deviceId === honest.deviceId) continue
            if (after.state !== 'offered') ended.push(after)
            else {
              const last = ended.at(-1)
              const waitedMs = after.offeredAt.getTime() - (last?.endedAt?.getTime() ?? -Infinity)
              assert.ok(waitedMs >= attempts.waitSeconds * 1000, 'offered again too soon')
              offered.push(after)
            }
          }
          return settled.answers.get(facts.deviceId)
        }
        let second = 1
        for (const [i, { counter, running, floor, update, after, isCount }] of words.entries()) {
          const sequence = i + 10
          const said = factsOf({
            ...{ sequence, floor, committedCounter: counter },
            running: running === null ? null : runs(running),
            activity: readActivity(updates[update]!, asSignedSequence(sequence)),
          })
          take(said, second)
          assert.ok(offered.length <= attempts.max, `${offered.length} offers to one device`)
          assert.equal(contradictionOf(rollout), null)
          const own = rows.get(said.deviceId)![0]
          const { offeredCount, waitingCount, ...of } = rollout.waves[0]!
          assert.equal(offeredCount, own === undefined ? 0 : 1)
          if (own !== undefined) assert.equal(of[counterOf(own.state)], 1, own.state)
          // The device itself, once for each of its attempts, and the other one.
          assert.ok(waitingCount! <= 2 + attempts.max, `${waitingCount} devices wait`)
          if (isCount) {
            const members = createMemberCounter(rollout, releases[1]!, silence, secondsOn(second))
            const heardAt = secondsOn(second)
            members.add({ ...said, heardAt, update: own ?? null })
            members.add({ ...honest, heardAt, update: null })
            const { waves, firstPlace } = members.counts()
            const isOwn = own !== undefined && own.code === 'newer'
            if (isOwn) assert.equal(waves[0]!.waiting, 1, 'a gate waits for a device that has left')
            const counted = { waitingCount: waves[0]!.waiting, movedSinceCount: 0 }
            const wave = { ...rollout.waves[0]!, ...counted }
            rollout = { ...rollout, firstPlace, waves: [wave] }
          }
          second += after
        }
        const answer = take(honest, second)
        assert.equal(answer?.reason, 'rollout', 'one device took what was left for another')
      },
    ),
    { numRuns: 500, interruptAfterTimeLimit: 60_000 },
  )
})
