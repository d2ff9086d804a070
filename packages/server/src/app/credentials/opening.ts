/**
 * What a lease hands out, and how it ends. The lease is on record before a credential is opened or
 * an account is made, and an account's end is on record only after it is gone: so a crash in
 * between leaves nothing that nobody knows of.
 */
import { permissionsOf, reachesEverything } from '@seaworthy/fleet/access'
import { hexEncode, utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import { quoted } from '@seaworthy/std/printable'
import { Refusal } from '@seaworthy/std/refusal'
import { dayMs, minuteMs } from '@seaworthy/std/time'
import { appendAudit } from '../../db/audit-log.ts'
import type { ReadTx, WriteTx } from '../../db/connection.ts'
import { readClock } from '../../db/connection.ts'
import type { LeaseEnd, LeaseRow } from '../../db/leases.ts'
import * as db from '../../db/leases.ts'
import type { StoredCredentialRow } from '../../db/stored-credentials.ts'
import { getStoredCredential } from '../../db/stored-credentials.ts'
import { dropAccount, makeAccount } from '../../db/target-accounts.ts'
import { findMaker } from '../access/index.ts'
import type { App } from '../app.ts'
import type { LeaseRefusal } from '../refusals.ts'
import { openCredential, requireCredentialKey } from './envelope.ts'
import { finishLease, requestMs } from './leases.ts'

type Deps = Pick<App, 'callerLog' | 'credentialKey' | 'db' | 'random'>

/** An account has been made by then or never will be: every step of making one is shorter. */
const makingMs = 2 * minuteMs
const batchMax = 20
const keptMs = 366 * dayMs
const passwordBytes = 24

/**
 * Opens the credential of a lease that is on record as open, or makes its account. Where that
 * fails, the lease ends. Throws `credential_key_missing`, `credential_key_wrong`,
 * `lease_target_failed`, `lease_closed`.
 */
export async function handOut(
  app: Deps,
  { lease, credential }: { readonly lease: LeaseRow; readonly credential: StoredCredentialRow },
): Promise<Uint8Array> {
  try {
    const value = await openCredential(requireCredentialKey(app), credential)
    if (lease.account === null) return value
    return await makeLeased(app, { ...lease, account: lease.account }, credential, value)
  } catch (error) {
    await app.db.write((tx) => endByServer(tx, lease.id, 'failed'))
    throw error
  }
}

async function makeLeased(
  app: Deps,
  lease: LeaseRow & { readonly account: string },
  { target, memberOf }: StoredCredentialRow,
  value: Uint8Array,
): Promise<Uint8Array> {
  const url = utf8Decode(value).trim()
  const account = { url, name: lease.account }
  const password = hexEncode(app.random.bytes(passwordBytes))
  try {
    await makeAccount(account, {
      ...{ memberOf: memberOf!, password, until: lease.expiresAt!, random: app.random },
    })
  } catch (cause) {
    app.callerLog.warn(lease.requestedBy, 'lease.account-not-made', { target, error: cause })
    throw new Refusal<LeaseRefusal>(
      'lease_target_failed',
      `${target} made no account: ${quoted(cause instanceof Error ? cause.message : 'it failed')}`,
      { cause },
    )
  }
  const isOpen = await app.db.write(async (tx) => {
    const now = await db.lockLease(tx, lease.id)
    if (now?.endedAt !== null) return false
    await db.updateLease(tx, { ...now, accountMadeAt: await tx.now() })
    return true
  })
  if (!isOpen) {
    await dropAccount(account)
    throw new Refusal<LeaseRefusal>('lease_closed', 'this lease was ended at the same moment')
  }
  const own = new URL(url)
  own.username = lease.account
  own.password = password
  return utf8Encode(own.href)
}

/** Ends what is due, drops accounts whose lease has ended, and forgets what is long over. */
export async function sweepLeases(app: Deps): Promise<void> {
  const now = await readClock(app.db.reader)
  const ago = (ms: number) => new Date(now.getTime() - ms)
  const madeBefore = ago(makingMs)
  const due = await db.listOverdueLeases(app.db.reader, { now, madeBefore, limit: batchMax })
  for (const id of [...due, ...(await listBarred(app.db.reader, now))]) {
    await app.db.write((tx) => endByServer(tx, id, undefined))
  }
  const ended = await db.listLeasesToClear(app.db.reader, { madeBefore, limit: batchMax })
  for (const lease of ended) await clearAccount(app, lease)
  await app.db.write((tx) =>
    db.forgetLeases(tx, { askedBefore: ago(2 * requestMs), endedBefore: ago(keptMs) }),
  )
}

/**
 * Lists leases, at most a batch of each holder, of those who may not borrow any more: they were
 * disabled or revoked, a scope limits them, or their role does not allow it now.
 */
async function listBarred(tx: ReadTx, now: Date): Promise<string[]> {
  const barred: string[][] = []
  for (const holder of await db.listLeaseHolders(tx, now)) {
    if (await mayBorrow(tx, holder)) continue
    barred.push(await db.listOpenLeasesOf(tx, holder, { now, limit: batchMax }))
  }
  return barred.flat()
}

async function mayBorrow(tx: ReadTx, holder: string): Promise<boolean> {
  const found = await findMaker(tx, holder)
  return (
    found !== undefined &&
    !found.hasEnded &&
    reachesEverything(found.grant) &&
    permissionsOf(found.grant).includes('credential:lease')
  )
}

/** Without a reason, the lease ends for the one for which it is due. */
async function endByServer(tx: WriteTx, id: string, reason: LeaseEnd | undefined): Promise<void> {
  const lease = await db.lockLease(tx, id)
  if (lease === undefined || lease.endedAt !== null) return
  const now = await tx.now()
  const hasExpired = lease.expiresAt !== null && lease.expiresAt.getTime() <= now.getTime()
  const wasMade = lease.account === null || lease.accountMadeAt !== null
  const due: LeaseEnd = hasExpired ? 'expired' : wasMade ? 'revoked' : 'failed'
  await finishLease(tx, lease, reason ?? due, 'server', now)
  await appendAudit(tx, {
    ...{ actor: 'server', action: 'lease.end', subject: id, outcome: 'done' },
    detail: { credential: lease.credential, endReason: reason ?? due },
  })
}

/**
 * Drops the account of a lease that has ended, where it was made. When it cannot be dropped now,
 * that is said once in the audit log, and tried again.
 */
async function clearAccount(app: Deps, lease: LeaseRow): Promise<void> {
  const { id, account, credential: name } = lease
  if (account === null || lease.accountGoneAt !== null) return
  try {
    const credential = await getStoredCredential(app.db.reader, name)
    if (credential?.id !== lease.credentialId) throw new Error('its credential was removed')
    const value = await openCredential(requireCredentialKey(app), credential)
    await dropAccount({ url: utf8Decode(value).trim(), name: account })
  } catch (error) {
    app.callerLog.error(lease.requestedBy, 'lease.account-stays', { lease: id, account, error })
    if (lease.accountFailedAt === null) await noteAccount(app, id, 'accountFailedAt')
    return
  }
  await noteAccount(app, id, 'accountGoneAt')
}

/** Drops the account of a lease that somebody has just ended; one that is being made is left. */
export async function clearMadeAccount(app: Deps, lease: LeaseRow): Promise<void> {
  if (lease.accountMadeAt !== null) await clearAccount(app, lease)
}

async function noteAccount(
  app: Deps,
  id: string,
  what: 'accountFailedAt' | 'accountGoneAt',
): Promise<void> {
  await app.db.write(async (tx) => {
    const lease = await db.lockLease(tx, id)
    if (lease === undefined || lease[what] !== null) return
    await db.updateLease(tx, { ...lease, [what]: await tx.now() })
    const { account, credential } = lease
    await appendAudit(tx, {
      ...{ actor: 'server', subject: id, detail: { credential, account } },
      ...(what === 'accountGoneAt'
        ? { action: 'lease.account-gone', outcome: 'done' }
        : { action: 'lease.account-stays', outcome: 'alarm' }),
    })
  })
}
