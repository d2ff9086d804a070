import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { asSignedSequence } from '../devices/statements.ts'
import type { FleetPolicy } from '../fleets/index.ts'
import { decideUpdate, findRelease, rankRollouts } from './decision.ts'
import type { Hearing, Silence } from './hearing.ts'
import { hear, isCountCurrent, silenceOf } from './hearing.ts'
import { createMemberCounter } from './members.ts'
import { placeOf, thresholdOf } from './place.ts'
import { applyStep, planRollout } from './planner.ts'
import { fleetOf, policyOf, releaseOf, secondsOn, startAt } from './rollout.fixture.ts'
import type { CheckInFacts, Rollout, RolloutPolicy, Update } from './rollout.ts'
import type { UpdateChange } from './settle.ts'
import { endUpdates, settleRollouts } from './settle.ts'
import { approveWave, createRollout, pause, resume } from './transitions.ts'
import { readActivity, counterOf, isGivenUp, isUnderWay } from './update-states.ts'
import { contradictionOf, needsPerson } from './wave-counts.ts'
import { isWindowOpen } from './windows.ts'
import { explain } from './why.ts'
import { createZones } from './zones.ts'

const zones = createZones()
const signed = { isReleaseSigned: true, isCountCurrent: true }
const devicesCount = 24
const releases = [releaseOf(1), releaseOf(2), releaseOf(3, { security: true })]

/** What a step of the story is; `pick` chooses within it. */
interface Action {
  readonly kind:
    | 'check-ins'
    | 'time'
    | 'count'
    | 'plan'
    | 'time-outs'
    | 'pause'
    | 'resume'
    | 'approve'
    | 'leave'
    | 'join'
    | 'go-beyond'
    | 'go-back'
    | 'outage'
  readonly pick: number
  readonly devices: readonly number[]
}

const anyMembers = fc.oneof(
  fc.record({ kind: fc.constant('count' as const), count: fc.integer({ min: 1, max: 8 }) }),
  fc.record({
    kind: fc.constant('tag' as const),
    key: fc.constant('ring'),
    value: fc.constantFrom('0', '1', '2'),
  }),
  fc.record({ kind: fc.constant('percent' as const), percent: fc.integer({ min: 5, max: 99 }) }),
)
/** Half of the policies have no such limit: otherwise the strictest hides the others. */
const orNull = <T>(any: fc.Arbitrary<T>) => fc.option(any, { freq: 2 })
const anyPolicy: fc.Arbitrary<RolloutPolicy> = fc
  .record({
    members: fc.array(anyMembers, { maxLength: 3 }),
    approvals: fc.array(fc.constantFrom(false, false, false, true), { minLength: 4, maxLength: 4 }),
    failurePercentMax: orNull(fc.integer({ min: 0, max: 60 })),
    sampleMin: fc.integer({ min: 1, max: 6 }),
    successPercentMin: fc.integer({ min: 0, max: 100 }),
    successOf: fc.constantFrom('members' as const, 'ended' as const),
    bakeSeconds: fc.constantFrom(0, 60),
    inFlightMax: orNull(fc.integer({ min: 1, max: 6 })),
    perPeriod: orNull(
      fc.record({
        updatesMax: fc.integer({ min: 1, max: 6 }),
        seconds: fc.constantFrom(30, 600),
      }),
    ),
    rate: orNull(
      fc.oneof(
        fc.record({
          kind: fc.constant('constant' as const),
          perMinute: fc.constantFrom(0.5, 7, 180, 60_000),
        }),
        fc.record({
          kind: fc.constant('exponential' as const),
          perMinute: fc.constantFrom(1, 6),
          factor: fc.constant(2),
          everyHealthy: fc.integer({ min: 1, max: 3 }),
          perMinuteMax: fc.constantFrom(6, 120),
        }),
      ),
    ),
    isWindowed: fc.constantFrom(false, false, true),
    safeMode: fc.constantFrom(false, false, true),
    failuresMax: orNull(fc.integer({ min: 0, max: 3 })),
    silentAfterSeconds: orNull(fc.constantFrom(120, 600)),
    onFailure: fc.constantFrom('pause' as const, 'abort' as const),
    attempts: fc.record({
      max: fc.integer({ min: 1, max: 3 }),
      waitSeconds: fc.constantFrom(0, 90),
    }),
  })
  .map((any) => {
    let reached = 0
    const members = any.members.filter((m) => {
      if (m.kind !== 'percent') return true
      if (m.percent <= reached) return false
      reached = m.percent
      return true
    })
    const { bakeSeconds, successPercentMin, successOf, failurePercentMax, sampleMin } = any
    const gate = { bakeSeconds, successPercentMin, successOf, failurePercentMax, sampleMin }
    return policyOf({
      waves: [...members, { kind: 'percent' as const, percent: 100 }].map((m, index) => ({
        members: m,
        needsApproval: any.approvals[index] ?? false,
        gate,
      })),
      inFlightMax: any.inFlightMax,
      perPeriod: any.perPeriod,
      rate: any.rate,
      windows: any.isWindowed
        ? {
            timeZone: 'Europe/Berlin',
            fallbackTimeZone: 'UTC',
            spans: [{ days: ['mon', 'tue'], from: '13:02', to: '13:40' }],
          }
        : null,
      timeoutSeconds: 300,
      silentAfterSeconds: any.silentAfterSeconds,
      safeMode: any.safeMode,
      failuresMax: any.failuresMax,
      onFailure: any.onFailure,
      attempts: any.attempts,
    })
  })

const anyAction: fc.Arbitrary<Action> = fc.record({
  kind: fc.oneof(
    { weight: 12, arbitrary: fc.constant('check-ins' as const) },
    { weight: 5, arbitrary: fc.constant('time' as const) },
    { weight: 4, arbitrary: fc.constant('count' as const) },
    { weight: 7, arbitrary: fc.constant('plan' as const) },
    { weight: 1, arbitrary: fc.constant('leave' as const) },
    { weight: 1, arbitrary: fc.constant('join' as const) },
    { weight: 1, arbitrary: fc.constant('go-beyond' as const) },
    { weight: 2, arbitrary: fc.constant('go-back' as const) },
    { weight: 1, arbitrary: fc.constant('outage' as const) },
    { weight: 2, arbitrary: fc.constant('time-outs' as const) },
    { weight: 1, arbitrary: fc.constant('pause' as const) },
    { weight: 5, arbitrary: fc.constant('resume' as const) },
    { weight: 2, arbitrary: fc.constant('approve' as const) },
  ),
  pick: fc.nat(10_000),
  devices: fc.array(fc.nat(devicesCount - 1), { minLength: 1, maxLength: devicesCount }),
})

// `size: 'max'`: stories as long as they may be, not short ones first.
const anyStory = fc.array(anyAction, { minLength: 30, maxLength: 150, size: 'max' })

/** One device as it is in truth, and what it reports. */
interface Device {
  facts: CheckInFacts
  wanted: number | null
  /** Whether it is in the fleet; a device that left may come back. */
  isHere: boolean
  heardAt: Date
}

/** A device of the fleet as it was counted: where it waits, unless a wave by count takes it. */
interface Counted {
  readonly deviceId: string
  readonly wave: number | null
  readonly isHeard: boolean
}

/** What the server keeps, and the devices; every invariant is checked on each write. */
function createWorld(fleet: FleetPolicy, made: readonly Rollout[]) {
  let now = startAt
  const rollouts = new Map(made.map((rollout) => [rollout.id, rollout]))
  const rows = new Map<string, Update>()
  const offers = new Map<string, { atMs: number; rate: RolloutPolicy['rate'] }[]>()
  /** Failures since the last resume, by rollout. */
  const failures = new Map<string, Set<string>>(made.map(({ id }) => [id, new Set()]))
  const devices: Device[] = Array.from({ length: devicesCount }, (_, index) => ({
    facts: {
      deviceId: `device_${index}`,
      platform: 'linux/amd64',
      hardware: null,
      tags: { ring: String(index % 5) },
      running: { product: 'acme', sha256: releaseOf(1).sha256, counter: 1 },
      committedCounter: 1,
      floor: 1,
      activity: { state: 'idle', sha256: null, code: null },
      sequence: 1,
      countsAttempts: true,
      heldBack: null,
      updates: [],
    },
    wanted: null,
    isHere: index % 6 !== 0,
    // Some were not heard from for long.
    heardAt: index % 4 === 1 ? secondsOn(-900) : startAt,
  }))
  const counted = new Map<string, readonly Counted[]>()
  const countedAt = new Map<string, Date>()
  let hearing: Hearing = { heardAt: now, gaps: [] }
  /** Each time that any device was heard. */
  const words = [now]
  /**
   * The instant since which devices have been heard without a gap that matters, from all that was
   * heard; `null` while none is.
   */
  const heardSince = (policy: RolloutPolicy): Date | null => {
    const after = Math.max(policy.silentAfterSeconds ?? 0, 5 * fleet.pollSeconds)
    const gapMs = (after - 3 * fleet.pollSeconds) * 1000
    const last = words.at(-1)!
    if (now.getTime() - last.getTime() > gapMs) return null
    return (
      words.findLast((at, i) => i > 0 && at.getTime() - words[i - 1]!.getTime() > gapMs) ??
      new Date(0)
    )
  }
  const isHeardFrom = (policy: RolloutPolicy, heardAt: Date): boolean => {
    const since = heardSince(policy)
    if (policy.silentAfterSeconds === null || since === null) return true
    const after = Math.max(policy.silentAfterSeconds, 5 * fleet.pollSeconds)
    return now.getTime() - Math.max(heardAt.getTime(), since.getTime()) <= after * 1000
  }
  const rowsOf = (match: (update: Update) => boolean) => [...rows.values()].filter(match)

  const checkOffer = (rollout: Rollout, { before, after, deviceId }: UpdateChange) => {
    const { policy, id } = rollout
    const { heldBack } = devices.find(({ facts }) => facts.deviceId === deviceId)!.facts
    assert.ok(
      heldBack === null || heldBack.exceptSha256 === rollout.sha256,
      'offered what cannot be shown',
    )
    const at = after.offeredAt
    const of = rowsOf(({ rolloutId }) => rolloutId === id)
    const underWay = of.filter(isUnderWay).length
    const isHealthy = of.some(({ state }) => state === 'committed')
    const failed = failures.get(id)!.size
    assert.ok(before === null || !isUnderWay(before), 'two updates of a device at once')
    assert.equal(rollout.state, 'active', 'offered while not active')
    assert.ok(at.getTime() >= rollout.startAt.getTime(), 'offered before the start')
    assert.ok(after.wave < rollout.wavesOpenCount, 'offered in a wave that is not open')
    if (policy.waves[after.wave]!.needsApproval) {
      assert.notEqual(rollout.waves[after.wave]!.approvedAt, null, 'offered before approval')
    }
    if (policy.inFlightMax !== null) assert.ok(underWay <= policy.inFlightMax, 'in flight')
    if (policy.safeMode) {
      assert.equal(failed, 0, 'offered in safe mode after a failure')
      assert.ok(isHealthy || underWay <= 1, 'more than one in safe mode')
    }
    if (policy.failuresMax !== null) assert.ok(failed <= policy.failuresMax, 'budget exceeded')
    if (policy.windows !== null) {
      assert.ok(isWindowOpen(policy.windows, {}, at, zones), 'offered outside of the window')
    }
    const { members } = policy.waves[after.wave]!
    if (members.kind === 'count') {
      const inWave = of.filter((u) => u.wave === after.wave && u.state !== 'superseded').length
      assert.ok(inWave <= members.count, 'more than the count')
    }
    const isTaken = before !== null && isGivenUp(before)
    assert.ok(after.attempt <= policy.attempts.max || isTaken, 'attempts')
    if (before !== null && !isTaken) {
      const waitedMs = at.getTime() - before.endedAt!.getTime()
      assert.ok(waitedMs >= policy.attempts.waitSeconds * 1000, 'too soon after a failure')
    }
    const list = offers.get(id) ?? []
    list.push({ atMs: at.getTime(), rate: policy.rate })
    offers.set(id, list)
    checkPace(
      rollout,
      list.map(({ atMs }) => atMs),
    )
  }

  /**
   * Only a device that runs that very release is healthy; besides that, only the next attempt takes
   * a failure back.
   */
  const checkVerdict = (rollout: Rollout, { before, after, deviceId }: UpdateChange) => {
    const { running } = devices.find(({ facts }) => facts.deviceId === deviceId)!.facts
    const isThere = running?.sha256 === rollout.sha256 && running.counter === rollout.counter
    if (after.state === 'committed') assert.ok(isThere, 'counted as healthy on another release')
    const hadFailed = before !== null && counterOf(before.state) === 'failedCount'
    if (hadFailed && !isUnderWay(after)) assert.equal(after.state, 'committed')
  }

  const count = (rollout: Rollout): Rollout => {
    const here = devices.filter(({ isHere }) => isHere)
    const { policy, id } = rollout
    const list = here.flatMap(
      ({ facts: { deviceId, tags, committedCounter }, heardAt }): Counted[] => {
        const [row] = rowsOf((u) => u.rolloutId === id && u.deviceId === deviceId)
        if (committedCounter > rollout.counter) return []
        if (row !== undefined && !isGivenUp(row)) return []
        const first = policy.waves.findIndex(({ members }) =>
          members.kind === 'tag'
            ? tags[members.key] === members.value
            : members.kind === 'count' || placeOf(id, deviceId) < thresholdOf(members.percent),
        )
        const isByCount = policy.waves[first]?.members.kind === 'count'
        const isHeard = isHeardFrom(policy, heardAt)
        return [{ deviceId, wave: row?.wave ?? (isByCount ? null : first), isHeard }]
      },
    )
    const silence = silenceOf(policy, fleet, hearing, now)
    const after = countMembers(rollout, here, rowsOf, silence, now)
    countedAt.set(id, now)
    const share = policy.waves.findIndex(({ members }) => members.kind === 'percent')
    const isFirst = ({ deviceId, wave }: Counted) =>
      wave !== null && wave > share && placeOf(id, deviceId) === after.firstPlace
    counted.set(
      id,
      list.map((one) => (isFirst(one) ? { ...one, wave: share } : one)),
    )
    return after
  }

  /**
   * The rule of the wave's gate, over one set: the devices with an update, and those that were
   * counted as waiting.
   */
  let gatesCount = 0
  const checkGate = (rollout: Rollout, wave: number, mayBeUntried = true) => {
    gatesCount += 1
    const since = heardSince(rollout.policy)
    if (since !== null && since.getTime() > 0 && rollout.policy.silentAfterSeconds !== null) {
      const known = countedAt.get(rollout.id)
      assert.ok(known !== undefined && known >= since, 'opened by a count from before an outage')
    }
    const { gate, members } = rollout.policy.waves[wave]!
    const rows = rowsOf((u) => u.rolloutId === rollout.id && u.state !== 'superseded')
    const of = rows.filter((u) => u.wave === wave)
    const underWay = of.filter(isUnderWay).length
    const healthy = of.filter(({ state }) => state === 'committed').length
    const accepted = of.filter((u) => isAccepted(rollout, u)).length
    const ended = of.length - underWay - accepted
    const left = (counted.get(rollout.id) ?? []).filter(
      ({ deviceId }) => !rows.some((u) => u.deviceId === deviceId),
    )
    const room = members.kind === 'count' ? members.count - of.length : Infinity
    const waiting = left
      .filter((one) => one.wave === wave)
      .toSorted((a, b) => Number(b.isHeard) - Number(a.isHeard))
      .slice(0, room)
    if (of.length === underWay) {
      assert.deepEqual([of.length, waiting.length], [0, 0], 'opened with nothing known')
      assert.ok(members.kind !== 'tag' || mayBeUntried, 'opened by a tag that no device has')
      if (members.kind === 'count') assert.ok(left.every((one) => one.wave !== null))
      // A device that is heard from is in it, however small the share.
      const isFirstShare = members.kind === 'percent' && wave === 0
      if (isFirstShare) assert.ok(!left.some(({ isHeard }) => isHeard), 'a share without a device')
    }
    const all = gate.successOf === 'members' ? of.length + waiting.length - accepted : ended
    assert.ok(
      healthy >= all * (gate.successPercentMin / 100) - 1e-9,
      'opened on less than its rule',
    )
    if (gate.successOf === 'members' || ended >= gate.sampleMin) return
    assert.equal(underWay, 0, 'opened while somebody was under way')
    assert.ok(!waiting.some(({ isHeard }) => isHeard), 'opened while somebody was waited for')
  }

  const write = (changed: readonly Rollout[], changes: readonly UpdateChange[]) => {
    for (const change of changes) {
      const { after, deviceId, rolloutId, before } = change
      const key = `${rolloutId} ${deviceId}`
      assert.deepEqual(rows.get(key) ?? null, before)
      rows.set(key, after)
      checkVerdict(rollouts.get(rolloutId)!, change)
      const counter = counterOf(after.state)
      if (counter === 'failedCount') failures.get(rolloutId)!.add(deviceId)
      else failures.get(rolloutId)!.delete(deviceId)
      // The rollout as it was before the batch tells whether it might offer at all, and waves only
      // open in plans.
      if (after.state === 'offered') checkOffer(rollouts.get(rolloutId)!, change)
    }
    for (const rollout of changed) {
      const before = rollouts.get(rollout.id)!
      assert.ok(rollout.revision > before.revision)
      assert.ok(rollout.clockAt.getTime() >= before.clockAt.getTime(), 'time ran backwards')
      rollouts.set(rollout.id, rollout)
    }
    for (const rollout of rollouts.values()) recount(rollout, rowsOf)
    for (const { facts } of devices) {
      const underWay = rowsOf((u) => u.deviceId === facts.deviceId && isUnderWay(u))
      assert.ok(underWay.length <= 1, 'two updates of a device at once')
    }
  }

  const run = ({ kind, pick, devices: asking }: Action) => {
    const list = [...rollouts.values()]
    const rollout = list[pick % list.length]!
    switch (kind) {
      case 'time':
        // Every fourth jumps back.
        now = new Date(now.getTime() + (pick % 4 === 0 ? -1 : 1) * (pick % 997) * 137)
        return
      case 'leave': {
        const device = devices[pick % devicesCount]!
        if (!device.isHere) return
        device.isHere = false
        device.wanted = null
        const { deviceId } = device.facts
        for (const from of list) {
          const open = rowsOf((u) => u.rolloutId === from.id && u.deviceId === deviceId)
          const end = { kind: 'superseded', code: 'device_moved' } as const
          const ended = endUpdates(from, open, end, now)
          write(ended.rollout === from ? [] : [ended.rollout], ended.changes)
        }
        return
      }
      case 'join':
        devices[pick % devicesCount]!.isHere = true
        return
      case 'go-beyond': {
        const device = devices[pick % devicesCount]!
        const counter = releases.length
        const { sha256 } = releaseOf(counter)
        device.wanted = null
        device.facts = {
          ...device.facts,
          sequence: device.facts.sequence + 1,
          running: { product: 'acme', sha256, counter },
          committedCounter: counter,
          activity: { state: 'committed', sha256, code: null },
        }
        return
      }
      case 'go-back':
        // Devices that have gone beyond say under their keys that they run the first release again.
        for (const index of asking) {
          const device = devices[index]!
          if (device.facts.committedCounter !== releases.length) continue
          device.wanted = null
          device.facts = {
            ...device.facts,
            sequence: device.facts.sequence + 1,
            running: { product: 'acme', sha256: releaseOf(1).sha256, counter: 1 },
            committedCounter: 1,
            activity: { state: 'idle', sha256: null, code: null },
          }
        }
        return
      case 'count':
        rollouts.set(rollout.id, count(rollout))
        return
      case 'check-ins': {
        const here = asking.filter((index) => devices[index]!.isHere)
        if (here.length === 0) return
        hearing = hear(hearing, now)
        words.push(now)
        const batch = here.map((index, i) => {
          devices[index]!.heardAt = now
          live(devices[index]!, pick + i * 31)
          holdBack(devices[index]!, pick + index * 17)
          const { facts } = devices[index]!
          return { ...facts, updates: rowsOf((u) => u.deviceId === facts.deviceId) }
        })
        const situation = { fleet, rollouts: rankRollouts(list, releases), releases, zones, now }
        const first = batch[0]!
        const decision = decideUpdate(first, situation)
        // Sentences take a thousand times as long as decisions.
        if (pick % 6 === 0) checkWhy(first, fleet, list, now, pick)
        const alone = settleRollouts(situation, [first])
        const answer = alone.answers.get(first.deviceId)!
        if (decision.kind === 'answer') {
          const { kind: _, ...expected } = decision
          assert.deepEqual([alone.rollouts, alone.changes], [[], []])
          assert.deepEqual(answer, expected)
        } else {
          assert.ok(alone.changes.length > 0, 'settled for nothing')
          if (decision.wish.kind === 'grant')
            assert.equal(answer.rolloutId, decision.wish.rolloutId)
        }
        const settled = settleRollouts(situation, batch)
        write(settled.rollouts, settled.changes)
        for (const index of here) {
          const device = devices[index]!
          device.wanted = settled.answers.get(device.facts.deviceId)?.release?.counter ?? null
        }
        return
      }
      case 'time-outs': {
        const due = rowsOf((u) => u.rolloutId === rollout.id)
        const ended = endUpdates(rollout, due, { kind: 'timed_out' }, now)
        return write(ended.rollout === rollout ? [] : [ended.rollout], ended.changes)
      }
      case 'plan': {
        // Mostly on what was counted some time before.
        const known = pick % 3 === 0 ? count(rollout) : rollout
        const silence = silenceOf(rollout.policy, fleet, hearing, now)
        const facts = {
          ...signed,
          isCountCurrent: isCountCurrent(silence, countedAt.get(rollout.id)),
        }
        let planned = known
        for (const step of planRollout(known, now, facts)) {
          if (step.kind === 'note_success') checkGate(planned, step.wave)
          if (step.kind === 'open_wave' && step.wave > 0) {
            const isApproved = planned.waves[step.wave]!.approvedAt !== null
            checkGate(planned, step.wave - 1, isApproved)
          }
          if (step.kind === 'finish') checkGate(planned, planned.waves.length - 1)
          planned = applyStep(planned, step, now)
        }
        assert.deepEqual(planRollout(planned, now, facts), [])
        rollouts.set(rollout.id, planned)
        return
      }
      case 'outage':
        // Nobody is heard, for longer than anybody would be waited for.
        now = new Date(now.getTime() + 700_000 + (pick % 97) * 20_000)
        return
      case 'pause':
        if (rollout.state === 'active') rollouts.set(rollout.id, pause(rollout, null, now))
        return
      case 'resume':
        if (rollout.state !== 'paused') return
        rollouts.set(rollout.id, resume(rollout, now))
        failures.get(rollout.id)!.clear()
        return
      case 'approve': {
        const wave = pick % rollout.waves.length
        if (rollout.state !== 'active' || !needsPerson(rollout, wave)) return
        if (rollout.waves[wave]!.approvedAt !== null) return
        rollouts.set(rollout.id, approveWave(rollout, wave, 'person_b', now))
      }
    }
  }
  return {
    run,
    gatesCount: () => gatesCount,
    offersCount: () => [...offers.values()].flat().length,
    rows,
  }
}

/** The sentence has no hole, and nothing is offered before the instant that it names. */
function checkWhy(
  facts: CheckInFacts,
  fleet: FleetPolicy,
  rollouts: readonly Rollout[],
  now: Date,
  pick: number,
): void {
  const situation = { fleet, rollouts: rankRollouts(rollouts, releases), releases, zones, now }
  const why = explain(facts, situation, 'UTC')
  assert.match(why.sentence, /^[a-z].*[^.]$/)
  assert.doesNotMatch(why.sentence, /undefined|null|NaN|Infinity|Invalid/)
  if (why.earliestAt === null) return
  const plan = (rollout: Rollout, at: Date) =>
    planRollout(rollout, at, signed).reduce((after, step) => applyStep(after, step, at), rollout)
  const span = why.earliestAt.getTime() - now.getTime()
  const before = new Date(now.getTime() + Math.floor((span * (pick % 97)) / 97))
  if (before.getTime() >= why.earliestAt.getTime()) return
  const planned = rollouts.map((rollout) => plan(plan(rollout, now), before))
  const then = { ...situation, rollouts: rankRollouts(planned, releases), now: before }
  const decision = decideUpdate(facts, then)
  assert.ok(decision.kind === 'answer' || decision.wish.rolloutId !== why.rolloutId, why.sentence)
}

/** The device does something, mostly what it was told. */
function live(device: Device, chance: number): void {
  const { wanted, facts } = device
  if (chance % 5 === 0) return
  const sequence = facts.sequence + 1
  const sha256 = wanted === null ? null : releaseOf(wanted).sha256
  const activity = (state: CheckInFacts['activity']['state'], code: string | null = null) => {
    const said = { state, sha256: sha256 ?? undefined, code: code ?? undefined }
    device.facts = { ...facts, sequence, activity: readActivity(said, asSignedSequence(sequence)) }
  }
  if (wanted === null || sha256 === null) return
  const part = chance % 13
  if (part < 5) return activity('downloading')
  switch (part) {
    case 5:
      return activity('installing')
    case 6:
      return activity('failed', 'no_space')
    case 7:
      return activity('rolled_back', 'health')
    default:
      device.facts = {
        ...facts,
        sequence,
        running: { product: 'acme', sha256, counter: wanted },
        committedCounter: wanted,
        activity: { state: 'committed', sha256, code: null },
      }
  }
}

/**
 * Now and then the device must first stop a release that it has in hand, or may not restart, or
 * reports without asking.
 */
function holdBack(device: Device, chance: number): void {
  const reasons = ['cancel_pending', 'restart_not_allowed', 'not_asked'] as const
  const exceptSha256 = chance % 2 === 0 ? null : releaseOf(2 + (chance % 3)).sha256
  const heldBack = chance % 7 < 5 ? null : { reason: reasons[chance % 3]!, exceptSha256 }
  device.facts = { ...device.facts, heldBack }
}

function countMembers(
  rollout: Rollout,
  devices: readonly Device[],
  rowsOf: (match: (update: Update) => boolean) => Update[],
  silence: Silence,
  now: Date,
): Rollout {
  const counter = createMemberCounter(rollout, findRelease(rollout, releases)!, silence, now)
  for (const { facts, heardAt } of devices) {
    const [update] = rowsOf((u) => u.rolloutId === rollout.id && u.deviceId === facts.deviceId)
    counter.add({ ...facts, heardAt, update: update ?? null })
  }
  const counts = counter.counts()
  return {
    ...rollout,
    firstPlace: counts.firstPlace,
    waves: rollout.waves.map((wave, index) => ({
      ...wave,
      waitingCount: counts.waves[index]!.waiting,
      silentCount: counts.waves[index]!.silent,
      movedSinceCount: 0,
    })),
  }
}

function isAccepted({ failuresAcceptedAt }: Rollout, update: Update): boolean {
  return (
    counterOf(update.state) === 'failedCount' &&
    failuresAcceptedAt !== null &&
    update.endedAt!.getTime() <= failuresAcceptedAt.getTime()
  )
}

function recount(rollout: Rollout, rowsOf: (match: (update: Update) => boolean) => Update[]) {
  assert.equal(contradictionOf(rollout), null)
  rollout.waves.forEach((progress, wave) => {
    const of = rowsOf((u) => u.rolloutId === rollout.id && u.wave === wave)
    const count = (counter: string) => of.filter((u) => counterOf(u.state) === counter).length
    const accepted = of.filter((u) => isAccepted(rollout, u)).length
    assert.deepEqual(
      {
        offered: progress.offeredCount,
        inFlight: progress.inFlightCount,
        healthy: progress.healthyCount,
        failed: progress.failedCount,
        accepted: progress.failuresAcceptedCount,
        superseded: progress.supersededCount,
      },
      {
        offered: of.length,
        inFlight: count('inFlightCount'),
        healthy: count('healthyCount'),
        failed: count('failedCount'),
        accepted,
        superseded: count('supersededCount'),
      },
    )
  })
}

/**
 * No period has more offers than allowed, and no interval more than a second's worth and what the
 * rate allows over its length.
 */
function checkPace(rollout: Rollout, offeredMs: readonly number[]) {
  const { perPeriod, rate } = rollout.policy
  if (perPeriod !== null) {
    const inPeriod = Map.groupBy(offeredMs, (ms) =>
      Math.floor((ms - rollout.startAt.getTime()) / (perPeriod.seconds * 1000)),
    )
    for (const list of inPeriod.values()) {
      assert.ok(list.length <= perPeriod.updatesMax, 'more than a period allows')
    }
  }
  if (rate === null) return
  const perMinute = rate.kind === 'constant' ? rate.perMinute : rate.perMinuteMax
  const burst = Math.max(1, Math.floor(perMinute / 60))
  const lastMs = offeredMs.at(-1)!
  for (let from = 0; from < offeredMs.length; from += 1) {
    const count = offeredMs.length - from
    const allowed = burst + ((lastMs - offeredMs[from]!) * perMinute) / 60_000
    assert.ok(count <= allowed + 1e-6, 'more than the rate allows')
  }
}

const rolloutIn = (policy: RolloutPolicy, id: string, counter: number, startSeconds: number) =>
  createRollout({
    id,
    fleet: 'shops',
    release: releases[counter - 1]!,
    policy,
    createdBy: 'person_a',
    startAt: secondsOn(startSeconds),
    wayBackOf: null,
    now: startAt,
  })

test('D3 limits, gates and safe mode hold exactly, over one set, whoever joins, leaves or is silent, and nothing counts that was not shown (property)', () => {
  let offersCount = 0
  let gatesCount = 0
  fc.assert(
    fc.property(anyPolicy, anyStory, (policy, story) => {
      const world = createWorld(fleetOf({ pollSeconds: 20 }), [
        rolloutIn(policy, 'rollout_a', 2, 5),
      ])
      for (const action of story) world.run(action)
      offersCount += world.offersCount()
      gatesCount += world.gatesCount()
    }),
    { numRuns: 1000 },
  )
  // Some 3,200 and 500 as a rule, 150 and 40 up or down.
  assert.ok(offersCount > 2400, `${offersCount} offers: the stories say too little`)
  assert.ok(gatesCount > 300, `${gatesCount} gates: the stories say too little`)
})

/**
 * No failure and no window stops these rollouts, so that much is under way when the emergency
 * begins.
 */
const unstoppable = { waves: policyOf().waves, windows: null, safeMode: false, failuresMax: null }

test('D11 an emergency overtakes, and both rollouts stay within their limits (property)', () => {
  let overtakenCount = 0
  fc.assert(
    fc.property(anyPolicy, anyPolicy, anyStory, (policy, emergency, story) => {
      const world = createWorld(fleetOf({ pollSeconds: 20 }), [
        rolloutIn({ ...policy, ...unstoppable }, 'rollout_a', 2, 0),
        rolloutIn({ ...emergency, isEmergency: true }, 'rollout_b', 3, 60),
      ])
      for (const action of story) world.run(action)
      overtakenCount += [...world.rows.values()].filter((u) => u.code === 'overtaken').length
    }),
    { numRuns: 1000 },
  )
  // Some 46 as a rule, 8 up or down.
  assert.ok(overtakenCount > 8, `${overtakenCount} overtaken: the stories say too little`)
})
