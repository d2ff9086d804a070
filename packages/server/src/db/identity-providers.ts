/** Identity providers, and the accounts at them by which people sign in. */
import type { Scope } from '@seaworthy/fleet/access'
import type { ReadTx, WriteTx } from './connection.ts'
import type { RightsTx } from './rights.ts'

export interface GroupGrant extends Scope {
  readonly group: string
  readonly role: string
}

export interface IdentityProviderRow {
  readonly name: string
  /** The protocol that it speaks. */
  readonly kind: 'oidc' | 'github'
  readonly title: string
  readonly issuer: string
  readonly clientId: string
  /** `null` for a client without a secret. */
  readonly clientSecretSealed: Uint8Array | null
  readonly caPem: string | null
  readonly groupsClaim: string | null
  readonly grants: readonly GroupGrant[]
  readonly createdAt: Date
  readonly changedAt: Date
  readonly changedBy: string
}

export interface IdentityRow {
  readonly provider: string
  readonly subject: string
  readonly personId: string
  readonly account: string
  readonly createdAt: Date
  readonly lastUsedAt: Date | null
}

const columns = (sql: ReadTx['sql']) => sql`
  name, kind, title, issuer, client_id as "clientId", client_secret_sealed as "clientSecretSealed",
  ca_pem as "caPem", groups_claim as "groupsClaim", grants, created_at as "createdAt",
  changed_at as "changedAt", changed_by as "changedBy"`

const identityColumns = (sql: ReadTx['sql']) => sql`
  i.provider, i.subject, i.person_id as "personId", i.account, i.created_at as "createdAt",
  i.last_used_at as "lastUsedAt"`

/** Lists all of them, at most as many as people with the right have set up. */
export async function listIdentityProviders({ sql }: ReadTx): Promise<IdentityProviderRow[]> {
  return sql<IdentityProviderRow[]>`
    select ${columns(sql)} from identity_providers order by name`
}

export async function getIdentityProvider(
  { sql }: ReadTx,
  name: string,
): Promise<IdentityProviderRow | undefined> {
  const [row] = await sql<IdentityProviderRow[]>`
    select ${columns(sql)} from identity_providers where name = ${name}`
  return row
}

export async function writeIdentityProvider(
  { sql }: RightsTx,
  row: IdentityProviderRow,
): Promise<void> {
  const secret = row.clientSecretSealed === null ? null : Buffer.from(row.clientSecretSealed)
  const grants = row.grants.map(({ group, role, products, fleets }) => ({
    ...{ group, role },
    products: products === null ? null : [...products],
    fleets: fleets === null ? null : [...fleets],
  }))
  await sql`
    insert into identity_providers (name, kind, title, issuer, client_id, client_secret_sealed, ca_pem,
      groups_claim, grants, created_at, changed_at, changed_by)
    values (${row.name}, ${row.kind}, ${row.title}, ${row.issuer}, ${row.clientId}, ${secret}, ${row.caPem},
      ${row.groupsClaim}, ${sql.json(grants)}, ${row.createdAt}, ${row.changedAt},
      ${row.changedBy})
    on conflict (name) do update set
      title = excluded.title, client_id = excluded.client_id,
      client_secret_sealed = excluded.client_secret_sealed, ca_pem = excluded.ca_pem,
      groups_claim = excluded.groups_claim, grants = excluded.grants,
      changed_at = excluded.changed_at, changed_by = excluded.changed_by`
}

/** Deletes the provider with all links to it. */
export async function deleteIdentityProvider({ sql }: RightsTx, name: string): Promise<void> {
  await sql`update people set granted_by_provider = null where granted_by_provider = ${name}`
  await sql`delete from identities where provider = ${name}`
  await sql`delete from identity_providers where name = ${name}`
}

export async function findIdentity(
  { sql }: ReadTx,
  provider: string,
  subject: string,
): Promise<IdentityRow | undefined> {
  const [row] = await sql<IdentityRow[]>`
    select ${identityColumns(sql)} from identities i
    where i.provider = ${provider} and i.subject = ${subject}`
  return row
}

/** A person's identities and what their providers are called, at most one for each provider. */
export async function listIdentities(
  { sql }: ReadTx,
  personId: string,
): Promise<(IdentityRow & { readonly title: string })[]> {
  return sql<(IdentityRow & { title: string })[]>`
    select ${identityColumns(sql)}, p.title from identities i
    join identity_providers p on p.name = i.provider
    where i.person_id = ${personId} order by i.provider`
}

/** Lists the people who can sign in by the provider: at most all people. */
export async function listPeopleOf({ sql }: ReadTx, provider: string): Promise<string[]> {
  const rows = await sql<{ id: string }[]>`
    select person_id as id from identities where provider = ${provider} order by 1`
  return rows.map(({ id }) => id)
}

export async function insertIdentity({ sql }: WriteTx, row: IdentityRow): Promise<void> {
  await sql`
    insert into identities (provider, subject, person_id, account, created_at, last_used_at)
    values (${row.provider}, ${row.subject}, ${row.personId}, ${row.account}, ${row.createdAt},
      ${row.lastUsedAt})`
}

export async function noteIdentityUse(
  { sql }: WriteTx,
  use: Pick<IdentityRow, 'provider' | 'subject' | 'account'> & { readonly now: Date },
): Promise<void> {
  await sql`
    update identities set last_used_at = ${use.now}, account = ${use.account}
    where provider = ${use.provider} and subject = ${use.subject}`
}

/** Answers false when the person has no account there. */
export async function deleteIdentity(
  { sql }: RightsTx,
  provider: string,
  personId: string,
): Promise<boolean> {
  const rows = await sql`
    delete from identities where provider = ${provider} and person_id = ${personId}`
  return rows.count === 1
}

export async function deleteIdentitiesOf({ sql }: RightsTx, personId: string): Promise<void> {
  await sql`delete from identities where person_id = ${personId}`
}
