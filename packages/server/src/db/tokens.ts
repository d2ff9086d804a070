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
}

const columns = (sql: ReadTx['sql']) => sql`
  id, name, role, products, fleets, secret_sha256 as "secretSha256", created_at as "createdAt",
  created_by as "createdBy", expires_at as "expiresAt", last_used_at as "lastUsedAt",
  revoked_at as "revokedAt"`

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
    insert into tokens (id, name, role, products, fleets, secret_sha256, created_at, created_by, expires_at)
    values (${token.id}, ${token.name}, ${token.role},
      ${token.products === null ? null : [...token.products]},
      ${token.fleets === null ? null : [...token.fleets]},
      ${Buffer.from(token.secretSha256)}, ${token.createdAt}, ${token.createdBy}, ${token.expiresAt})`
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

export async function revokeAllTokens({ sql }: RightsTx, now: Date): Promise<void> {
  await sql`update tokens set revoked_at = ${now} where revoked_at is null`
}

/**
 * The tokens that work and go back to this maker, at however many removes: a token that was
 * refreshed, or made by another token, is its maker's too.
 */
export async function listTokensBy({ sql }: ReadTx, maker: string, now: Date): Promise<TokenRow[]> {
  return sql<TokenRow[]>`
    with recursive made as (
      select id from tokens where created_by = ${maker}
      union select t.id from tokens t join made m on t.created_by = m.id
    )
    select ${columns(sql)} from tokens
    where id in (select id from made) and revoked_at is null and expires_at > ${now}`
}
