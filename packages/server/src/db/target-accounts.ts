/**
 * Accounts in a PostgreSQL that is not ours, made for one lease and dropped at its end. Each step
 * may be repeated without harm, and takes one connection that ends soon.
 */
import { createHash, createHmac } from 'node:crypto'
import { base64Encode, utf8Encode } from '@seaworthy/std/bytes'
import type { Random } from '@seaworthy/std/random'
import { parseDatabaseUrl } from '../config/database-url.ts'
import { openDatabaseSocket, readDatabaseAddress } from './address.ts'
import { postgres } from './driver.ts'

export interface TargetAccount {
  /** The address of the PostgreSQL, with an account that may make others. */
  readonly url: string
  readonly name: string
}

type Target = Awaited<ReturnType<typeof connect>>

async function connect(url: string) {
  const address = await readDatabaseAddress(parseDatabaseUrl(url))
  if (address.kind !== 'server') throw new Error('a URL names a server')
  const { host, port, user: username, password, database } = address
  const settings = {
    ...{ max: 1, ssl: false, connect_timeout: 10, idle_timeout: 5 },
    socket: () => openDatabaseSocket(address),
    onnotice: () => undefined,
    connection: { application_name: 'seaworthy', statement_timeout: 10_000, lock_timeout: 5000 },
  }
  return postgres({ ...settings, host, port, username, password, database })
}

async function withTarget<T>(url: string, work: (sql: Target) => Promise<T>): Promise<T> {
  const sql = await connect(url)
  try {
    return await work(sql)
  } finally {
    await sql.end({ timeout: 1 })
  }
}

/** Safe between quotes: `api` admits only names of roles without one. */
const named = (name: string) => `"${name}"`

/** Makes the account. It cannot sign in after `until`, whatever becomes of this server. */
export async function makeAccount(
  { url, name }: TargetAccount,
  {
    memberOf,
    password,
    until,
    random,
  }: {
    readonly memberOf: string
    readonly password: string
    readonly until: Date
    readonly random: Random
  },
): Promise<void> {
  const verifier = await scramVerifier(password, random)
  await withTarget(url, (sql) =>
    sql.unsafe(
      `create role ${named(name)} login password '${verifier}' valid until '${until.toISOString()}' in role ${named(memberOf)}`,
    ),
  )
}

/**
 * Drops the account and ends its connections; what it owns goes to the account of the URL. It is
 * no error that there is none.
 */
export async function dropAccount({ url, name }: TargetAccount): Promise<void> {
  await withTarget(url, async (sql) => {
    const found = await sql`select 1 from pg_roles where rolname = ${name}`
    if (found.length === 0) return
    await sql.unsafe(`alter role ${named(name)} nologin valid until '-infinity'`)
    await sql.unsafe(`grant ${named(name)} to current_user`)
    await sql`
      select pg_terminate_backend(pid, 5000) from pg_stat_activity
      where usename = ${name} and pid <> pg_backend_pid()`
    await sql.unsafe(`reassign owned by ${named(name)} to current_user`)
    await sql.unsafe(`drop owned by ${named(name)}`)
    await sql.unsafe(`drop role ${named(name)}`)
  })
}

const iterations = 4096

/**
 * What PostgreSQL stores of a password (SCRAM-SHA-256, RFC 5803). The password itself is in no
 * statement, which the server may log.
 */
async function scramVerifier(password: string, random: Random): Promise<string> {
  const salt = random.bytes(16)
  const key = await crypto.subtle.importKey('raw', utf8Encode(password), 'PBKDF2', false, [
    'deriveBits',
  ])
  const how = { name: 'PBKDF2', salt, iterations, hash: 'SHA-256' }
  const salted = new Uint8Array(await crypto.subtle.deriveBits(how, key, 256))
  const keyed = (what: string) => createHmac('sha256', salted).update(what).digest()
  const storedKey = createHash('sha256').update(keyed('Client Key')).digest()
  const [a, b, c] = [salt, storedKey, keyed('Server Key')].map(base64Encode)
  return `SCRAM-SHA-256$${iterations}:${a}$${b}:${c}`
}
