/** Which devices run, or ran, what has a vulnerability. */
import { bigintsOid, booleansOid, textsOid } from './arrays.ts'
import type { ReadTx } from './connection.ts'
import type { ExposureScope } from './exposure.ts'
import { isInScope } from './exposure.ts'
import { isNotSilent } from './presence.ts'
import type { VexTime } from './vex.ts'
import { outcome, stated } from './vex.ts'

/**
 * The bill of materials of a release that has it; neither affected nor unknown where statements
 * clear all that was found.
 */
export interface ConcernedSbom {
  readonly id: number
  readonly isAffected: boolean
  readonly isUnknown: boolean
  /** When it was found; `null` where it is not affected. */
  readonly foundAt: Date | null
}

/** The list has at most one bill of materials for each release and platform. */
export async function listConcerned(
  { sql }: ReadTx,
  vulnerabilities: readonly number[],
  time: VexTime,
): Promise<ConcernedSbom[]> {
  const ofThese = sql`f.vulnerability = any(${sql.array([...vulnerabilities], bigintsOid)})`
  return sql<ConcernedSbom[]>`
    select min(s.id) as id, bool_or(${outcome(sql)} = 'affected') as "isAffected",
      bool_or(${outcome(sql)} = 'unknown') as "isUnknown",
      min(f.found_at) filter (where ${outcome(sql)} = 'affected') as "foundAt"
    from findings f join release_components c on c.component = f.component join sboms s on s.id = c.sbom
      left join (${stated(sql, time, ofThese)}) x
        on x.vulnerability = f.vulnerability and x.component = f.component and x.sbom = s.id
    where ${ofThese} group by s.sha256, s.platform`
}

/** The releases as `sha256`, `platform`, `is_affected`, `is_unknown` and `found_at`. */
function concerned(sql: ReadTx['sql'], list: readonly ConcernedSbom[]) {
  const ids = sql.array(
    list.map(({ id }) => id),
    bigintsOid,
  )
  const flags = (pick: (one: ConcernedSbom) => boolean) => sql.array(list.map(pick), booleansOid)
  const times = sql.array(
    list.map(({ foundAt }) => foundAt?.toISOString() ?? null),
    textsOid,
  )
  return sql`
    select s.sha256, s.platform, g.is_affected, g.is_unknown, g.found_at::timestamptz as found_at
    from unnest(${ids}, ${flags((one) => one.isAffected)}, ${flags((one) => one.isUnknown)}, ${times})
      as g (id, is_affected, is_unknown, found_at) join sboms s on s.id = g.id`
}

/** What devices ran at an instant, or run now. */
const runningAt = (sql: ReadTx['sql'], at: Date | null) =>
  at === null
    ? sql`select device, sha256 from running_releases`
    : sql`
      select device, sha256 from running_releases where since <= ${at}
      union all select device, sha256 from past_releases where since <= ${at} and until > ${at}`

export interface ExposedGroup {
  /** The fleet, or the value of the tag; `null` for devices without the tag. */
  readonly name: string | null
  /** They run an affected release, and were heard since the given instant. */
  readonly confirmedCount: number
  /** An affected release is the last that they reported. */
  readonly lastKnownCount: number
  /** It cannot be told of their release whether it is affected. */
  readonly unknownCount: number
  /** Their release has it, but somebody states that it does not matter there. */
  readonly clearedCount: number
}

export interface ExposedDevices {
  readonly total: Omit<ExposedGroup, 'name'>
  readonly groups: readonly ExposedGroup[]
}

/**
 * Counts devices, all together and by fleet or by the values of a tag: most affected first, at most
 * `limit` groups.
 */
export async function countExposed(
  { sql }: ReadTx,
  list: readonly ConcernedSbom[],
  scope: ExposureScope,
  how: {
    readonly at: Date | null
    readonly now: Date
    readonly tag: string | null
    readonly limit: number
  },
): Promise<ExposedDevices> {
  const name = how.tag === null ? sql`d.fleet` : sql`d.tags ->> ${how.tag}::text`
  const rows = await sql<CountedRow[]>`
    with concerned as materialized (${concerned(sql, list)}), device as (
      select ${name} as name, c.is_affected, c.is_unknown, ${isNotSilent(sql, how.now)} as is_heard
      from concerned c join (${runningAt(sql, how.at)}) r on r.sha256 = c.sha256
        join devices d on d.id = r.device and d.platform = c.platform join fleets f on f.name = d.fleet
        left join device_states s on s.device = d.id
      where ${isInScope(sql, scope)}
    )
    select grouping(name) = 1 as "isTotal", name,
      count(*) filter (where is_affected and is_heard) as "confirmedCount",
      count(*) filter (where is_affected and not is_heard) as "lastKnownCount",
      count(*) filter (where not is_affected and is_unknown) as "unknownCount",
      count(*) filter (where not is_affected and not is_unknown) as "clearedCount"
    from device group by grouping sets ((name), ())
    order by 1 desc, 3 desc, 4 desc, 5 desc, 6 desc, 2 limit ${how.limit + 1}`
  return openGroups(rows)
}

type CountedRow = ExposedGroup & { readonly isTotal: boolean }

function openGroups(rows: readonly CountedRow[]): ExposedDevices {
  const [total, ...groups] = rows.map((row) => ({
    ...{ name: row.name, confirmedCount: row.confirmedCount },
    ...{ lastKnownCount: row.lastKnownCount, unknownCount: row.unknownCount },
    clearedCount: row.clearedCount,
  }))
  return { total: total!, groups }
}

/**
 * Counts devices by fleet as `countReleases` counted them last, with the time of that; `undefined`
 * where it never did. At most `limit` groups.
 */
export async function countExposedLately(
  { sql }: ReadTx,
  list: readonly ConcernedSbom[],
  scope: ExposureScope,
  limit: number,
): Promise<(ExposedDevices & { readonly countedAt: Date }) | undefined> {
  const rows = await sql<(CountedRow & { countedAt: Date | null })[]>`
    with counted as (
      select n.fleet, c.is_affected, c.is_unknown, n.heard_count as heard, n.silent_count as silent
      from (${concerned(sql, list)}) c
        join release_counts n on n.sha256 = c.sha256 and n.platform = c.platform join fleets f on f.name = n.fleet
      where ${isInScope(sql, scope)}
    )
    select grouping(fleet) = 1 as "isTotal", fleet as name,
      coalesce(sum(heard) filter (where is_affected), 0)::bigint as "confirmedCount",
      coalesce(sum(silent) filter (where is_affected), 0)::bigint as "lastKnownCount",
      coalesce(sum(heard + silent) filter (where not is_affected and is_unknown), 0)::bigint as "unknownCount",
      coalesce(sum(heard + silent) filter (where not is_affected and not is_unknown), 0)::bigint as "clearedCount",
      (select min(counted_at) from (select counted_at from release_counts limit 1) one) as "countedAt"
    from counted group by grouping sets ((fleet), ())
    order by 1 desc, 3 desc, 4 desc, 5 desc, 6 desc, 2 limit ${limit + 1}`
  const countedAt = rows[0]?.countedAt ?? null
  return countedAt === null ? undefined : { ...openGroups(rows), countedAt }
}

export interface PatchTimes {
  /** Devices that have run an affected release since the flaw was known here. */
  readonly everCount: number
  readonly leftCount: number
  /** When it was found first in a release that devices have run since; `null` without any. */
  readonly foundAt: Date | null
  /** Half of those that run it no more ran it for at most this long since then; in seconds. */
  readonly medianSeconds: number | null
  /** Nine in ten of them ran it for at most this long. */
  readonly mostSeconds: number | null
  /** When the last of them stopped; `null` while any is left. */
  readonly zeroSince: Date | null
}

export async function measurePatching(
  { sql }: ReadTx,
  list: readonly ConcernedSbom[],
  scope: ExposureScope,
): Promise<PatchTimes> {
  const [row] = await sql<[PatchTimes]>`
    with concerned as materialized (${concerned(sql, list)}), spans as (
      select x.device, min(greatest(x.since, c.found_at)) as begun, min(c.found_at) as found_at, bool_or(x.until is null) as is_left,
        max(x.until) as ended
      from concerned c join (
          select device, sha256, since, null::timestamptz as until from running_releases
          union all select device, sha256, since, until from past_releases
        ) x on x.sha256 = c.sha256 and (x.until is null or x.until > c.found_at)
        join devices d on d.id = x.device and d.platform = c.platform join fleets f on f.name = d.fleet
      where c.is_affected and ${isInScope(sql, scope)}
      group by x.device
    )
    select count(*) as "everCount", count(*) filter (where is_left) as "leftCount",
      (percentile_cont(0.5) within group (order by extract(epoch from ended - begun)::float8)
        filter (where not is_left)) as "medianSeconds",
      (percentile_cont(0.9) within group (order by extract(epoch from ended - begun)::float8)
        filter (where not is_left)) as "mostSeconds", min(found_at) as "foundAt",
      case when not bool_or(is_left) then max(ended) end as "zeroSince"
    from spans`
  return row
}
