/**
 * What must hold of a rollout's rows after every step, counted again from the rows of the devices
 * and their events.
 */
import assert from 'node:assert/strict'
import type { Rollout } from '@seaworthy/fleet/rollouts'
import type { Db } from '@seaworthy/server/testing'
import { readRollout } from '@seaworthy/server/testing'

interface Recount {
  wave: number
  offered: number
  inFlight: number
  healthy: number
  failed: number
  superseded: number
  givenUp: number
  attempts: number
}

interface Event {
  id: number
  device: string
  wave: number
  attempt: number
  state: string
  code: string | null
  at: Date
}

/** The memory that one check hands to the next. */
export interface Seen {
  readonly state: Rollout['state']
  /** Id of the last event. */
  readonly eventId: number
  /** Failures that were accepted by resuming. */
  readonly acceptedEventId: number
}

export const nothingSeen: Seen = { state: 'active', eventId: 0, acceptedEventId: 0 }

const stateAfter = { pause: 'paused', resume: 'active' } as const

const ends = ['rolled_back', 'failed', 'timed_out']

/** What a person did before the step, while nothing else happened. */
export interface Steering {
  readonly how: 'pause' | 'resume'
  /** Id of the last event before it. */
  readonly eventId: number
}

/** Counts the limits again. Throws `AssertionError`. */
export async function checkLimits(
  db: Db,
  id: string,
  before: Seen,
  steering: Steering | null,
): Promise<Seen> {
  const rollout = await readRollout(db, id)
  assert.ok(rollout !== undefined)
  await checkCounters(db, rollout)
  const { sql } = db.reader
  const events = await sql<Event[]>`
    select e.id, e.device, u.wave, e.attempt, e.state, e.code, e.at
    from update_events e join updates u on u.rollout = e.rollout and u.device = e.device
    where e.rollout = ${id} order by e.id`
  checkEvents(rollout, events)
  await checkGates(db, rollout, events)
  const eventId = events.at(-1)?.id ?? 0
  const offers = events.filter(({ state }) => state === 'offered')
  const fresh = offers.filter((event) => event.id > before.eventId)
  const stateBefore = steering === null ? before.state : stateAfter[steering.how]
  if (stateBefore !== 'active') {
    assert.equal(fresh.length, 0, `nothing is offered while the rollout is ${stateBefore}`)
  }
  const acceptedEventId = steering?.how === 'resume' ? steering.eventId : before.acceptedEventId
  checkStops(rollout, events, acceptedEventId)
  return { state: rollout.state, eventId, acceptedEventId }
}

async function checkCounters(db: Db, rollout: Rollout): Promise<void> {
  const rows = await db.reader.sql<Recount[]>`
    select wave,
      count(*) filter (where code is distinct from 'already_running' or exists (
        select from update_events e
        where e.rollout = u.rollout and e.device = u.device and e.state = 'offered'
      )) as offered,
      count(*) filter (where ended_at is null) as "inFlight",
      count(*) filter (where state = 'committed') as healthy,
      count(*) filter (where state in ('rolled_back', 'failed', 'timed_out')) as failed,
      count(*) filter (where state = 'superseded') as superseded,
      count(*) filter (where state = 'superseded' and code <> 'newer') as "givenUp", max(attempt) as attempts
    from updates u where rollout = ${rollout.id} group by wave`
  const { policy } = rollout
  let inFlight = 0
  for (const [index, progress] of rollout.waves.entries()) {
    const row = rows.find(({ wave }) => wave === index)
    const counted = {
      offered: progress.offeredCount,
      inFlight: progress.inFlightCount,
      healthy: progress.healthyCount,
      failed: progress.failedCount,
      superseded: progress.supersededCount,
    }
    const { offered = 0, inFlight: open = 0, healthy = 0, failed = 0, superseded = 0 } = row ?? {}
    assert.deepEqual(counted, { offered, inFlight: open, healthy, failed, superseded })
    inFlight += open
    assert.ok((row?.attempts ?? 0) <= policy.attempts.max + (row?.givenUp ?? 0), 'attempts')
    const { members } = policy.waves[index]!
    if (members.kind === 'count')
      assert.ok(offered - superseded <= members.count, 'a wave by count')
    if (index >= rollout.wavesOpenCount) assert.equal(offered, 0, 'a wave that is not open')
  }
  assert.ok(inFlight <= (policy.inFlightMax ?? Infinity), `${inFlight} in flight`)
}

interface Opening {
  /** Number of the wave, counted from 1. */
  readonly wave: number
  readonly gate: { readonly healthy: number; readonly of: number } | null
}

/**
 * Checks that, by the log's own figures, no wave opened on less than the rule of the one before,
 * and that those figures are of real updates.
 */
async function checkGates(db: Db, rollout: Rollout, events: readonly Event[]): Promise<void> {
  const openings = await db.reader.sql<{ detail: Opening }[]>`
    select convert_from(entry, 'UTF8')::jsonb -> 'detail' as detail from audit_entries
    where convert_from(entry, 'UTF8')::jsonb ->> 'subject' = ${rollout.id}
      and convert_from(entry, 'UTF8')::jsonb ->> 'action' = 'rollout.open-wave'`
  assert.equal(openings.length, rollout.wavesOpenCount, 'each wave opened once')
  for (const { detail } of openings) {
    const { wave, gate } = detail
    if (gate === null) continue
    const before = wave - 2
    const { healthy, of } = gate
    const { successPercentMin } = rollout.policy.waves[before]!.gate
    assert.ok(healthy <= of, `${healthy} healthy of ${of}`)
    assert.ok(healthy * 100 >= of * successPercentMin, 'a gate that was not met')
    const openedAt = rollout.waves[wave - 1]!.openedAt!
    const known = events.filter((event) => event.wave === before && event.at <= openedAt)
    const committed = known.filter(({ state }) => state === 'committed').length
    assert.ok(committed >= healthy, `${committed} had committed, and the gate counted ${healthy}`)
    if (!known.some(({ state }) => state === 'offered')) continue
    const verdicts = known.filter(({ state }) => state === 'committed' || ends.includes(state))
    assert.ok(verdicts.length > 0, 'a wave that had devices was passed with nothing known')
  }
}

function checkEvents(rollout: Rollout, events: readonly Event[]): void {
  const { inFlightMax, perPeriod, rate, safeMode } = rollout.policy
  const offers = events.filter(({ state }) => state === 'offered')
  for (const [i, { at }] of events.entries()) {
    assert.ok(i === 0 || at >= events[i - 1]!.at, 'time inside a rollout never runs backwards')
  }
  const peak = peakOf(events)
  assert.ok(inFlightMax === null || peak <= inFlightMax, `${peak} in flight at once`)
  if (perPeriod !== null) {
    const periods = Map.groupBy(offers, ({ at }) =>
      Math.floor((at.getTime() - rollout.startAt.getTime()) / (perPeriod.seconds * 1000)),
    )
    for (const [period, { length }] of periods) {
      assert.ok(length <= perPeriod.updatesMax, `${length} offers in period ${period}`)
    }
  }
  if (rate !== null) {
    const perMinute = rate.kind === 'constant' ? rate.perMinute : rate.perMinuteMax
    checkRate(offers, perMinute)
  }
  if (safeMode) {
    let underWay = 0
    let healthy = 0
    for (const event of events) {
      underWay += stepOf(event)
      if (event.state === 'committed') healthy += 1
      if (healthy === 0) assert.ok(underWay <= 1, 'safe mode tries one device at a time')
    }
  }
}

/**
 * What an event adds to the updates under way. A device found running the release was offered
 * nothing, or its attempt had ended.
 */
function stepOf({ state, code }: Event): number {
  if (state === 'offered') return 1
  const isEnd = state === 'committed' || state === 'superseded' || ends.includes(state)
  return isEnd && code !== 'already_running' ? -1 : 0
}

/** The most updates that were ever under way; of one instant, what ended counts first. */
function peakOf(events: readonly Event[]): number {
  let underWay = 0
  let peak = 0
  const steps = events.map((event) => ({ atMs: event.at.getTime(), step: stepOf(event) }))
  for (const { step } of steps.sort((a, b) => a.atMs - b.atMs || a.step - b.step)) {
    underWay += step
    peak = Math.max(peak, underWay)
  }
  return peak
}

/**
 * Checks that in any span of time at most its share is offered, after a burst of one second's
 * worth.
 */
function checkRate(offers: readonly Event[], perMinute: number): void {
  const everyMs = 60_000 / perMinute
  const burst = Math.max(1, Math.floor(perMinute / 60))
  let nextMs = -Infinity
  for (const { at } of offers) {
    const atMs = at.getTime()
    // Instants are stored in whole milliseconds.
    assert.ok(
      atMs >= nextMs - (burst - 1) * everyMs - 1,
      'an offer came earlier than the rate allows',
    )
    nextMs = Math.max(nextMs, atMs) + everyMs
  }
}

/**
 * Checks that nothing is offered after the failure that stops a rollout, unless a person resumed
 * it.
 */
function checkStops(rollout: Rollout, events: readonly Event[], acceptedEventId: number): void {
  const { safeMode, failuresMax } = rollout.policy
  const limit = safeMode ? 0 : failuresMax
  if (limit === null) return
  const failed = new Set<string>()
  for (const { id, device, state } of events) {
    if (id <= acceptedEventId) continue
    if (state === 'offered') {
      // A next attempt takes the device out of the failed ones, if the budget still allows one.
      assert.ok(failed.size <= limit, `an offer after ${failed.size} failures`)
      failed.delete(device)
    } else if (ends.includes(state)) failed.add(device)
    else if (state === 'committed') failed.delete(device)
  }
}
