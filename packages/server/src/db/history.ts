/**
 * Time series: how rollouts progressed, and which versions ran in a fleet. Samples are thinned as
 * they age, never rewritten.
 */
import { textsOid } from './arrays.ts'
import type { ReadTx, WriteTx } from './connection.ts'
import { storable } from './connection.ts'
import { isNotSilent } from './presence.ts'

/** The counts of one wave. */
export interface WaveSample {
  readonly offered: number
  readonly inFlight: number
  readonly healthy: number
  readonly failed: number
}

export interface RolloutSample {
  readonly rollout: string
  readonly at: Date
  readonly waves: readonly WaveSample[]
}

export interface VersionCount {
  readonly version: string | null
  readonly count: number
}

export interface FleetSample {
  readonly at: Date
  readonly devicesCount: number
  /** How many of the devices were not silent. */
  readonly seenCount: number
  /** Most frequent first. */
  readonly versions: readonly VersionCount[]
}

/** Stores at most one sample per rollout and instant. */
export async function insertRolloutSamples(
  { sql }: WriteTx,
  samples: readonly RolloutSample[],
): Promise<void> {
  for (const { rollout, at, waves } of samples) {
    await sql`
      insert into rollout_samples (rollout, at, waves) values (${rollout}, ${at}, ${sql.json(storable(waves))})
      on conflict do nothing`
  }
}

/** The newest sample of each rollout. At most one for each of the given rollouts. */
export async function listNewestRolloutSamples(
  { sql }: ReadTx,
  rollouts: readonly string[],
): Promise<RolloutSample[]> {
  return sql<RolloutSample[]>`
    select distinct on (rollout) rollout, at, waves from rollout_samples
    where rollout = any(${sql.array([...rollouts], textsOid)}) order by rollout, at desc`
}

/** Samples, oldest first, evenly thinned to at most `max`; the last one is always among them. */
export async function listRolloutSamples(
  { sql }: ReadTx,
  rollout: string,
  max: number,
): Promise<Pick<RolloutSample, 'at' | 'waves'>[]> {
  return sql<Pick<RolloutSample, 'at' | 'waves'>[]>`
    select at, waves from (
      select at, waves, row_number() over (order by at desc) - 1 as back, count(*) over () as total
      from rollout_samples where rollout = ${rollout}
    ) s where back % greatest(1, ceil(total::numeric / ${max}))::bigint = 0 order by at`
}

/**
 * Which versions run in a fleet now. At most one row for each of its devices: each runs one.
 */
export async function countVersions(
  { sql }: ReadTx,
  fleet: string,
  now: Date,
): Promise<{ version: string | null; count: number; seenCount: number }[]> {
  return sql<{ version: string | null; count: number; seenCount: number }[]>`
    select r.report -> 'running' ->> 'version' as version, count(*) as count,
      count(*) filter (where ${isNotSilent(sql, now)}) as "seenCount"
    from devices d join fleets f on f.name = d.fleet left join device_states s on s.device = d.id
      left join last_reports r on r.device = d.id
    where d.fleet = ${fleet} group by 1 order by 2 desc, 1`
}

export async function insertFleetSample(
  { sql }: WriteTx,
  fleet: string,
  sample: FleetSample,
): Promise<void> {
  await sql`
    insert into fleet_samples (fleet, at, devices_count, seen_count, versions)
    values (${fleet}, ${sample.at}, ${sample.devicesCount}, ${sample.seenCount},
      ${sql.json(storable(sample.versions))})
    on conflict do nothing`
}

/** The time of the newest sample of every fleet that has one. */
export async function listNewestFleetSamples({ sql }: ReadTx): Promise<Map<string, Date>> {
  const rows = await sql<{ fleet: string; at: Date }[]>`
    select f.name as fleet, s.at from fleets f,
      lateral (select at from fleet_samples where fleet = f.name order by at desc limit 1) s`
  return new Map(rows.map(({ fleet, at }) => [fleet, at]))
}

/** Samples, oldest first, evenly thinned to at most `max`; the last one is always among them. */
export async function listFleetSamples(
  { sql }: ReadTx,
  fleet: string,
  max: number,
): Promise<FleetSample[]> {
  return sql<FleetSample[]>`
    select at, "devicesCount", "seenCount", versions from (
      select at, devices_count as "devicesCount", seen_count as "seenCount", versions,
        row_number() over (order by at desc) - 1 as back, count(*) over () as total
      from fleet_samples where fleet = ${fleet}
    ) s where back % greatest(1, ceil(total::numeric / ${max}))::bigint = 0 order by at`
}

/**
 * Keeps the first sample of each hour among those taken before `hourlyBefore`, and the first of
 * each day among those taken before `dailyBefore`.
 */
export async function thinSamples(
  { sql }: WriteTx,
  limits: { hourlyBefore: Date; dailyBefore: Date },
): Promise<void> {
  const unit = sql`case when at < ${limits.dailyBefore} then 'day' else 'hour' end`
  await sql`
    delete from rollout_samples s using (
      select rollout, at, row_number() over (
        partition by rollout, at < ${limits.dailyBefore}, date_trunc(${unit}, at) order by at) as place
      from rollout_samples where at < ${limits.hourlyBefore}
    ) old where s.rollout = old.rollout and s.at = old.at and old.place > 1`
  await sql`
    delete from fleet_samples s using (
      select fleet, at, row_number() over (
        partition by fleet, at < ${limits.dailyBefore}, date_trunc(${unit}, at) order by at) as place
      from fleet_samples where at < ${limits.hourlyBefore}
    ) old where s.fleet = old.fleet and s.at = old.at and old.place > 1`
}
