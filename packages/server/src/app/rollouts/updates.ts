/**
 * What became of updates: those of a rollout, those of a device, and the spread of versions over a
 * fleet (D5).
 */
import type { UpdateView } from '@seaworthy/api/rollouts'
import type { UpdateState } from '@seaworthy/fleet/rollouts'
import { formatInstant } from '@seaworthy/std/time'
import type { ReadTx } from '../../db/connection.ts'
import type { FleetSample, VersionCount } from '../../db/history.ts'
import * as history from '../../db/history.ts'
import * as db from '../../db/updates.ts'
import type { Page, PageQuery } from '../paging.ts'
import { instantOrNull } from '../views.ts'
import { cutPage, readPage, viewPage } from '../paging.ts'

const samplesMax = 500

function viewUpdate(update: db.ExplainedUpdate): UpdateView {
  return {
    rolloutId: update.rolloutId,
    deviceId: update.deviceId,
    wave: update.wave + 1,
    attempt: update.attempt,
    state: update.state,
    code: update.code,
    reason: update.reason,
    offeredAt: formatInstant(update.offeredAt),
    changedAt: formatInstant(update.changedAt),
    deadlineAt: formatInstant(update.deadlineAt),
    endedAt: instantOrNull(update.endedAt),
  }
}

/** Lists the updates of a rollout by device. */
export async function listRolloutUpdates(
  tx: ReadTx,
  rollout: string,
  query: PageQuery & { readonly state?: UpdateState | undefined },
): Promise<Page<UpdateView>> {
  const { after, state = null } = query
  const page = await readPage(
    query,
    (limit) => db.listUpdatesOfRollout(tx, { rollout, state, after: after ?? '', limit }),
    ({ deviceId }) => deviceId,
  )
  return viewPage(page, viewUpdate)
}

type EventView = Pick<db.UpdateEvent, 'attempt' | 'state' | 'code'> & { at: string }

/**
 * The most events that a page of a device's updates has; the page is shorter where they have more.
 * A single update that has more is shown with its newest.
 */
const eventsMax = 2000

/** Lists the updates of a device, newest first, each with its events, oldest first. */
export async function listDeviceUpdates(
  tx: ReadTx,
  device: string,
  query: PageQuery,
): Promise<Page<UpdateView & { version: string; events: EventView[] }>> {
  const page = await readPage(
    query,
    (limit) => db.listUpdatesOfDevice(tx, { device, after: query.after ?? null, limit }),
    ({ rolloutId }) => rolloutId,
  )
  const rollouts = page.items.map(({ rolloutId }) => rolloutId)
  const wanted = { device, rollouts, limit: eventsMax + 1 }
  const newestFirst = await db.listUpdateEvents(tx, wanted)
  const isWhole = newestFirst.length <= eventsMax
  // The update of the last event that was read may have more.
  const end = isWhole ? rollouts.length : rollouts.indexOf(newestFirst.at(-1)!.rolloutId)
  const shown = newestFirst.slice(0, eventsMax).toReversed()
  const events = Map.groupBy(shown, ({ rolloutId }) => rolloutId)
  const shortened = cutPage(page, Math.max(1, end), ({ rolloutId }) => rolloutId)
  return viewPage(shortened, (update) => ({
    ...viewUpdate(update),
    version: update.version,
    events: (events.get(update.rolloutId) ?? []).map(({ attempt, state, code, at }) => ({
      attempt,
      state,
      code,
      at: formatInstant(at),
    })),
  }))
}

export async function showRolloutHistory(tx: ReadTx, rollout: string) {
  const samples = await history.listRolloutSamples(tx, rollout, samplesMax)
  const failures = await db.countFailures(tx, rollout)
  return {
    samples: samples.map(({ at, waves }) => ({
      at: formatInstant(at),
      waves: waves.map((wave) => ({ ...wave })),
    })),
    failures: failures.map((failure) => ({ ...failure })),
  }
}

export async function showFleetVersions(tx: ReadTx, fleet: string, now: Date) {
  const samples = await history.listFleetSamples(tx, fleet, samplesMax)
  return {
    now: viewSpread(await takeFleetSample(tx, fleet, now)),
    history: samples.map((sample) => viewSpread(sample)),
  }
}

/** Takes the spread of versions at this moment. */
export async function takeFleetSample(tx: ReadTx, fleet: string, now: Date): Promise<FleetSample> {
  const rows = await history.countVersions(tx, fleet, now)
  return {
    at: now,
    devicesCount: rows.reduce((sum, { count }) => sum + count, 0),
    seenCount: rows.reduce((sum, { seenCount }) => sum + seenCount, 0),
    versions: rows.map(({ version, count }): VersionCount => ({ version, count })),
  }
}

function viewSpread({ at, devicesCount, seenCount, versions }: FleetSample) {
  return {
    at: formatInstant(at),
    devicesCount,
    seenCount,
    versions: versions.map((entry) => ({ ...entry })),
  }
}
