/** How many devices belong to each wave, for gates that ask for a share of the members. */
import type { MemberCounter, Rollout } from '@seaworthy/fleet/rollouts'
import { createMemberCounter, findRelease } from '@seaworthy/fleet/rollouts'
import {
  listFleetMembers,
  listMembersCounted,
  listMembersWithUpdates,
  writeMembersCounted,
} from '../db/rollout-members.ts'
import {
  listUnsettledRollouts,
  lockRollouts,
  notifyRollouts,
  writeRollout,
} from '../db/rollouts.ts'
import { secondMs } from '@seaworthy/std/time'
import type { App } from './app.ts'

type Deps = Pick<App, 'db' | 'releases' | 'clock'> & {
  readonly rollouts: Pick<App['rollouts'], 'put'>
}

const pageSize = 10_000
const recountMs = 10 * secondMs
/** Counting takes at most one part in so many of the time. */
const restFactor = 99

/** When each fleet may be counted again, by the clock that only grows. Kept by whoever counts from time to time. */
export type CountingTimes = Map<string, number>

/** Counts the rollouts that were never counted, and again those whose count is ten seconds old. */
export async function countDueMembers(deps: Deps, restUntilMs: CountingTimes): Promise<void> {
  const { db, clock } = deps
  const all = await db.readSnapshot((tx) => listUnsettledRollouts(tx))
  const active = all.filter(({ state }) => state === 'active' || state === 'paused')
  const countedAt = await listMembersCounted(
    db.reader,
    active.map(({ id }) => id),
  )
  for (const [fleet, rollouts] of Map.groupBy(active, (rollout) => rollout.fleet)) {
    const isNew = rollouts.some(({ id }) => !countedAt.has(id))
    const oldest = Math.min(...rollouts.map(({ id }) => countedAt.get(id)?.getTime() ?? 0))
    const isDue = clock.now().getTime() - oldest >= recountMs
    const mayCount = clock.monotonicMs() >= (restUntilMs.get(fleet) ?? 0)
    if (!isNew && !(isDue && mayCount)) continue
    const startedMs = clock.monotonicMs()
    await countMembers(deps, rollouts)
    const endedMs = clock.monotonicMs()
    restUntilMs.set(fleet, endedMs + (endedMs - startedMs) * restFactor)
  }
}

/**
 * Counts rollouts of one fleet in one pass over its devices, without a lock and with other work in between: what was
 * said of a device that moved meanwhile is put right by the next count.
 */
async function countMembers(deps: Deps, rollouts: readonly Rollout[]): Promise<void> {
  const { db, releases, clock } = deps
  const counters = new Map<string, MemberCounter>()
  for (const rollout of rollouts) {
    const release = findRelease(rollout, releases.of(rollout))
    if (release !== null) counters.set(rollout.id, createMemberCounter(rollout, release))
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
  const at = clock.now()
  const changed = await db.write(async (tx) => {
    const changes: Rollout[] = []
    for (const before of await lockRollouts(tx, [...counters.keys()])) {
      const counts = counters.get(before.id)!.counts()
      const after = setMembers(before, counts)
      await writeRollout(tx, before, after)
      await writeMembersCounted(tx, before.id, at)
      if (after !== before) changes.push(after)
    }
    await notifyRollouts(
      tx,
      changes.map(({ id }) => id),
    )
    return changes
  })
  deps.rollouts.put(changed)
}

function setMembers(rollout: Rollout, counts: readonly number[]): Rollout {
  if (rollout.waves.every(({ membersCount }, wave) => membersCount === counts[wave])) return rollout
  return {
    ...rollout,
    waves: rollout.waves.map((progress, wave) => ({ ...progress, membersCount: counts[wave]! })),
    revision: rollout.revision + 1,
  }
}
