/**
 * What a device gets at a check-in, whatever protocol it speaks. It is decided from memory where
 * nothing can change, otherwise under the locks of its fleet's rollouts, many devices in one
 * transaction (RFD 12). A caller answers a device only after `decideFor` has resolved.
 */
import type { FleetPolicy } from '@seaworthy/fleet/fleets'
import type { Answer, CheckInFacts, Settled, Zones } from '@seaworthy/fleet/rollouts'
import { decideUpdate, rankRollouts, settleRollouts } from '@seaworthy/fleet/rollouts'
import type { Db, WriteTx } from '../../db/connection.ts'
import { isSerializationFailure, isUnreachable } from '../../db/connection.ts'
import { getFleet } from '../../db/fleets.ts'
import { lockFleetRollouts } from '../../db/rollouts.ts'
import { listUpdates, lockDeviceUpdates } from '../../db/updates.ts'
import type { App, Ports, RolloutTable, ReleaseTable, Settlements } from '../app.ts'
import type { SettlementObserver } from '../metrics/index.ts'
import { refusalOf } from '../refusals.ts'
import type { Batches, GatheringTimes } from '../worker/index.ts'
import { createBatches } from '../worker/index.ts'
import { writeWorked } from './update-changes.ts'

/**
 * Decides, after writing what follows from it. Throws `unavailable` when that could not be written.
 */
export async function decideFor(
  app: Pick<App, 'rollouts' | 'releases' | 'settlements' | 'zones'>,
  facts: CheckInFacts,
  fleet: FleetPolicy,
  now: Date,
): Promise<Answer> {
  const rollouts = app.rollouts.of(fleet)
  const releases = app.releases.of(fleet)
  const decision = decideUpdate(facts, { fleet, rollouts, releases, zones: app.zones, now })
  if (decision.kind === 'answer') return decision
  return app.settlements.settle(fleet.name, facts)
}

interface SettlementDeps {
  readonly db: Db
  readonly zones: Zones
  readonly rollouts: Pick<RolloutTable, 'put'>
  readonly releases: ReleaseTable
  /** The observer, where somebody counts and traces. */
  readonly observer?: SettlementObserver
}

interface Waiting {
  readonly facts: CheckInFacts
  /** The place in the order of arrival, in which a batch is decided. */
  readonly place: number
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: unknown) => void
}

/**
 * A transaction locks the rollouts of its fleet: waiting for more devices would hold the fleet up.
 */
const times: GatheringTimes = { usualMs: 0, fewMs: 0 }
const batchMax = 500

/**
 * Only check-ins whose report is stored come here, so the queue of the reports is the back-pressure
 * of these batches too. There is one queue for each fleet; that of a removed one stays, and is
 * empty.
 */
export function createSettlements(
  deps: SettlementDeps,
  ports: Pick<Ports, 'clock' | 'sleep'>,
): Settlements {
  const queues = new Map<string, Batches<Waiting>>()
  let placesCount = 0

  const queueOf = (fleet: string): Batches<Waiting> => {
    const known = queues.get(fleet)
    if (known !== undefined) return known
    const queue = createBatches<Waiting>(ports, {
      keyOf: ({ facts }) => facts.deviceId,
      ...{ times, batchMax },
      write: (batch) =>
        settleBatch(
          deps,
          fleet,
          batch.toSorted((a, b) => a.place - b.place),
        ),
    })
    queues.set(fleet, queue)
    return queue
  }
  return {
    settle: (fleet, facts) =>
      new Promise((resolve, reject) => {
        queueOf(fleet).add({ facts, place: placesCount++, resolve, reject })
      }),
  }
}

async function settleBatch(
  deps: SettlementDeps,
  fleet: string,
  batch: readonly Waiting[],
): Promise<void> {
  const facts = batch.map((waiting) => waiting.facts)
  try {
    const settle = () => settleOrRetry(deps, fleet, facts)
    const settled = await (deps.observer?.settle(facts.length, settle) ?? settle())
    deps.rollouts.put(settled.rollouts)
    for (const { facts: of, resolve } of batch) {
      resolve(settled.answers.get(of.deviceId) ?? stay)
    }
  } catch (error) {
    for (const { reject } of batch) reject(refusalOf(error))
  }
}

/** The answer for a device that was removed or moved in the meantime; it asks again. */
const stay: Answer = { release: null, reason: 'no_rollout', rolloutId: null }

/**
 * A transaction that lost its connection may have been committed or not; settling again changes
 * nothing twice.
 */
async function settleOrRetry(
  deps: SettlementDeps,
  fleet: string,
  batch: readonly CheckInFacts[],
): Promise<Settled> {
  const settle = () => deps.db.write((tx) => settleUnderLock(deps, tx, fleet, batch))
  try {
    return await settle()
  } catch (error) {
    if (!isUnreachable(error) && !isSerializationFailure(error)) throw error
    return settle()
  }
}

const nothingSettled: Settled = {
  ...{ rollouts: [], changes: [], answers: new Map(), updates: new Map() },
}

async function settleUnderLock(
  deps: SettlementDeps,
  tx: WriteTx,
  fleetName: string,
  batch: readonly CheckInFacts[],
): Promise<Settled> {
  const devices = batch.map(({ deviceId }) => deviceId)
  const rollouts = await lockFleetRollouts(tx, fleetName)
  const fleet = await getFleet(tx, fleetName)
  // Its last devices were moved or removed, and then the fleet, while their reports waited.
  if (fleet === undefined) return nothingSettled
  const stored = await lockDeviceUpdates(tx, devices)
  const updates = Map.groupBy(
    await listUpdates(tx, { rollouts: rollouts.map(({ id }) => id), devices }),
    ({ deviceId }) => deviceId,
  )
  // Devices that were removed or moved since the report was stored get no decision here.
  const present = batch
    .filter(({ deviceId }) => stored.get(deviceId)?.fleet === fleetName)
    .map((facts) => ({ ...facts, updates: updates.get(facts.deviceId) ?? [] }))
  const releases = deps.releases.of(fleet)
  const ranked = rankRollouts(rollouts, releases)
  const situation = { fleet, rollouts: ranked, releases, zones: deps.zones, now: await tx.now() }
  const settled = settleRollouts(situation, present)
  const { rollouts: after, changes, updates: copies } = settled
  await writeWorked(tx, { before: rollouts, after, changes, updates: copies, stored })
  return settled
}
