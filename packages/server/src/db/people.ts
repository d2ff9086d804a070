/** People, and what they may do. */
import type { Grant, Scope } from '@seaworthy/fleet/access'
import { copyScope } from '@seaworthy/fleet/access'
import type { RightsTx } from './rights.ts'
import type { ReadTx, WriteTx } from './connection.ts'
import { roleColumns } from './held-roles.ts'

export interface PersonRow extends Grant {
  readonly id: string
  readonly name: string
  readonly email: string | null
  readonly createdAt: Date
  readonly createdBy: string
  readonly disabledAt: Date | null
  readonly lastSignInAt: Date | null
  /** The maker of the invitation by which the person came in last. */
  readonly letInBy: string
  /** The provider whose groups give the role, until somebody here changes it. */
  readonly grantedByProvider: string | null
}

export interface ListedPerson extends PersonRow {
  readonly passkeysCount: number
}

const columns = (sql: ReadTx['sql']) => sql`
  p.id, p.name, p.email, ${roleColumns({ sql }, 'p')}, p.products, p.fleets, p.created_at as "createdAt",
  p.created_by as "createdBy", p.disabled_at as "disabledAt", p.last_sign_in_at as "lastSignInAt",
  p.let_in_by as "letInBy", p.granted_by_provider as "grantedByProvider"`

const passkeysCount = (sql: ReadTx['sql']) => sql`
  (select count(*)::int from passkeys k where k.person_id = p.id) as "passkeysCount"`

export async function getPerson({ sql }: ReadTx, id: string): Promise<ListedPerson | undefined> {
  const [row] = await sql<ListedPerson[]>`
    select ${columns(sql)}, ${passkeysCount(sql)} from people p where p.id = ${id}`
  return row
}

/** Lists the people who reach no further than the given scope, and `self`. */
export async function listPeople(
  { sql }: ReadTx,
  page: { after: string; limit: number; self: string } & Scope,
): Promise<ListedPerson[]> {
  return sql<ListedPerson[]>`
    select ${columns(sql)}, ${passkeysCount(sql)} from people p
    where p.id > ${page.after} and (p.id = ${page.self} or ${isWithin({ sql }, page)})
    order by p.id limit ${page.limit}`
}

/** The people who may sign in and have no passkey. At most one for each person. */
export async function listPeopleWithoutPasskey({ sql }: ReadTx): Promise<PersonRow[]> {
  return sql<PersonRow[]>`
    select ${columns(sql)} from people p
    where p.disabled_at is null and not exists (select 1 from passkeys k where k.person_id = p.id)
    order by p.id`
}

/** Whether the columns `products` and `fleets` of a row are within the scope. */
export function isWithin({ sql }: ReadTx, scope: Scope) {
  const { products, fleets } = copyScope(scope)
  return sql`
    (${products}::text[] is null or coalesce(products <@ ${products}::text[], false))
    and (${fleets}::text[] is null or coalesce(fleets <@ ${fleets}::text[], false))`
}

export async function insertPerson({ sql }: WriteTx, person: PersonRow): Promise<void> {
  await sql`
    insert into people (id, name, email, role, denied_by, products, fleets, created_at, created_by, let_in_by,
      granted_by_provider)
    values (${person.id}, ${person.name}, ${person.email}, ${person.role}, ${[...person.deniedBy]},
      ${copyScope(person).products},
      ${copyScope(person).fleets},
      ${person.createdAt}, ${person.createdBy}, ${person.letInBy}, ${person.grantedByProvider})`
}

export async function updatePerson({ sql }: RightsTx, person: PersonRow): Promise<void> {
  await sql`
    update people set name = ${person.name}, email = ${person.email}, role = ${person.role},
      denied_by = ${[...person.deniedBy]}, products = ${copyScope(person).products},
      fleets = ${copyScope(person).fleets},
      disabled_at = ${person.disabledAt}, granted_by_provider = ${person.grantedByProvider}
    where id = ${person.id}`
}

/** Records that the person has other rights from now on, and who gave them. */
export async function noteGrant(
  { sql }: RightsTx,
  id: string,
  { at, by }: { readonly at: Date; readonly by: string },
): Promise<void> {
  await sql`update people set granted_at = ${at}, granted_by = ${by} where id = ${id}`
}

/** Records by whose invitation the person has come in anew. */
export async function noteLetIn({ sql }: RightsTx, id: string, maker: string): Promise<void> {
  await sql`update people set let_in_by = ${maker} where id = ${id}`
}

export async function noteSignIn({ sql }: WriteTx, id: string, now: Date): Promise<void> {
  await sql`update people set last_sign_in_at = ${now} where id = ${id}`
}

/** How many owners can sign in. */
export async function countOwners({ sql }: ReadTx): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select count(*)::int as count from people where role = 'owner' and disabled_at is null`
  return row!.count
}
