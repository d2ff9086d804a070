/** Roles that people have made, and who holds them. */
import type { Permission, RoleRules } from '@seaworthy/fleet/access'
import type { ReadTx } from './connection.ts'
import type { RightsTx } from './rights.ts'

export interface RoleRow extends RoleRules {
  readonly purpose: string
  readonly version: number
  readonly createdAt: Date
  readonly createdBy: string
  readonly changedAt: Date
  readonly changedBy: string
}

const columns = (sql: ReadTx['sql']) => sql`
  name, purpose, allows, denies, version, created_at as "createdAt", created_by as "createdBy",
  changed_at as "changedAt", changed_by as "changedBy"`

/** Lists all of them, at most as many as people with the right have made. */
export async function listRoles({ sql }: ReadTx): Promise<RoleRow[]> {
  return sql<RoleRow[]>`select ${columns(sql)} from roles order by name`
}

export async function getRole({ sql }: ReadTx, name: string): Promise<RoleRow | undefined> {
  const [row] = await sql<RoleRow[]>`select ${columns(sql)} from roles where name = ${name}`
  return row
}

/** What the roles of these names say. At most one for each name. */
export async function listRules({ sql }: ReadTx, names: readonly string[]): Promise<RoleRules[]> {
  return sql<RoleRules[]>`
    select name, allows, denies from roles where name = any(${[...names]}) order by name`
}

const textsOf = (permissions: readonly Permission[]): string[] => [...permissions]

export async function insertRole({ sql }: RightsTx, row: RoleRow): Promise<void> {
  await sql`
    insert into roles (name, purpose, allows, denies, version, created_at, created_by, changed_at,
      changed_by)
    values (${row.name}, ${row.purpose}, ${textsOf(row.allows)}, ${textsOf(row.denies)},
      ${row.version}, ${row.createdAt}, ${row.createdBy}, ${row.changedAt}, ${row.changedBy})`
}

export async function updateRole({ sql }: RightsTx, row: RoleRow): Promise<void> {
  await sql`
    update roles set purpose = ${row.purpose}, allows = ${textsOf(row.allows)},
      denies = ${textsOf(row.denies)}, version = ${row.version}, changed_at = ${row.changedAt},
      changed_by = ${row.changedBy}
    where name = ${row.name}`
}

export async function deleteRole({ sql }: RightsTx, name: string): Promise<void> {
  await sql`delete from roles where name = ${name}`
}

/** Who holds a role, whether it allows or only denies. */
export interface RoleHolders {
  readonly people: readonly string[]
  readonly tokens: readonly string[]
  readonly invitations: readonly string[]
  /** Identity providers of which a group gives the role. */
  readonly providers: readonly string[]
}

/**
 * Who holds which role, of those that people have made: people, disabled ones included; tokens that
 * work; invitations that are open. At most one entry for each role.
 */
export async function listHolders(
  { sql }: ReadTx,
  now: Date,
): Promise<(RoleHolders & { readonly name: string })[]> {
  return sql<(RoleHolders & { readonly name: string })[]>`
    select r.name,
      array(select p.id from people p
        where p.role = r.name or r.name = any(p.denied_by) order by p.id) as people,
      array(select t.id from tokens t
        where (t.role = r.name or r.name = any(t.denied_by)) and t.revoked_at is null
          and t.expires_at > ${now} order by t.id) as tokens,
      array(select i.id from invitations i
        where (i.role = r.name or r.name = any(i.denied_by)) and i.used_at is null
          and i.revoked_at is null and i.expires_at > ${now} order by i.id) as invitations,
      array(select distinct d.name from identity_providers d, jsonb_array_elements(d.grants) g
        where g ->> 'role' = r.name order by d.name) as providers
    from roles r`
}
