/**
 * Rollouts and signed releases in memory, for decisions that read no row. They may be a little old:
 * they only filter out devices that would get nothing anyway; all others are decided under the lock
 * (RFD 12).
 */
import type { ReleaseFacts } from '@seaworthy/fleet/releases'
import { isBelowFloor } from '@seaworthy/fleet/releases'
import type { FleetRollout, Rollout } from '@seaworthy/fleet/rollouts'
import { isDone, rankRollouts } from '@seaworthy/fleet/rollouts'
import type { Sleep } from '@seaworthy/std/time'
import type { Release } from '@seaworthy/trust/tuf'
import { channelMarks, channelRole } from '@seaworthy/trust/tuf'
import type { Db } from '../../db/connection.ts'
import { getRollouts, listLiveRollouts } from '../../db/rollouts.ts'
import type { TrustState, RolloutTable, ReleaseTable } from '../app.ts'
import { createSingleflight } from '../worker/index.ts'

interface Ranked {
  readonly rollouts: readonly Rollout[]
  /** The releases that the rollouts were ranked with. */
  from: readonly ReleaseFacts[] | undefined
  ranked: readonly FleetRollout[]
}

const none: readonly FleetRollout[] = []

/** The shortest time between two reads of changed rollouts. */
const reloadPauseMs = 100

export function createRolloutTable(deps: {
  db: Db
  releases: ReleaseTable
  sleep: Sleep
  onFailure: (error: unknown) => void
}): RolloutTable {
  const { db, releases, sleep, onFailure } = deps
  let byId = new Map<string, Rollout>()
  let byFleet = new Map<string, Ranked>()
  let changed = new Set<string>()
  let isReading = false
  /**
   * Ids of the rollouts learnt about while everything is read anew; what is known of them is newer
   * than what that read finds.
   */
  let learnt: Set<string> | undefined

  const refreshFleets = () => {
    const grouped = Map.groupBy(byId.values(), ({ fleet }) => fleet)
    byFleet = new Map(
      [...grouped].map(([fleet, rollouts]) => [fleet, { rollouts, from: undefined, ranked: [] }]),
    )
  }
  const keep = (rollout: Rollout) => {
    const known = byId.get(rollout.id)
    if (known !== undefined && known.revision > rollout.revision) return
    learnt?.add(rollout.id)
    if (isDone(rollout)) byId.delete(rollout.id)
    else byId.set(rollout.id, rollout)
  }
  const readChanged = async () => {
    isReading = true
    let ids: readonly string[] = []
    try {
      while (changed.size > 0) {
        ids = [...changed]
        changed = new Set()
        const rollouts = await db.readSnapshot((tx) => getRollouts(tx, ids))
        for (const rollout of rollouts) keep(rollout)
        refreshFleets()
        await sleep(reloadPauseMs)
      }
    } catch (error) {
      // They are read again with the next change, or when listening begins again.
      for (const id of ids) changed.add(id)
      onFailure(error)
    } finally {
      isReading = false
    }
  }
  return {
    of(fleet) {
      const known = byFleet.get(fleet.name)
      if (known === undefined) return none
      const from = releases.of(fleet)
      if (known.from !== from) {
        known.from = from
        known.ranked = rankRollouts(known.rollouts, from)
      }
      return known.ranked
    },
    put(rollouts) {
      for (const rollout of rollouts) keep(rollout)
      refreshFleets()
    },
    markChanged(id) {
      changed.add(id)
      if (!isReading) void readChanged()
    },
    reload: createSingleflight(async () => {
      const newer = new Set<string>()
      learnt = newer
      const rollouts = await db.readSnapshot((tx) => listLiveRollouts(tx))
      const known = byId
      byId = new Map()
      for (const rollout of rollouts) {
        if (!newer.has(rollout.id)) byId.set(rollout.id, rollout)
      }
      for (const id of newer) {
        const rollout = known.get(id)
        if (rollout !== undefined) byId.set(id, rollout)
      }
      if (learnt === newer) learnt = undefined
      refreshFleets()
    }),
  }
}

const noReleases: readonly ReleaseFacts[] = []

/**
 * Follows the verified metadata in memory. The list of a channel is made anew only when the channel
 * has changed.
 */
export function createReleaseTable(trust: {
  readonly state: () => Pick<TrustState, 'roles' | 'releases'> | undefined
}): ReleaseTable {
  const made = new Map<string, { from: readonly Release[]; releases: readonly ReleaseFacts[] }>()
  return {
    of({ product, channel }) {
      const role = channelRole(product, channel)
      const state = trust.state()
      const from = state?.releases.get(role)
      const metadata = state?.roles.get(role)
      if (from === undefined || metadata === undefined) return noReleases
      const known = made.get(role)
      if (known?.from === from) return known.releases
      const floor = channelMarks(metadata.signed).floorHighest
      const releases = from
        .filter((release) => !isBelowFloor(release, { floor }))
        .map((release) => ({ ...release, targetPath: release.path }))
      made.set(role, { from, releases })
      return releases
    },
  }
}
