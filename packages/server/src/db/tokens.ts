/** API tokens. Only the SHA-256 of the secret half is stored. */
import type { Grant, Scope } from '@seaworthy/fleet/access'
import { copyScope } from '@seaworthy/fleet/access'
import type { ReadTx, WriteTx } from './connection.ts'
import type { RightsTx } from './rights.ts'
import { isWithin } from './people.ts'
import { roleColumns } from './held-roles.ts'

export interface TokenRow extends Grant {
  readonly id: string
  readonly name: string
  /** The only networks that it works from; `null` for all. */
  readonly networks: readonly string[] | null
  readonly secretSha256: Uint8Array
  readonly createdAt: Date
  readonly createdBy: string
  readonly expiresAt: Date
  readonly lastUsedAt: Date | null
  readonly revokedAt: Date | null
  /** The token that this one replaced. */
  readonly refreshedFrom: string | null
  /** The first token of the line of those that replaced each other. */
  readonly line: string
  /** The person, or another maker that is not a token, to whom it goes back. */
  readonly holder: string
  /** What the line has spent of its allowance of being refreshed. */
  readonly refreshesUsedUntil: Date | null
}

const columns = (sql: ReadTx['sql'], table = 'tokens') => sql`
  id, name, ${roleColumns({ sql }, table)}, products, fleets, networks, secret_sha256 as "secretSha256", created_at as "createdAt",
  created_by as "createdBy", expires_at as "expiresAt", last_used_at as "lastUsedAt",
  revoked_at as "revokedAt", refreshed_from as "refreshedFrom", line, holder,
  trades_used_until as "refreshesUsedUntil"`

export async function getToken({ sql }: ReadTx, id: string): Promise<TokenRow | undefined> {
  const [row] = await sql<TokenRow[]>`select ${columns(sql)} from tokens where id = ${id}`
  return row
}

/** The person to whom the token goes back, with their name. */
export async function getTokenHolder(
  { sql }: ReadTx,
  id: string,
): Promise<{ id: string; name: string | null }> {
  const [row] = await sql<{ id: string; name: string | null }[]>`
    select t.holder as id, p.name from tokens t left join people p on p.id = t.holder
    where t.id = ${id}`
  return row!
}

export async function insertToken({ sql }: WriteTx, token: TokenRow): Promise<void> {
  await sql`
    insert into tokens (id, name, role, denied_by, products, fleets, networks, secret_sha256, created_at,
      created_by, expires_at, refreshed_from, line, holder, trades_used_until)
    values (${token.id}, ${token.name}, ${token.role}, ${[...token.deniedBy]},
      ${copyScope(token).products},
      ${copyScope(token).fleets}, ${token.networks === null ? null : [...token.networks]},
      ${Buffer.from(token.secretSha256)}, ${token.createdAt}, ${token.createdBy}, ${token.expiresAt},
      ${token.refreshedFrom}, ${token.line}, ${token.holder}, ${token.refreshesUsedUntil})`
}

/**
 * Lists the tokens that have not been revoked, have not expired, and reach no further than the
 * given scope.
 */
export async function listTokens(
  { sql }: ReadTx,
  page: { after: string; limit: number; now: Date } & Scope,
): Promise<TokenRow[]> {
  return sql<TokenRow[]>`
    select ${columns(sql)} from tokens
    where id > ${page.after} and revoked_at is null and expires_at > ${page.now}
      and ${isWithin({ sql }, page)}
    order by id limit ${page.limit}`
}

/** How many tokens that go back to the holder still work. */
export async function countWorkingTokens(
  { sql }: ReadTx,
  holder: string,
  now: Date,
): Promise<number> {
  const [row] = await sql<[{ count: number }]>`
    select count(*)::int as count from tokens
    where holder = ${holder} and revoked_at is null and expires_at > ${now}`
  return row.count
}

/** Answers false when there is no such token, or it was revoked before. */
export async function revokeToken({ sql }: RightsTx, id: string, now: Date): Promise<boolean> {
  const rows = await sql`
    update tokens set revoked_at = ${now} where id = ${id} and revoked_at is null`
  return rows.count === 1
}

export async function touchToken({ sql }: WriteTx, id: string, now: Date): Promise<void> {
  await sql`update tokens set last_used_at = ${now} where id = ${id}`
}

/** Whether anybody has ever signed in. */
export async function wasAnyTokenUsed({ sql }: ReadTx): Promise<boolean> {
  const rows = await sql`select 1 from tokens where last_used_at is not null limit 1`
  return rows.length > 0
}

export async function revokeAllTokens({ sql }: RightsTx, now: Date): Promise<number> {
  const rows = await sql`update tokens set revoked_at = ${now} where revoked_at is null`
  return rows.count
}

/**
 * The maker, and the tokens that go back to it at however many removes: a token that was refreshed,
 * or made by another token, is its maker's too. A token stands for its whole line, however long
 * that is: the walk takes one step for each token that was made, none for one that was refreshed.
 * At most one for each refresh that the allowances of these tokens have let through.
 */
export async function listMakers({ sql }: ReadTx, maker: string): Promise<string[]> {
  const rows = await sql<{ id: string }[]>`
    with recursive lines as (
      select line from tokens where id = ${maker} or holder = ${maker}
      union
      select made.line from lines
        join tokens t on t.line = lines.line
        join tokens made on made.created_by = t.id
    )
    select id from tokens where line in (select line from lines)
    union select ${maker}::text`
  return rows.map(({ id }) => id)
}

/** Finds those of the tokens that still work. At most one for each id. */
export async function listWorkingTokens(
  { sql }: ReadTx,
  ids: readonly string[],
  now: Date,
): Promise<TokenRow[]> {
  return sql<TokenRow[]>`
    select ${columns(sql)} from tokens
    where id = any(${[...ids]}) and revoked_at is null and expires_at > ${now} order by id`
}

/** The token, or the newest one that has replaced it. */
export async function findHeir({ sql }: ReadTx, id: string): Promise<TokenRow | undefined> {
  const [row] = await sql<TokenRow[]>`
    select ${columns(sql, 'heir')} from tokens heir
    where line = (select line from tokens where id = ${id})
      and not exists (select from tokens next where next.refreshed_from = heir.id)`
  return row
}
