/** Credentials that people put in, replace and remove. Nobody reads them here: see `leases.ts`. */
import type { StoredCredentialView } from '@seaworthy/api/stored-credentials'
import { base64Decode, utf8Decode } from '@seaworthy/std/bytes'
import { newId } from '@seaworthy/std/ids'
import type { Refuse } from '@seaworthy/std/refusal'
import { Refusal, refuseAs } from '@seaworthy/std/refusal'
import { formatInstant } from '@seaworthy/std/time'
import { parseDatabaseUrl } from '../../config/database-url.ts'
import type { ReadTx, WriteTx } from '../../db/connection.ts'
import { countHeldLeases } from '../../db/leases.ts'
import * as db from '../../db/stored-credentials.ts'
import type { StoredCredentialRow } from '../../db/stored-credentials.ts'
import type { Actor, Current } from '../access/index.ts'
import { requireUnscoped } from '../access/index.ts'
import type { App } from '../app.ts'
import type { LeaseRefusal } from '../refusals.ts'
import type { Page, PageQuery } from '../paging.ts'
import { readPage } from '../paging.ts'
import { requireCredentialKey, sealCredential } from './envelope.ts'

const credentialsMax = 1000
const malformed: Refuse = refuseAs<LeaseRefusal>('stored_credential_malformed')

/** Throws `out_of_scope`. */
export function requireReach(actor: Actor): void {
  requireUnscoped(actor, 'stored credentials concern')
}

interface Wanted {
  readonly value: string
  readonly about?: string | undefined
  readonly memberOf?: string | undefined
}

/**
 * Reads what may be shown of a value to people who may not read it. Throws
 * `stored_credential_malformed`, which never quotes the value.
 */
function judge(
  kind: StoredCredentialRow['kind'],
  { value, memberOf }: Wanted,
): { bytes: Uint8Array; target: string | null; memberOf: string | null } {
  const bytes = base64Decode(value)
  if (bytes.length === 0) malformed('an empty credential opens nothing')
  if (kind === 'value') {
    if (memberOf !== undefined) malformed('only accounts in a PostgreSQL are members of a role')
    return { bytes, target: null, memberOf: null }
  }
  if (memberOf === undefined) malformed('say of which role there each account is a member')
  return { bytes, target: targetOf(bytes), memberOf }
}

/**
 * Where the PostgreSQL is, without the account and its password. Whoever stores a credential must
 * not reach by it what only this server can open: its own database by a socket, the password in its
 * environment, files on its disk.
 */
function targetOf(bytes: Uint8Array): string {
  try {
    const { host, port, database, password, sslRootCert, sslCert } = parseDatabaseUrl(
      utf8Decode(bytes).trim(),
    )
    if (password === '') malformed('the URL has no password')
    if (host.startsWith('/')) malformed('the URL names a socket of this server, and no host')
    if (sslRootCert !== null || sslCert !== null) {
      malformed('the URL names files, which would be those of this server')
    }
    return `${host.includes(':') ? `[${host}]` : host}:${port}/${database}`
  } catch (cause) {
    if (cause instanceof Refusal) throw cause
    malformed('it is not of the form postgres://USER:PASSWORD@HOST:PORT/DATABASE', cause)
  }
}

/** It is encrypted before there is a transaction: to ask for the key may take long. */
type Encrypted = Omit<StoredCredentialRow, 'createdAt' | 'createdBy' | 'setAt' | 'setBy'>

/**
 * Throws `out_of_scope`, `credential_key_missing`, `credential_key_wrong`,
 * `stored_credential_malformed`.
 */
export async function encryptNew(
  app: Pick<App, 'clock' | 'credentialKey' | 'random'>,
  actor: Actor,
  wanted: Wanted & { readonly name: string; readonly kind: StoredCredentialRow['kind'] },
): Promise<Encrypted> {
  requireReach(actor)
  const key = requireCredentialKey(app)
  const { name, kind, about = '' } = wanted
  const { bytes, target, memberOf } = judge(kind, wanted)
  const id = newId('credential', app.clock.now(), app.random)
  const bound = { id, name, kind, version: 1, target, memberOf }
  return { ...bound, about, ...(await sealCredential(key, bound, bytes, app.random)) }
}

/** Throws `out_of_scope`, `stored_credential_exists`, `stored_credentials_too_many`. */
export async function addCredential(
  tx: WriteTx,
  actor: Current,
  encrypted: Encrypted,
): Promise<StoredCredentialRow> {
  requireReach(actor)
  if ((await db.countStoredCredentials(tx)) >= credentialsMax) {
    throw new Refusal<LeaseRefusal>(
      'stored_credentials_too_many',
      `there are ${credentialsMax} already: remove some that nobody needs`,
    )
  }
  const now = await tx.now()
  const row = { ...encrypted, createdAt: now, createdBy: actor.id, setAt: now, setBy: actor.id }
  if (await db.insertStoredCredential(tx, row)) return row
  throw new Refusal<LeaseRefusal>('stored_credential_exists', `there is a credential ${row.name}`)
}

/** Throws what `encryptNew` throws, and `stored_credential_not_found`. */
export async function encryptNext(
  app: Pick<App, 'credentialKey' | 'db' | 'random'>,
  actor: Actor,
  name: string,
  wanted: Wanted,
): Promise<Encrypted> {
  requireReach(actor)
  const key = requireCredentialKey(app)
  const before = requireFound(await db.getStoredCredential(app.db.reader, name), name)
  const { id, kind, version } = before
  const { bytes, target, memberOf } = judge(kind, {
    ...wanted,
    memberOf: wanted.memberOf ?? before.memberOf ?? undefined,
  })
  const bound = { id, name, kind, version: version + 1, target, memberOf }
  const about = wanted.about ?? before.about
  return { ...bound, about, ...(await sealCredential(key, bound, bytes, app.random)) }
}

/**
 * Replaces the value: leases that are open keep the one before. Throws `out_of_scope`,
 * `stored_credential_not_found`, `stored_credential_changed`, `stored_credential_held`.
 */
export async function replaceCredential(
  tx: WriteTx,
  actor: Current,
  encrypted: Encrypted,
): Promise<StoredCredentialRow> {
  requireReach(actor)
  const { name, id, version, target } = encrypted
  const before = requireFound(await db.lockStoredCredential(tx, name), name)
  if (before.id !== id || before.version !== version - 1) {
    throw new Refusal<LeaseRefusal>(
      'stored_credential_changed',
      `${name} was replaced by somebody else at the same moment: look at it, and try again`,
    )
  }
  // Otherwise the accounts there could not be dropped any more.
  if (target !== before.target) await requireUnheld(tx, before)
  const row = { ...before, ...encrypted, setAt: await tx.now(), setBy: actor.id }
  await db.updateStoredCredential(tx, row)
  return row
}

/** Throws `out_of_scope`, `stored_credential_not_found`, `stored_credential_held`. */
export async function removeCredential(
  tx: WriteTx,
  actor: Current,
  name: string,
): Promise<StoredCredentialRow> {
  requireReach(actor)
  const row = requireFound(await db.lockStoredCredential(tx, name), name)
  await requireUnheld(tx, row)
  await db.deleteStoredCredential(tx, row.id)
  return row
}

/** Throws `stored_credential_held` while there are accounts that must be dropped with it. */
async function requireUnheld(tx: WriteTx, { id, name }: StoredCredentialRow): Promise<void> {
  const { accounts } = await countHeldLeases(tx, id, await tx.now())
  if (accounts === 0) return
  throw new Refusal<LeaseRefusal>(
    'stored_credential_held',
    `accounts were made with ${name} that are not dropped yet: ${accounts}; end their leases first, and wait until their accounts are gone`,
  )
}

/** Throws `stored_credential_not_found`. */
export function requireFound(
  row: StoredCredentialRow | undefined,
  name: string,
): StoredCredentialRow {
  if (row !== undefined) return row
  throw new Refusal<LeaseRefusal>('stored_credential_not_found', `there is no credential ${name}`)
}

/** Throws `out_of_scope`, `stored_credential_not_found`. */
export async function showCredential(
  tx: ReadTx,
  actor: Actor,
  name: string,
  now: Date,
): Promise<StoredCredentialView> {
  requireReach(actor)
  return viewCredential(tx, requireFound(await db.getStoredCredential(tx, name), name), now)
}

/** Throws `out_of_scope`. */
export async function listCredentials(
  tx: ReadTx,
  actor: Actor,
  query: PageQuery,
  now: Date,
): Promise<Page<StoredCredentialView>> {
  requireReach(actor)
  const { items, next } = await readPage(
    query,
    (limit) => db.listStoredCredentials(tx, { after: query.after ?? '', limit }),
    ({ name }) => name,
  )
  const views: StoredCredentialView[] = []
  for (const row of items) views.push(await viewCredential(tx, row, now))
  return { items: views, next }
}

export async function viewCredential(
  tx: ReadTx,
  row: StoredCredentialRow,
  now: Date,
): Promise<StoredCredentialView> {
  const { name, kind, version, about, target, memberOf, createdBy, setBy } = row
  const { open } = await countHeldLeases(tx, row.id, now)
  return {
    ...{ name, kind, version, about, target, memberOf, leasesOpen: open },
    ...{ createdAt: formatInstant(row.createdAt), createdBy },
    ...{ setAt: formatInstant(row.setAt), setBy },
  }
}
