/** Who asked for stored credentials, who has them, and the accounts that were made for it. */
import type { ReadTx, WriteTx } from './connection.ts'

export type LeaseEnd = 'withdrawn' | 'returned' | 'revoked' | 'expired' | 'failed'

export interface LeaseRow {
  readonly id: string
  /** The name of the credential, which may have been removed since. */
  readonly credential: string
  readonly credentialId: string
  readonly reason: string
  readonly seconds: number
  /** A person, or the line of a token, which stays the same when the token is refreshed. */
  readonly requestedBy: string
  readonly requestedAt: Date
  /** The version that was handed out; `null` before. */
  readonly version: number | null
  readonly openedAt: Date | null
  readonly expiresAt: Date | null
  readonly endedAt: Date | null
  readonly endedBy: string | null
  readonly endReason: LeaseEnd | null
  /** The account that is made for it; `null` for a credential that is a plain value. */
  readonly account: string | null
  readonly accountMadeAt: Date | null
  readonly accountGoneAt: Date | null
  /** When the account could first not be dropped. */
  readonly accountFailedAt: Date | null
}

const columns = (sql: ReadTx['sql']) => sql`
  id, credential, credential_id as "credentialId", reason, seconds, requested_by as "requestedBy",
  requested_at as "requestedAt", version, opened_at as "openedAt", expires_at as "expiresAt",
  ended_at as "endedAt", ended_by as "endedBy", end_reason as "endReason", account,
  account_made_at as "accountMadeAt", account_gone_at as "accountGoneAt",
  account_failed_at as "accountFailedAt"`

export async function insertLease({ sql }: WriteTx, row: LeaseRow): Promise<void> {
  await sql`
    insert into leases (id, credential, credential_id, reason, seconds, requested_by, requested_at)
    values (${row.id}, ${row.credential}, ${row.credentialId}, ${row.reason}, ${row.seconds},
      ${row.requestedBy}, ${row.requestedAt})`
}

export async function updateLease({ sql }: WriteTx, row: LeaseRow): Promise<void> {
  await sql`
    update leases set version = ${row.version}, opened_at = ${row.openedAt},
      expires_at = ${row.expiresAt}, ended_at = ${row.endedAt}, ended_by = ${row.endedBy},
      end_reason = ${row.endReason}, account = ${row.account},
      account_made_at = ${row.accountMadeAt}, account_gone_at = ${row.accountGoneAt},
      account_failed_at = ${row.accountFailedAt}
    where id = ${row.id}`
}

export async function lockLease({ sql }: WriteTx, id: string): Promise<LeaseRow | undefined> {
  const [row] = await sql<LeaseRow[]>`
    select ${columns(sql)} from leases where id = ${id} for update`
  return row
}

/** Lists leases, newest first; `after` is the id of the last one of the page before. */
export async function listLeases(
  { sql }: ReadTx,
  page: {
    readonly after: string | null
    readonly limit: number
    readonly credential: string | null
    readonly state: 'requested' | 'open' | 'ended' | null
    readonly now: Date
    /** Requests from before then have lapsed. */
    readonly askedSince: Date
  },
): Promise<LeaseRow[]> {
  const { after, limit, credential, state, now, askedSince } = page
  return sql<LeaseRow[]>`
    select ${columns(sql)} from leases
    where (${after}::text is null or id < ${after})
      and (${credential}::text is null or credential = ${credential})
      and (${state}::text is null or ${state} = case
        when ended_at is not null then 'ended'
        when opened_at is null then case when requested_at > ${askedSince} then 'requested' else 'ended' end
        when expires_at > ${now} then 'open' else 'ended' end)
    order by id desc limit ${limit}`
}

/** Counts the leases that the same holder has asked for since then. */
export async function countLeasesSince(
  { sql }: ReadTx,
  requestedBy: string,
  since: Date,
): Promise<number> {
  const [row] = await sql<[{ count: number }]>`
    select count(*)::int as count from leases
    where requested_by = ${requestedBy} and requested_at > ${since}`
  return row.count
}

/** How many leases of a credential are open, or have an account that is not known to be gone. */
export async function countHeldLeases(
  { sql }: ReadTx,
  credentialId: string,
  now: Date,
): Promise<{ readonly open: number; readonly accounts: number }> {
  const [row] = await sql<[{ open: number; accounts: number }]>`
    select
      count(*) filter (where opened_at is not null and ended_at is null and expires_at > ${now})::int as open,
      count(*) filter (where account is not null and account_gone_at is null)::int as accounts
    from leases where credential_id = ${credentialId}`
  return row
}

/**
 * Leases, at most `limit`, that are to be ended: they have expired, or whoever has them may not
 * come in any more, or their account was not made in time.
 */
export async function listOverdueLeases(
  { sql }: ReadTx,
  {
    now,
    madeBefore,
    limit,
  }: { readonly now: Date; readonly madeBefore: Date; readonly limit: number },
): Promise<string[]> {
  const rows = await sql<{ id: string }[]>`
    select id from leases l where ended_at is null and opened_at is not null
      and (expires_at <= ${now}
        or (account is not null and account_made_at is null and opened_at <= ${madeBefore})
        or not exists (select 1 from people p where p.id = l.requested_by and p.disabled_at is null
          union all select 1 from tokens t where t.line = l.requested_by and t.revoked_at is null and t.expires_at > ${now}))
    order by id limit ${limit}`
  return rows.map(({ id }) => id)
}

/** Who has open leases: at most as many as people and tokens that may have them. */
export async function listLeaseHolders({ sql }: ReadTx, now: Date): Promise<string[]> {
  const rows = await sql<{ holder: string }[]>`
    select distinct requested_by as holder from leases
    where opened_at is not null and ended_at is null and expires_at > ${now}`
  return rows.map(({ holder }) => holder)
}

/** Lists open leases of one holder, at most `limit`. */
export async function listOpenLeasesOf(
  { sql }: ReadTx,
  holder: string,
  { now, limit }: { readonly now: Date; readonly limit: number },
): Promise<string[]> {
  const rows = await sql<{ id: string }[]>`
    select id from leases
    where requested_by = ${holder} and opened_at is not null and ended_at is null
      and expires_at > ${now}
    order by id limit ${limit}`
  return rows.map(({ id }) => id)
}

/** Leases, at most `limit`, that have ended and whose account is not known to be gone. */
export async function listLeasesToClear(
  { sql }: ReadTx,
  { madeBefore, limit }: { readonly madeBefore: Date; readonly limit: number },
): Promise<LeaseRow[]> {
  return sql<LeaseRow[]>`
    select ${columns(sql)} from leases
    where account is not null and account_gone_at is null and ended_at is not null
      and (account_made_at is not null or opened_at <= ${madeBefore})
    order by account_failed_at nulls first, id limit ${limit}`
}

/** Forgets leases that ended, and requests that were made, before these times. */
export async function forgetLeases(
  { sql }: WriteTx,
  { askedBefore, endedBefore }: { readonly askedBefore: Date; readonly endedBefore: Date },
): Promise<void> {
  await sql`
    delete from leases where (opened_at is null and requested_at <= ${askedBefore})
      or (ended_at <= ${endedBefore} and (account is null or account_gone_at is not null))`
}
