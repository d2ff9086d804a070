/** Command lines that wait for a person to give them a token. */
import { copyScope } from '@seaworthy/fleet/access'
import type { ReadTx, WriteTx } from './connection.ts'
import { lockKeys } from './lock-keys.ts'

export interface PairingRow {
  readonly id: string
  readonly secretSha256: Uint8Array
  readonly userCode: string
  readonly machine: string
  readonly address: string
  readonly network: string
  /** What is asked for; once it is approved, what was given. */
  readonly role: string | null
  readonly products: readonly string[] | null
  readonly fleets: readonly string[] | null
  readonly lifetimeSeconds: number
  readonly createdAt: Date
  readonly expiresAt: Date
  readonly state: 'waiting' | 'approved' | 'refused' | 'used'
  readonly decidedBy: string | null
}

const columns = (sql: ReadTx['sql']) => sql`
  id, secret_sha256 as "secretSha256", user_code as "userCode", machine, address, network, role,
  products, fleets, lifetime_seconds as "lifetimeSeconds", created_at as "createdAt",
  expires_at as "expiresAt", state, decided_by as "decidedBy"`

/** Strangers begin pairings one at a time, so that the limit on their number holds. */
export async function lockPairings({ sql }: WriteTx): Promise<void> {
  await sql`select pg_advisory_xact_lock(${lockKeys.pairings}::int)`
}

export async function forgetPairings({ sql }: WriteTx, expiredBefore: Date): Promise<void> {
  await sql`delete from pairings where expires_at < ${expiredBefore}`
}

/** How many wait for a person, in all and from one network. */
export async function countPairings(
  { sql }: ReadTx,
  network: string,
  now: Date,
): Promise<{ all: number; ofNetwork: number }> {
  const [row] = await sql<{ all: number; ofNetwork: number }[]>`
    select count(*)::int as all, (count(*) filter (where network = ${network}))::int as "ofNetwork"
    from pairings where state = 'waiting' and expires_at > ${now}`
  return row!
}

/** Answers false when the short code is in use. */
export async function insertPairing({ sql }: WriteTx, row: PairingRow): Promise<boolean> {
  const rows = await sql`
    insert into pairings (id, secret_sha256, user_code, machine, address, network, role, products,
      fleets, lifetime_seconds, created_at, expires_at)
    values (${row.id}, ${Buffer.from(row.secretSha256)}, ${row.userCode}, ${row.machine},
      ${row.address}, ${row.network}, ${row.role},
      ${copyScope(row).products},
      ${copyScope(row).fleets}, ${row.lifetimeSeconds}, ${row.createdAt},
      ${row.expiresAt})
    on conflict (user_code) do nothing`
  return rows.count === 1
}

export async function findPairing(
  { sql }: ReadTx,
  userCode: string,
): Promise<PairingRow | undefined> {
  const [row] = await sql<PairingRow[]>`
    select ${columns(sql)} from pairings where user_code = ${userCode}`
  return row
}

export async function getPairing({ sql }: ReadTx, id: string): Promise<PairingRow | undefined> {
  const [row] = await sql<PairingRow[]>`select ${columns(sql)} from pairings where id = ${id}`
  return row
}

/**
 * Locks the pairing until the commit: a decision and a question about it come one after the other.
 */
export async function lockPairing({ sql }: WriteTx, id: string): Promise<PairingRow | undefined> {
  const [row] = await sql<PairingRow[]>`
    select ${columns(sql)} from pairings where id = ${id} for update`
  return row
}

export async function updatePairing({ sql }: WriteTx, row: PairingRow): Promise<void> {
  await sql`
    update pairings set role = ${row.role},
      products = ${copyScope(row).products},
      fleets = ${copyScope(row).fleets},
      state = ${row.state}, decided_by = ${row.decidedBy}
    where id = ${row.id}`
}
