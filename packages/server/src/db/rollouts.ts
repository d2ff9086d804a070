/**
 * Rollouts and their waves. Code that writes a rollout has held the lock on its row since before
 * reading it: what `lockRollouts` answers stays true until the transaction ends, and nobody else
 * changes the rollout, its waves or its updates.
 */
import type { RolloutChange, Rollout, RolloutState, WaveProgress } from '@seaworthy/fleet/rollouts'
import { isDone } from '@seaworthy/fleet/rollouts'
import { copyScope } from '@seaworthy/fleet/access'
import { formatInstant, parseInstant } from '@seaworthy/std/time'
import { textsOid } from './arrays.ts'
import type { ReadTx, WriteTx } from './connection.ts'
import { storable } from './connection.ts'

const columns = (sql: ReadTx['sql']) => sql`
  r.id, r.fleet, r.product, r.channel, r.version, r.sha256, r.counter, r.policy,
  r.policy_version as "policyVersion", r.policy_changes as "policyChanges", r.from_sha256 as "fromSha256",
  r.way_back_of as "wayBackOf", r.state, r.stop_code as "stopCode", r.stop_values as "stopValues", r.stop_reason as "stopReason", r.revision,
  r.created_at as "createdAt", r.created_by as "createdBy", r.start_at as "startAt", r.ended_at as "endedAt",
  r.clock_at as "clockAt", r.waves_open_count as "wavesOpenCount", r.period_index as "periodIndex",
  r.period_offered_count as "periodOfferedCount", r.rate_next_ms as "rateNextMs",
  r.failures_accepted_at as "failuresAcceptedAt", r.first_place as "firstPlace"`

const waveColumns = (sql: ReadTx['sql']) => sql`
  w.waiting_count as "waitingCount", w.silent_count as "silentCount", w.moved_since_count as "movedSinceCount",
  w.opened_at as "openedAt", w.success_since as "successSince",
  w.approved_at as "approvedAt", w.approved_by as "approvedBy", w.offered_count as "offeredCount",
  w.in_flight_count as "inFlightCount", w.healthy_count as "healthyCount", w.failed_count as "failedCount",
  w.failures_accepted_count as "failuresAcceptedCount", w.superseded_count as "supersededCount"`

type RolloutRow = Omit<Rollout, 'waves' | 'policyChanges'> & {
  readonly policyChanges: readonly (Omit<RolloutChange, 'at'> & { readonly at: string })[]
}

/** Reads the waves of rows that are locked, or that are read in the same snapshot. */
async function withWaves({ sql }: ReadTx, rows: readonly RolloutRow[]): Promise<Rollout[]> {
  if (rows.length === 0) return []
  const waves = await sql<(WaveProgress & { rollout: string })[]>`
    select w.rollout, ${waveColumns(sql)} from rollout_waves w
    where w.rollout = any(${sql.array(
      rows.map(({ id }) => id),
      textsOid,
    )}) order by w.rollout, w.wave`
  const byRollout = new Map<string, WaveProgress[]>()
  for (const { rollout, ...wave } of waves) {
    const list = byRollout.get(rollout)
    if (list === undefined) byRollout.set(rollout, [wave])
    else list.push(wave)
  }
  return rows.map((row) => ({
    ...row,
    policyChanges: row.policyChanges.map((change) => ({ ...change, at: parseInstant(change.at) })),
    waves: byRollout.get(row.id) ?? [],
  }))
}

/** `tx` reads one state: it is a snapshot, or a transaction that holds the lock. */
export async function getRollout(tx: ReadTx, id: string): Promise<Rollout | undefined> {
  const { sql } = tx
  const rows = await sql<RolloutRow[]>`select ${columns(sql)} from rollouts r where r.id = ${id}`
  return (await withWaves(tx, rows))[0]
}

/** Finds those of the given rollouts that exist. At most one for each id. */
export async function getRollouts(tx: ReadTx, ids: readonly string[]): Promise<Rollout[]> {
  const { sql } = tx
  const rows = await sql<RolloutRow[]>`
    select ${columns(sql)} from rollouts r where r.id = any(${sql.array([...ids], textsOid)}) order by r.id`
  return withWaves(tx, rows)
}

/**
 * Rollouts that may still change: active, paused, or ended with updates under way. At most as many
 * as people have begun and not ended.
 */
export async function listLiveRollouts(tx: ReadTx): Promise<Rollout[]> {
  const { sql } = tx
  const rows = await sql<RolloutRow[]>`
    select ${columns(sql)} from rollouts r where not r.is_settled order by r.id`
  return withWaves(tx, rows)
}

/** The live rollouts of one fleet. At most as many as people have begun and not ended. */
export async function listLiveRolloutsOf(tx: ReadTx, fleet: string): Promise<Rollout[]> {
  const { sql } = tx
  const rows = await sql<RolloutRow[]>`
    select ${columns(sql)} from rollouts r where r.fleet = ${fleet} and not r.is_settled order by r.id`
  return withWaves(tx, rows)
}

/**
 * The live rollouts, and those that ended at or after `since`. At most as many as people have
 * begun since, or not ended.
 */
export async function listRecentRollouts(tx: ReadTx, since: Date): Promise<Rollout[]> {
  const { sql } = tx
  const rows = await sql<RolloutRow[]>`
    select ${columns(sql)} from rollouts r where not r.is_settled or r.ended_at >= ${since} order by r.id`
  return withWaves(tx, rows)
}

/** Lists rollouts, newest first; `after` is the id of the last rollout of the page before. */
export async function listRollouts(
  tx: ReadTx,
  page: {
    after: string | null
    limit: number
    fleet: string | null
    state: RolloutState | null
    fleets: readonly string[] | null
    products: readonly string[] | null
  },
): Promise<Rollout[]> {
  const { sql } = tx
  const { products, fleets } = copyScope(page)
  const rows = await sql<RolloutRow[]>`
    select ${columns(sql)} from rollouts r
    where (${page.after}::text is null or r.id < ${page.after})
      and (${page.fleet}::text is null or r.fleet = ${page.fleet})
      and (${page.state}::text is null or r.state = ${page.state})
      and (${fleets}::text[] is null or r.fleet = any(${fleets}::text[]))
      and (${products}::text[] is null or r.product = any(${products}::text[]))
    order by r.id desc limit ${page.limit}`
  return withWaves(tx, rows)
}

/**
 * Locks those of the given rollouts that exist, in the order of their ids, as every caller does. At
 * most one for each id.
 */
export async function lockRollouts(tx: WriteTx, ids: readonly string[]): Promise<Rollout[]> {
  if (ids.length === 0) return []
  const { sql } = tx
  const rows = await sql<RolloutRow[]>`
    select ${columns(sql)} from rollouts r where r.id = any(${sql.array([...ids], textsOid)})
    order by r.id for update`
  return withWaves(tx, rows)
}

/**
 * Locks the live rollouts of a fleet, and the given rollout if it is one of the others of the
 * fleet. At most as many as people have begun and not ended, and the given one.
 */
export async function lockFleetRollouts(
  tx: WriteTx,
  fleet: string,
  other: string | null = null,
): Promise<Rollout[]> {
  const { sql } = tx
  const rows = await sql<RolloutRow[]>`
    select ${columns(sql)} from rollouts r
    where r.fleet = ${fleet} and (not r.is_settled or r.id = ${other}) order by r.id for update`
  return withWaves(tx, rows)
}

export async function insertRollout({ sql }: WriteTx, rollout: Rollout): Promise<void> {
  const { waves, ...row } = rollout
  await sql`
    insert into rollouts (id, fleet, product, channel, version, sha256, counter, policy, from_sha256, way_back_of,
      state, stop_code, stop_values, stop_reason, revision, created_at, created_by, start_at, ended_at, clock_at,
      waves_open_count, period_index, period_offered_count, rate_next_ms, failures_accepted_at, first_place, is_settled)
    values (${row.id}, ${row.fleet}, ${row.product}, ${row.channel}, ${row.version}, ${row.sha256}, ${row.counter},
      ${sql.json(storable(row.policy))}, ${row.fromSha256}, ${row.wayBackOf}, ${row.state}, ${row.stopCode},
      ${row.stopValues && sql.json(row.stopValues)}, ${row.stopReason}, ${row.revision}, ${row.createdAt}, ${row.createdBy}, ${row.startAt}, ${row.endedAt},
      ${row.clockAt}, ${row.wavesOpenCount}, ${row.periodIndex}, ${row.periodOfferedCount}, ${row.rateNextMs},
      ${row.failuresAcceptedAt}, ${row.firstPlace}, ${isDone(rollout)})`
  for (const [index, wave] of waves.entries()) await writeWave(sql, row.id, index, wave)
}

/** How many devices the fleet had when somebody last let the rollout begin or go on. */
export async function readDevicesCounted({ sql }: WriteTx, id: string): Promise<number> {
  const [row] = await sql<{ devicesCounted: number }[]>`
    select devices_counted as "devicesCounted" from rollouts where id = ${id}`
  return row?.devicesCounted ?? 0
}

/** Counts the fleet's devices as of now: they never become fewer than were counted before. */
export async function countDevicesIn({ sql }: WriteTx, id: string): Promise<void> {
  await sql`
    update rollouts set devices_counted = greatest(devices_counted,
      (select count(*) from devices where devices.fleet = rollouts.fleet))
    where id = ${id}`
}

/** Writes what differs from `before`, which must have been read under the lock. */
export async function writeRollout(
  { sql }: WriteTx,
  before: Rollout,
  after: Rollout,
): Promise<void> {
  if (after === before) return
  await sql`
    update rollouts set state = ${after.state}, stop_code = ${after.stopCode},
      stop_values = ${after.stopValues && sql.json(after.stopValues)}, stop_reason = ${after.stopReason},
      revision = ${after.revision}, start_at = ${after.startAt}, ended_at = ${after.endedAt},
      clock_at = ${after.clockAt}, waves_open_count = ${after.wavesOpenCount}, period_index = ${after.periodIndex},
      period_offered_count = ${after.periodOfferedCount}, rate_next_ms = ${after.rateNextMs},
      failures_accepted_at = ${after.failuresAcceptedAt}, first_place = ${after.firstPlace}, is_settled = ${isDone(after)}
    where id = ${after.id}`
  if (after.policyVersion !== before.policyVersion) await writePolicy(sql, after)
  for (const [index, wave] of after.waves.entries()) {
    if (!isSameWave(before.waves[index], wave)) await writeWave(sql, after.id, index, wave)
  }
}

async function writePolicy(sql: WriteTx['sql'], after: Rollout): Promise<void> {
  const changes = after.policyChanges.map((change) => ({ ...change, at: formatInstant(change.at) }))
  await sql`
    update rollouts set policy = ${sql.json(storable(after.policy))}, policy_version = ${after.policyVersion},
      policy_changes = ${sql.json(storable(changes))}
    where id = ${after.id}`
  await sql`
    delete from rollout_waves where rollout = ${after.id} and wave >= ${after.waves.length}`
}

async function writeWave(
  sql: WriteTx['sql'],
  rollout: string,
  index: number,
  wave: WaveProgress,
): Promise<void> {
  await sql`
    insert into rollout_waves as w (rollout, wave, waiting_count, silent_count, moved_since_count, opened_at,
      success_since, approved_at, approved_by, offered_count, in_flight_count, healthy_count, failed_count,
      failures_accepted_count, superseded_count)
    values (${rollout}, ${index}, ${wave.waitingCount}, ${wave.silentCount}, ${wave.movedSinceCount}, ${wave.openedAt},
      ${wave.successSince}, ${wave.approvedAt}, ${wave.approvedBy}, ${wave.offeredCount}, ${wave.inFlightCount}, ${wave.healthyCount}, ${wave.failedCount},
      ${wave.failuresAcceptedCount}, ${wave.supersededCount})
    on conflict (rollout, wave) do update set waiting_count = excluded.waiting_count,
      silent_count = excluded.silent_count, moved_since_count = excluded.moved_since_count, opened_at = excluded.opened_at, success_since = excluded.success_since, approved_at = excluded.approved_at,
      approved_by = excluded.approved_by, offered_count = excluded.offered_count,
      in_flight_count = excluded.in_flight_count, healthy_count = excluded.healthy_count,
      failed_count = excluded.failed_count, failures_accepted_count = excluded.failures_accepted_count,
      superseded_count = excluded.superseded_count`
}

function isSameWave(a: WaveProgress | undefined, b: WaveProgress): boolean {
  return (
    a === b ||
    (a !== undefined &&
      a.waitingCount === b.waitingCount &&
      a.silentCount === b.silentCount &&
      a.movedSinceCount === b.movedSinceCount &&
      a.openedAt?.getTime() === b.openedAt?.getTime() &&
      a.successSince?.getTime() === b.successSince?.getTime() &&
      a.approvedAt?.getTime() === b.approvedAt?.getTime() &&
      a.approvedBy === b.approvedBy &&
      a.offeredCount === b.offeredCount &&
      a.inFlightCount === b.inFlightCount &&
      a.healthyCount === b.healthyCount &&
      a.failedCount === b.failedCount &&
      a.failuresAcceptedCount === b.failuresAcceptedCount &&
      a.supersededCount === b.supersededCount)
  )
}

/** Tells every worker, the leader's tasks included, that these rollouts have changed. */
export async function notifyRollouts({ sql }: WriteTx, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return
  await sql`select pg_notify('rollouts', id) from unnest(${sql.array([...ids], textsOid)}) as ids (id)`
}
