/** How many devices wait in each wave, for gates that ask whether any more devices are to come. */
import type { MemberCounter, MemberCounts, Rollout, Silence } from '@seaworthy/fleet/rollouts'
import {
  contradictionOf,
  createMemberCounter,
  findRelease,
  isCountCurrent,
  isCountMissing,
  silenceOf,
} from '@seaworthy/fleet/rollouts'
import { minOf } from '@seaworthy/std/numbers'
import { getFleet } from '../../db/fleets.ts'
import { getHearing } from '../../db/hearing.ts'
import {
  listFleetMembers,
  listMembersCounted,
  listMembersWithUpdates,
  writeMembersCounted,
} from '../../db/rollout-members.ts'
import { listLiveRollouts, lockRollouts, notifyRollouts, writeRollout } from '../../db/rollouts.ts'
import { secondMs } from '@seaworthy/std/time'
import type { App } from '../app.ts'

type Deps = Pick<App, 'db' | 'releases' | 'clock'> & {
  readonly log: Pick<App['log'], 'error'>
  readonly rollouts: Pick<App['rollouts'], 'put'>
}

const pageSize = 10_000
const recountMs = 10 * secondMs
/**
 * After a count, the fleet is left alone for this many times as long as the count took, so counting
 * takes at most 1 % of the time.
 */
const restFactor = 99

/**
 * When each fleet may be counted again, by the monotonic clock. The caller keeps it between counts.
 */
export type CountingTimes = Map<string, number>

/**
 * Counts the rollouts that were never counted, those whose count is ten seconds old, and at once
 * those where a gate waits only for a count.
 */
export async function countDueMembers(deps: Deps, restUntilMs: CountingTimes): Promise<void> {
  const { db, clock } = deps
  // The time is the database's, as is everything that is compared with it.
  const { hearing, now } = await db.write(async (tx) => ({
    hearing: await getHearing(tx),
    now: await tx.now(),
  }))
  const all = await db.readSnapshot((tx) => listLiveRollouts(tx))
  const active = all.filter(({ state }) => state === 'active' || state === 'paused')
  const countedAt = await listMembersCounted(
    db.reader,
    active.map(({ id }) => id),
  )
  for (const [fleet, rollouts] of Map.groupBy(active, (rollout) => rollout.fleet)) {
    const { pollSeconds } = (await getFleet(db.reader, fleet))!
    const silences = new Map(
      rollouts.map(({ id, policy }) => [id, silenceOf(policy, { pollSeconds }, hearing, now)]),
    )
    const isNew = rollouts.some(({ id }) => !countedAt.has(id))
    const oldest = minOf(rollouts.map(({ id }) => countedAt.get(id)?.getTime() ?? 0))
    const isDue =
      now.getTime() - oldest >= recountMs ||
      rollouts.some(
        (one) =>
          isCountMissing(one) || !isCountCurrent(silences.get(one.id)!, countedAt.get(one.id)),
      )
    const mayCount = clock.monotonicMs() >= (restUntilMs.get(fleet) ?? 0)
    if (!isNew && !(isDue && mayCount)) continue
    const startedMs = clock.monotonicMs()
    await countMembers(deps, rollouts, silences, now)
    const endedMs = clock.monotonicMs()
    restUntilMs.set(fleet, endedMs + (endedMs - startedMs) * restFactor)
  }
}

/**
 * Counts rollouts of one fleet in one pass over its devices, without a lock and with other work in
 * between. The next count corrects what was counted about a device that moved meanwhile.
 */
async function countMembers(
  deps: Deps,
  rollouts: readonly Rollout[],
  silences: ReadonlyMap<string, Silence>,
  startedAt: Date,
): Promise<void> {
  const { db, releases, log } = deps
  const counters = new Map<string, MemberCounter>()
  for (const rollout of rollouts) {
    const release = findRelease(rollout, releases.of(rollout))
    if (release === null) continue
    const silence = silences.get(rollout.id)!
    counters.set(rollout.id, createMemberCounter(rollout, release, silence, startedAt))
  }
  const { fleet } = rollouts[0]!
  for (let after = '', isMore = counters.size > 0; isMore;) {
    const page = await listFleetMembers(db.reader, { fleet, after, limit: pageSize })
    const upTo = page.at(-1)?.deviceId ?? after
    for (const [rollout, counter] of counters) {
      const updates = await listMembersWithUpdates(db.reader, { rollout, after, upTo })
      for (const device of page) {
        counter.add({ ...device, update: updates.get(device.deviceId) ?? null })
      }
      await new Promise((resolve) => setImmediate(resolve))
    }
    isMore = page.length === pageSize
    after = upTo
  }
  const changed = await db.write(async (tx) => {
    const changes: Rollout[] = []
    for (const before of await lockRollouts(tx, [...counters.keys()])) {
      const counts = counters.get(before.id)!.counts()
      const known = rollouts.find(({ id }) => id === before.id)!
      // Its waves may no longer be those that were counted.
      if (known.policyVersion !== before.policyVersion) continue
      const after = setMembers(before, known, counts)
      await writeRollout(tx, before, after)
      await writeMembersCounted(tx, before.id, startedAt)
      if (after !== before) changes.push(after)
      const wrong = contradictionOf(after)
      if (wrong !== null) log.error('rollout.counters-wrong', { rollout: after.id, wrong })
    }
    await notifyRollouts(
      tx,
      changes.map(({ id }) => id),
    )
    return changes
  })
  deps.rollouts.put(changed)
}

/**
 * Corrects a count: a device that got or lost an update meanwhile may or may not be included in it.
 */
function setMembers(rollout: Rollout, known: Rollout, counts: MemberCounts): Rollout {
  const waves = rollout.waves.map((progress, wave) => {
    const { waiting, silent } = counts.waves[wave]!
    const before = known.waves[wave]!
    const moved = Math.max(0, progress.movedSinceCount - before.movedSinceCount)
    const left = Math.max(0, progress.supersededCount - before.supersededCount)
    return {
      ...progress,
      waitingCount: waiting + Math.min(left, moved),
      silentCount: silent,
      movedSinceCount: moved,
    }
  })
  const { firstPlace } = counts
  const isSame =
    firstPlace === rollout.firstPlace &&
    waves.every(({ waitingCount, silentCount, movedSinceCount }, wave) => {
      const before = rollout.waves[wave]!
      return (
        waitingCount === before.waitingCount &&
        silentCount === before.silentCount &&
        movedSinceCount === before.movedSinceCount
      )
    })
  return isSame ? rollout : { ...rollout, firstPlace, waves, revision: rollout.revision + 1 }
}
