/** Requests for approval, the rules that ask for them, and whom a person counts as. */
import type { ApprovalRules, ApprovalState, NeededRight } from '@seaworthy/fleet/access'
import type { Permission, Scope } from '@seaworthy/fleet/access'
import type { ReadTx, WriteTx } from './connection.ts'
import { storable } from './connection.ts'
import type { RightsTx } from './rights.ts'

export interface ApprovalPolicyRow extends ApprovalRules {
  readonly setAt: Date
  readonly setBy: string
}

export async function readApprovalPolicy({ sql }: ReadTx): Promise<ApprovalPolicyRow | undefined> {
  const [row] = await sql<ApprovalPolicyRow[]>`
    select release_devices_above as "releaseDevicesAbove", device_removal as "deviceRemoval",
      credential_lease as "credentialLease", set_at as "setAt", set_by as "setBy"
    from approval_policy`
  return row
}

export async function writeApprovalPolicy(
  { sql }: RightsTx,
  { releaseDevicesAbove, deviceRemoval, credentialLease, setAt, setBy }: ApprovalPolicyRow,
): Promise<void> {
  await sql`
    insert into approval_policy (release_devices_above, device_removal, credential_lease, set_at, set_by)
    values (${releaseDevicesAbove}, ${deviceRemoval}, ${credentialLease}, ${setAt}, ${setBy})
    on conflict (only_row) do update set release_devices_above = excluded.release_devices_above,
      device_removal = excluded.device_removal,
      credential_lease = excluded.credential_lease, set_at = excluded.set_at, set_by = excluded.set_by`
}

export async function deleteApprovalPolicy({ sql }: RightsTx): Promise<void> {
  await sql`delete from approval_policy`
}

export interface ApprovalRow {
  readonly id: string
  readonly state: ApprovalState
  readonly action: string
  readonly subject: string
  readonly callSha256: Uint8Array
  readonly effect: readonly string[]
  readonly effectSha256: Uint8Array
  readonly devicesMax: number | null
  readonly needs: NeededRight
  readonly principal: string
  readonly requestedBy: string
  readonly requestedAt: Date
  readonly expiresAt: Date
  readonly decidedBy: string | null
  readonly decidedAt: Date | null
  readonly reason: string | null
}

/** A row with the names of the people in it. */
export interface ListedApproval extends ApprovalRow {
  readonly principalName: string | null
  readonly decidedByName: string | null
}

interface StoredApproval extends Omit<ListedApproval, 'needs'> {
  readonly permission: Permission
  readonly fleet: string | null
  readonly fromFleet: string | null
  readonly product: string | null
}

const columns = (sql: ReadTx['sql']) => sql`
  id, state, action, subject, call_sha256 as "callSha256", effect, effect_sha256 as "effectSha256",
  devices_max as "devicesMax", permission, fleet, from_fleet as "fromFleet", product, principal,
  requested_by as "requestedBy", requested_at as "requestedAt", expires_at as "expiresAt",
  decided_by as "decidedBy", decided_at as "decidedAt", reason,
  (select name from people where people.id = approvals.principal) as "principalName",
  (select name from people where people.id = approvals.decided_by) as "decidedByName"`

function rowOf({ permission, fleet, fromFleet, product, ...row }: StoredApproval): ListedApproval {
  const from = fromFleet ?? undefined
  const of = fleet === null || product === null ? null : { name: fleet, product, from }
  return { ...row, needs: { permission, fleet: of } }
}

export async function insertApproval({ sql }: WriteTx, row: ApprovalRow): Promise<void> {
  await sql`
    insert into approvals (id, state, action, subject, call_sha256, effect, effect_sha256, devices_max,
      permission, fleet, from_fleet, product, principal, requested_by, requested_at, expires_at)
    values (${row.id}, ${row.state}, ${row.action}, ${row.subject}, ${Buffer.from(row.callSha256)},
      ${sql.json(storable(row.effect))}, ${Buffer.from(row.effectSha256)}, ${row.devicesMax},
      ${row.needs.permission}, ${row.needs.fleet?.name ?? null},
      ${row.needs.fleet?.from ?? null}, ${row.needs.fleet?.product ?? null},
      ${row.principal}, ${row.requestedBy}, ${row.requestedAt}, ${row.expiresAt})`
}

export async function getApproval(
  { sql }: ReadTx,
  id: string,
): Promise<ListedApproval | undefined> {
  const [row] = await sql<StoredApproval[]>`select ${columns(sql)} from approvals where id = ${id}`
  return row && rowOf(row)
}

export async function lockApproval(
  { sql }: WriteTx,
  id: string,
): Promise<ListedApproval | undefined> {
  const [row] = await sql<StoredApproval[]>`
    select ${columns(sql)} from approvals where id = ${id} for update`
  return row && rowOf(row)
}

/**
 * Locks the requests of the person, or those of all callers who go back to no person, until the
 * transaction ends. It comes before the locks of fleets and devices.
 */
export async function lockRequestsOf(
  { sql }: WriteTx,
  principal: string | undefined,
): Promise<void> {
  if (principal === undefined) await sql`select from approval_policy for update`
  else await sql`select from people where id = ${principal} for update`
}

/** How many devices were brought another release since then without an approval. */
export async function countUnapproved(
  { sql }: ReadTx,
  principal: string | undefined,
  since: Date,
): Promise<number> {
  const [row] = await sql<[{ count: number }]>`
    select coalesce(sum(devices), 0)::float8 as count from unapproved_releases
    where principal is not distinct from ${principal ?? null} and at > ${since}`
  return row.count
}

export async function insertUnapproved(
  { sql }: WriteTx,
  row: {
    readonly principal: string | undefined
    readonly devices: number
    readonly at: Date
  },
): Promise<void> {
  await sql`
    insert into unapproved_releases (principal, devices, at)
    values (${row.principal ?? null}, ${row.devices}, ${row.at})`
}

export async function forgetUnapproved({ sql }: WriteTx, before: Date): Promise<void> {
  await sql`delete from unapproved_releases where at <= ${before}`
}

/** Finds the request that the same call of the same person has made and that is not closed. */
export async function findOpenApproval(
  { sql }: WriteTx,
  principal: string,
  callSha256: Uint8Array,
): Promise<ListedApproval | undefined> {
  const [row] = await sql<StoredApproval[]>`
    select ${columns(sql)} from approvals
    where principal = ${principal} and call_sha256 = ${Buffer.from(callSha256)}
      and state in ('pending', 'approved')
    for update`
  return row && rowOf(row)
}

export async function updateApproval(
  { sql }: WriteTx,
  row: Pick<ApprovalRow, 'id' | 'state' | 'expiresAt' | 'decidedBy' | 'decidedAt' | 'reason'>,
): Promise<void> {
  await sql`
    update approvals set state = ${row.state}, expires_at = ${row.expiresAt},
      decided_by = ${row.decidedBy}, decided_at = ${row.decidedAt}, reason = ${row.reason}
    where id = ${row.id}`
}

/** How many requests of the person are open as of now. */
export async function countOpenApprovals(
  { sql }: ReadTx,
  principal: string,
  now: Date,
): Promise<number> {
  const [row] = await sql<[{ count: number }]>`
    select count(*)::int as count from approvals
    where principal = ${principal} and state in ('pending', 'approved') and expires_at > ${now}`
  return row.count
}

/** Lists the first requests that one of `makers` has made and that are open as of now. */
export async function listOpenApprovalsOf(
  { sql }: ReadTx,
  makers: readonly string[],
  limit: number,
  now: Date,
): Promise<string[]> {
  const rows = await sql<{ id: string }[]>`
    select id from approvals
    where (principal = any(${[...makers]}) or requested_by = any(${[...makers]}))
      and state in ('pending', 'approved') and expires_at > ${now}
    order by id limit ${limit}`
  return rows.map(({ id }) => id)
}

/** How many requests the person has made since then; what was forgotten does not count. */
export async function countRequestsSince(
  { sql }: ReadTx,
  principal: string,
  since: Date,
): Promise<number> {
  const [row] = await sql<[{ count: number }]>`
    select count(*)::int as count from approvals
    where principal = ${principal} and requested_at > ${since}`
  return row.count
}

/** Forgets the person's oldest requests that are closed; the log keeps what was decided. */
export async function forgetApprovals(
  { sql }: WriteTx,
  principal: string,
  kept: number,
  now: Date,
): Promise<void> {
  await sql`
    delete from approvals where id in (
      select id from approvals
      where principal = ${principal}
        and (state not in ('pending', 'approved') or expires_at <= ${now})
      order by id desc offset ${kept})`
}

export interface ApprovalQuery extends Scope {
  readonly after: string | null
  readonly limit: number
  readonly state: 'open' | 'closed' | null
  readonly principal: string | null
  readonly permissions: readonly Permission[]
  /** Whether all requests within the scope are listed, whatever right they need. */
  readonly isAuditor: boolean
  readonly now: Date
}

/** Lists, newest first, what the person asked for, and what the permissions and scope reach. */
export async function listApprovals(
  { sql }: ReadTx,
  query: ApprovalQuery,
): Promise<ListedApproval[]> {
  const { after, limit, state, principal, permissions, isAuditor, now, ...scope } = query
  const isOpen = sql`(state in ('pending', 'approved') and expires_at > ${now})`
  const reaches = sql`
    (${scope.products === null && scope.fleets === null} or (fleet is not null and ${isNamed({ sql }, scope)}))`
  const rows = await sql<StoredApproval[]>`
    select ${columns(sql)} from approvals
    where (${after}::text is null or id < ${after})
      and (${state}::text is null or ${isOpen} = (${state} = 'open'))
      and (principal = ${principal}
        or ((${isAuditor} or permission = any(${[...permissions]}::text[])) and ${reaches}))
    order by id desc limit ${limit}`
  return rows.map(rowOf)
}

function isNamed({ sql }: ReadTx, { products, fleets }: Scope) {
  return sql`
    (${products === null} or product = any(${[...(products ?? [])]}::text[]))
    and (${fleets === null} or (fleet = any(${[...(fleets ?? [])]}::text[])
      and (from_fleet is null or from_fleet = any(${[...(fleets ?? [])]}::text[]))))`
}

/**
 * The person as whom somebody counts where two persons are needed; `undefined` for a credential
 * that goes back to no person.
 */
export async function findPrincipal({ sql }: ReadTx, id: string): Promise<string | undefined> {
  const [row] = await sql<{ id: string }[]>`
    with recursive makers as (
      select ${id}::text as id
      union select next.id from makers m, lateral (
        select holder as id from tokens where tokens.id = m.id
        union all select counts_as from people where people.id = m.id and counts_as is not null
      ) next
    )
    select p.id from makers m join people p on p.id = m.id where p.counts_as is null`
  return row?.id
}

/** Counts the person as somebody else's account from now on, or as a person of their own. */
export async function setCountsAs(
  { sql }: RightsTx,
  id: string,
  principal: string | null,
): Promise<void> {
  await sql`update people set counts_as = ${principal} where id = ${id}`
}

/** People who may sign in and count as somebody else: at most all people. */
export async function listCountedAs({
  sql,
}: ReadTx): Promise<{ readonly id: string; readonly name: string }[]> {
  return sql<{ id: string; name: string }[]>`
    select id, name from people where counts_as is not null and disabled_at is null order by id`
}
