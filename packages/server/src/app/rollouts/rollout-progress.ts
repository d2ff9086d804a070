/**
 * What rollouts do without anybody asking: updates time out, gates are judged, waves open, rollouts
 * end. Steps are planned on what is read without a lock and planned again under it, because only
 * that counts.
 */
import type { FleetPolicy } from '@seaworthy/fleet/fleets'
import type { Rollout, Step } from '@seaworthy/fleet/rollouts'
import {
  applyStep,
  endUpdates,
  findRelease,
  isCountCurrent,
  nextBaseline,
  planRollout,
  silenceOf,
  successOf,
} from '@seaworthy/fleet/rollouts'
import { appendAudit } from '../../db/audit-log.ts'
import type { WriteTx } from '../../db/connection.ts'
import { getHearing } from '../../db/hearing.ts'
import { listMembersCounted } from '../../db/rollout-members.ts'
import { lockFleet, notifyFleets, setBaseline } from '../../db/fleets.ts'
import { listLiveRollouts, lockRollouts, notifyRollouts, writeRollout } from '../../db/rollouts.ts'
import { listOverdueUpdates, listUpdates, lockDeviceUpdates } from '../../db/updates.ts'
import type { App } from '../app.ts'
import { countEnded } from '../metrics/index.ts'
import { releaseSlot } from '../restarts/index.ts'
import { describeProgress } from './rollout-views.ts'
import { auditStop, parseUpdates, writeWorked } from './update-changes.ts'

type Deps = Pick<App, 'db' | 'clock' | 'releases'> & {
  readonly trust: Pick<App['trust'], 'freshState'>
  readonly health: Pick<App['health'], 'hasProblem'>
  readonly rollouts: Pick<App['rollouts'], 'put'>
  readonly metrics?: Pick<App['metrics'], 'updatesEnded'>
}

const overduePageMax = 1000

/** Does one round; it is idempotent, and safe to stop anywhere. */
export async function moveRollouts(app: Deps): Promise<void> {
  await timeOutUpdates(app)
  const rollouts = await app.db.readSnapshot((tx) => listLiveRollouts(tx))
  if (rollouts.length === 0) return
  // A release that was published a moment ago must not be mistaken for a withdrawn one.
  const isUnsigned = (rollout: Rollout) => findRelease(rollout, app.releases.of(rollout)) === null
  if (rollouts.some(isUnsigned)) await app.trust.freshState()
  for (const rollout of rollouts) {
    // The plan assumes that the count is current, which is checked under the lock.
    const steps = planFor(app, rollout, app.clock.now(), true)
    if (steps.length > 0) await moveRollout(app, rollout)
  }
}

/**
 * Plans the next steps. While the stored metadata does not verify, no release counts as withdrawn:
 * what is offered is verified by itself.
 */
function planFor(
  app: Pick<Deps, 'releases' | 'health'>,
  rollout: Rollout,
  now: Date,
  isCurrent: boolean,
): Step[] {
  const isReleaseSigned =
    app.health.hasProblem('metadata') || findRelease(rollout, app.releases.of(rollout)) !== null
  return planRollout(rollout, now, { isReleaseSigned, isCountCurrent: isCurrent })
}

async function moveRollout(app: Deps, known: Rollout): Promise<void> {
  const moved = await app.db.write(async (tx) => {
    // The fleet is locked first, as everywhere that needs both locks.
    const fleet = await lockFleet(tx, known.fleet)
    const [before] = await lockRollouts(tx, [known.id])
    if (before === undefined || fleet === undefined) return undefined
    const now = await tx.now()
    const isCurrent = await isCounted(tx, before, fleet, now)
    let after = before
    for (const step of planFor(app, before, now, isCurrent)) {
      const next = applyStep(after, step, now)
      await auditStep(tx, step, after, next)
      after = next
    }
    if (after === before) return undefined
    await writeRollout(tx, before, after)
    const baseline = nextBaseline(fleet.baseline, after)
    if (baseline !== null && baseline !== fleet.baseline) {
      await setBaseline(tx, fleet.name, baseline)
      await notifyFleets(tx)
    }
    await notifyRollouts(tx, [after.id])
    return after
  })
  if (moved !== undefined) app.rollouts.put([moved])
}

/** Whether the rollout's devices were counted since they could be heard again. */
async function isCounted(
  tx: WriteTx,
  { id, policy }: Rollout,
  fleet: FleetPolicy,
  now: Date,
): Promise<boolean> {
  const silence = silenceOf(policy, fleet, await getHearing(tx), now)
  return isCountCurrent(silence, (await listMembersCounted(tx, [id])).get(id))
}

async function auditStep(tx: WriteTx, step: Step, before: Rollout, after: Rollout): Promise<void> {
  await auditStop(tx, before, after)
  if (step.kind !== 'open_wave') return
  await appendAudit(tx, {
    actor: 'server',
    action: 'rollout.open-wave',
    subject: after.id,
    outcome: 'done',
    detail: { ...describeProgress(after), wave: step.wave + 1, gate: describeGate(before, step) },
  })
}

/** The figures of the previous wave by which this wave was opened. */
function describeGate(before: Rollout, { wave }: { wave: number }) {
  if (wave === 0) return null
  const { healthy, of } = successOf(before, wave - 1)
  return { healthy, of, silent: before.waves[wave - 1]!.silentCount }
}

/** Ends overdue updates page by page, those of each rollout in a transaction of their own. */
async function timeOutUpdates(app: Deps): Promise<void> {
  for (;;) {
    const overdue = await listOverdueUpdates(app.db.reader, app.clock.now(), overduePageMax)
    let endedCount = 0
    for (const [rollout, updates] of Map.groupBy(overdue, ({ rolloutId }) => rolloutId)) {
      const devices = updates.map(({ deviceId }) => deviceId)
      endedCount += await timeOutUpdatesOf(app, rollout, devices)
    }
    // No update ended: by the database's clock they are not overdue yet.
    if (overdue.length < overduePageMax || endedCount === 0) return
  }
}

/** Answers how many updates ended. */
async function timeOutUpdatesOf(
  app: Deps,
  id: string,
  devices: readonly string[],
): Promise<number> {
  const moved = await app.db.write(async (tx) => {
    const [before] = await lockRollouts(tx, [id])
    if (before === undefined) return undefined
    const copies = await lockDeviceUpdates(tx, devices)
    const updates = await listUpdates(tx, { rollouts: [id], devices })
    const end = { kind: 'timed_out' } as const
    const { rollout, changes } = endUpdates(before, updates, end, await tx.now())
    const ended = new Map(changes.map(({ deviceId, after }) => [deviceId, after]))
    await writeWorked(tx, {
      before: [before],
      after: changes.length === 0 ? [] : [rollout],
      changes,
      stored: copies,
      updates: new Map(
        [...copies].map(([device, copy]) => {
          const known = parseUpdates(copy.updates)
          const after = ended.get(device)
          if (after === undefined) return [device, known]
          return [device, [...known.filter(({ rolloutId }) => rolloutId !== id), after]]
        }),
      ),
    })
    for (const device of ended.keys()) await releaseSlot(tx, device)
    return { rollout, changes }
  })
  if (moved === undefined) return 0
  app.rollouts.put([moved.rollout])
  if (app.metrics !== undefined) countEnded(app.metrics.updatesEnded, moved.changes)
  return moved.changes.length
}
