/** API tokens. Of the secret half only the SHA-256 is stored. */
import type { Grant, Scope, TokenRole } from '@seaworthy/fleet/access'
import type { ReadTx, WriteTx } from './connection.ts'
import type { RightsTx } from './people.ts'

export interface TokenRow extends Grant {
  readonly id: string
  readonly name: string
  readonly role: TokenRole
  readonly secretSha256: Uint8Array
  readonly createdAt: Date
  readonly createdBy: string
  readonly expiresAt: Date
  readonly lastUsedAt: Date | null
  readonly revokedAt: Date | null
  /** The token that this one replaced. */
  readonly refreshedFrom: string | null
}

const columns = (sql: ReadTx['sql']) => sql`
  id, name, role, products, fleets, secret_sha256 as "secretSha256", created_at as "createdAt",
  created_by as "createdBy", expires_at as "expiresAt", last_used_at as "lastUsedAt",
  revoked_at as "revokedAt", refreshed_from as "refreshedFrom"`

export async function getToken({ sql }: ReadTx, id: string): Promise<TokenRow | undefined> {
  const [row] = await sql<TokenRow[]>`select ${columns(sql)} from tokens where id = ${id}`
  return row
}

/** The first maker of the token, at however many removes. */
export async function getTokenHolder(
  { sql }: ReadTx,
  id: string,
): Promise<{ id: string; name: string | null }> {
  const [row] = await sql<{ id: string; name: string | null }[]>`
    with recursive makers as (
      select created_by from tokens where id = ${id}
      union select t.created_by from tokens t join makers m on t.id = m.created_by
    )
    select m.created_by as id, p.name from makers m left join people p on p.id = m.created_by
    where not exists (select from tokens t where t.id = m.created_by)`
  return row!
}

export async function insertToken({ sql }: WriteTx, token: TokenRow): Promise<void> {
  await sql`
    insert into tokens (id, name, role, products, fleets, secret_sha256, created_at, created_by, expires_at,
      refreshed_from)
    values (${token.id}, ${token.name}, ${token.role},
      ${token.products === null ? null : [...token.products]},
      ${token.fleets === null ? null : [...token.fleets]},
      ${Buffer.from(token.secretSha256)}, ${token.createdAt}, ${token.createdBy}, ${token.expiresAt},
      ${token.refreshedFrom})`
}

/**
 * Lists the tokens that have not been revoked, have not expired, and reach no further than the
 * given scope.
 */
export async function listTokens(
  { sql }: ReadTx,
  page: { after: string; limit: number; now: Date } & Scope,
): Promise<TokenRow[]> {
  const products = page.products === null ? null : [...page.products]
  const fleets = page.fleets === null ? null : [...page.fleets]
  return sql<TokenRow[]>`
    select ${columns(sql)} from tokens
    where id > ${page.after} and revoked_at is null and expires_at > ${page.now}
      and (${products}::text[] is null or coalesce(products <@ ${products}::text[], false))
      and (${fleets}::text[] is null or coalesce(fleets <@ ${fleets}::text[], false))
    order by id limit ${page.limit}`
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
 * or made by another token, is its maker's too. A token that replaced others stands for them.
 */
export async function listMakers({ sql }: ReadTx, maker: string): Promise<string[]> {
  const rows = await sql<{ id: string }[]>`
    with recursive line as (
      select ${maker}::text as id
      union select t.refreshed_from from tokens t join line l on t.id = l.id
      where t.refreshed_from is not null
    ), made as (
      select id from line
      union select t.id from tokens t join made m on t.created_by = m.id
    )
    select id from made`
  return rows.map(({ id }) => id)
}

/** Those of the tokens that work. */
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
    with recursive line as (
      select ${id}::text as heir, 0 as place
      union all select t.id, l.place + 1 from tokens t join line l on t.refreshed_from = l.heir
    )
    select ${columns(sql)} from tokens join line on id = heir order by place desc limit 1`
  return row
}
