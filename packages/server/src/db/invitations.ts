/** Invitations. Only the SHA-256 of the code in the link is stored. */
import type { Grant, Scope } from '@seaworthy/fleet/access'
import { copyScope } from '@seaworthy/fleet/access'
import type { ReadTx, WriteTx } from './connection.ts'
import type { RightsTx } from './rights.ts'
import { isWithin } from './people.ts'
import { roleColumns } from './held-roles.ts'

export interface InvitationRow extends Grant {
  readonly id: string
  readonly codeSha256: Uint8Array
  readonly name: string | null
  readonly email: string | null
  /** The person who gets a new passkey by it; `null` for somebody new. */
  readonly personId: string | null
  readonly createdAt: Date
  readonly createdBy: string
  readonly expiresAt: Date
  readonly usedAt: Date | null
  readonly revokedAt: Date | null
}

const columns = (sql: ReadTx['sql']) => sql`
  id, code_sha256 as "codeSha256", name, email, person_id as "personId", ${roleColumns({ sql }, 'invitations')}, products, fleets,
  created_at as "createdAt", created_by as "createdBy", expires_at as "expiresAt",
  used_at as "usedAt", revoked_at as "revokedAt"`

export async function insertInvitation({ sql }: WriteTx, row: InvitationRow): Promise<void> {
  await sql`
    insert into invitations (id, code_sha256, name, email, person_id, role, denied_by, products, fleets,
      created_at, created_by, expires_at)
    values (${row.id}, ${Buffer.from(row.codeSha256)}, ${row.name}, ${row.email}, ${row.personId},
      ${row.role}, ${[...row.deniedBy]}, ${copyScope(row).products},
      ${copyScope(row).fleets}, ${row.createdAt}, ${row.createdBy},
      ${row.expiresAt})`
}

export async function findInvitation(
  { sql }: ReadTx,
  codeSha256: Uint8Array,
): Promise<InvitationRow | undefined> {
  const [row] = await sql<InvitationRow[]>`
    select ${columns(sql)} from invitations where code_sha256 = ${Buffer.from(codeSha256)}`
  return row
}

export async function getInvitation(
  { sql }: ReadTx,
  id: string,
): Promise<InvitationRow | undefined> {
  const [row] = await sql<InvitationRow[]>`
    select ${columns(sql)} from invitations where id = ${id}`
  return row
}

/** How many open invitations the holder has made, also by tokens. */
export async function countOpenInvitations(
  { sql }: ReadTx,
  holder: string,
  now: Date,
): Promise<number> {
  const [row] = await sql<[{ count: number }]>`
    select count(*)::int as count from invitations
    where (created_by = ${holder} or created_by in (select id from tokens where holder = ${holder}))
      and used_at is null and revoked_at is null and expires_at > ${now}`
  return row.count
}

/** Lists the open invitations that reach no further than the given scope, by id. */
export async function listInvitations(
  { sql }: ReadTx,
  page: { after: string; limit: number; now: Date } & Scope,
): Promise<InvitationRow[]> {
  return sql<InvitationRow[]>`
    select ${columns(sql)} from invitations
    where id > ${page.after} and used_at is null and revoked_at is null
      and expires_at > ${page.now} and ${isWithin({ sql }, page)}
    order by id limit ${page.limit}`
}

/** Answers false when it was used or revoked before. */
export async function useInvitation({ sql }: RightsTx, id: string, now: Date): Promise<boolean> {
  const rows = await sql`
    update invitations set used_at = ${now}
    where id = ${id} and used_at is null and revoked_at is null`
  return rows.count === 1
}

/** Answers false when it was used or revoked before. */
export async function revokeInvitation({ sql }: RightsTx, id: string, now: Date): Promise<boolean> {
  const rows = await sql`
    update invitations set revoked_at = ${now}
    where id = ${id} and used_at is null and revoked_at is null`
  return rows.count === 1
}

/**
 * Open invitations to the person, whoever made them. At most as many as people with the right to
 * invite have made.
 */
export async function listInvitationsTo(
  { sql }: ReadTx,
  personId: string,
): Promise<InvitationRow[]> {
  return sql<InvitationRow[]>`
    select ${columns(sql)} from invitations
    where person_id = ${personId} and used_at is null and revoked_at is null`
}

/**
 * Open invitations that one of them made. At most as many as people with the right to invite have
 * made.
 */
export async function listInvitationsOf(
  { sql }: ReadTx,
  makers: readonly string[],
): Promise<InvitationRow[]> {
  return sql<InvitationRow[]>`
    select ${columns(sql)} from invitations
    where created_by = any(${[...makers]}) and used_at is null and revoked_at is null`
}

export async function revokeAllInvitations({ sql }: RightsTx, now: Date): Promise<number> {
  const rows = await sql`
    update invitations set revoked_at = ${now} where used_at is null and revoked_at is null`
  return rows.count
}
