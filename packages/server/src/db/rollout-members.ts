/**
 * How many devices belong to each wave: counted from time to time and page by page, apart from the
 * check-ins.
 */
import type { MemberFacts, Update } from '@seaworthy/fleet/rollouts'
import { textsOid } from './arrays.ts'
import type { ReadTx, WriteTx } from './connection.ts'

/** A device of the fleet, without its update. */
export type FleetMember = Omit<MemberFacts, 'update'>

/** Lists the devices of the fleet in the order of their ids. */
export async function listFleetMembers(
  { sql }: ReadTx,
  page: { fleet: string; after: string; limit: number },
): Promise<FleetMember[]> {
  return sql<FleetMember[]>`
    select d.id as "deviceId", d.platform, d.hardware, d.tags, coalesce(s.seen_at, d.registered_at) as "heardAt",
      coalesce((r.report -> 'floor')::bigint, 0) as floor,
      coalesce((r.report -> 'committedCounter')::bigint, 0) as "committedCounter",
      jsonb_build_object('state', coalesce(r.report -> 'update' ->> 'state', 'idle')) as activity,
      case when jsonb_typeof(r.report -> 'running') = 'object' then r.report -> 'running' end as running
    from devices d left join last_reports r on r.device = d.id left join device_states s on s.device = d.id
    where d.fleet = ${page.fleet} and d.id > ${page.after} order by d.id limit ${page.limit}`
}

/** How many devices of the fleet have the tag. */
export async function countTagged(
  { sql }: ReadTx,
  fleet: string,
  tag: { key: string; value: string },
): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select count(*)::int as count from devices where fleet = ${fleet} and tags ->> ${tag.key} = ${tag.value}`
  return row!.count
}

/**
 * The update of each device of the range that has one. At most one for each device of the range.
 */
export async function listMembersWithUpdates(
  { sql }: ReadTx,
  range: { rollout: string; after: string; upTo: string },
): Promise<Map<string, Pick<Update, 'wave' | 'state' | 'code'>>> {
  const rows = await sql<(Pick<Update, 'wave' | 'state' | 'code'> & { device: string })[]>`
    select device, wave, state, code from updates
    where rollout = ${range.rollout} and device > ${range.after} and device <= ${range.upTo}`
  return new Map(rows.map(({ device, ...update }) => [device, update]))
}

/**
 * The time at which each of the rollouts was last counted; a rollout with a wave that was never
 * counted is left out. At most one for each of the rollouts.
 */
export async function listMembersCounted(
  { sql }: ReadTx,
  rollouts: readonly string[],
): Promise<Map<string, Date>> {
  const rows = await sql<{ rollout: string; at: Date }[]>`
    select rollout, min(members_counted_at) as at from rollout_waves
    where rollout = any(${sql.array([...rollouts], textsOid)})
    group by rollout having bool_and(members_counted_at is not null)`
  return new Map(rows.map(({ rollout, at }) => [rollout, at]))
}

/** The rollout must be locked. */
export async function writeMembersCounted(
  { sql }: WriteTx,
  rollout: string,
  at: Date,
): Promise<void> {
  await sql`update rollout_waves set members_counted_at = ${at} where rollout = ${rollout}`
}
