/**
 * Publishes signed documents with a new snapshot and a new timestamp in the caller's transaction,
 * and verifies the whole.
 */
import { formatInstant } from '@seaworthy/std/time'
import type { Metadata, RootSigned, SnapshotSigned, TimestampSigned } from '@seaworthy/trust/tuf'
import {
  buildSnapshot,
  buildTimestamp,
  defaultTufLimits,
  expiryOf,
  parseMetadata,
  signMetadata,
} from '@seaworthy/trust/tuf'
import type { MasterKey } from '../../config/master-key.ts'
import { appendAudit } from '../../db/audit-log.ts'
import type { WriteTx } from '../../db/connection.ts'
import { insertMetadata, lockPublication, notifyMetadata } from '../../db/metadata.ts'
import type { App, TrustPlane, TrustState } from '../app.ts'
import { destroyReplacedKeys, requireOnlineSigner } from './online-keys.ts'
import { renewalDue } from './metadata-renewal.ts'
import type { OnlineTimes } from './metadata-renewal.ts'
import { loadTrustState, sha256Hex } from './trust-plane.ts'

export interface PublicationDeps {
  readonly masterKey: MasterKey
  readonly trust: Pick<TrustPlane, 'state'>
}

/** Metadata with the signatures of its offline keys. */
export interface SignedDocument {
  readonly role: string
  readonly version: number
  readonly bytes: Uint8Array
}

/**
 * `before` must have been loaded in this transaction, under `lockPublication`. Everything is loaded
 * and verified again from the anchor before the caller may commit: what devices would refuse is
 * never published.
 */
export async function publish(
  tx: WriteTx,
  deps: PublicationDeps,
  before: TrustState | undefined,
  publication: { documents: readonly SignedDocument[]; actor: string; now: Date },
): Promise<void> {
  const { documents, actor, now } = publication
  for (const document of documents) await store(tx, document, actor, now)
  const files = new Map<string, { version: number; bytes: Uint8Array }>()
  for (const [role, { signed, bytes }] of before?.roles ?? []) {
    files.set(role, { version: signed.version, bytes })
  }
  for (const document of documents) {
    if (document.role !== 'root') files.set(document.role, document)
  }
  const newRoot = documents.find(({ role }) => role === 'root')
  const root =
    newRoot === undefined
      ? before!.root.signed
      : (await parseMetadata('root', newRoot.bytes, 'strict')).signed
  const signing: Signing = { tx, masterKey: deps.masterKey, root, now }
  const snapshot = await makeSnapshot(signing, before?.snapshot, files)
  const timestamp = await makeTimestamp(signing, before?.timestamp, snapshot)
  await store(tx, snapshot, 'server', now)
  await store(tx, timestamp, 'server', now)
  await loadTrustState(tx, deps.masterKey, deps.trust.state())
  if (newRoot !== undefined) await destroyReplacedKeys(tx, deps.masterKey, root)
  await notifyMetadata(tx)
}

/** What a signature of an online role needs. */
interface Signing {
  readonly tx: WriteTx
  readonly masterKey: MasterKey
  /** The root that names the keys. */
  readonly root: RootSigned
  readonly now: Date
}

/**
 * Renews timestamp and snapshot when they are due. Whether they are is first looked up in memory.
 */
export async function renewMetadata(
  app: Pick<App, 'clock' | 'db' | 'log' | 'masterKey' | 'trust'>,
): Promise<void> {
  const known = await app.trust.freshState()
  const now = app.clock.now()
  if (known === undefined || !renewalDue(onlineTimes(known), now).isAnything) return
  const renewed = await app.db.write(async (tx) => {
    await lockPublication(tx)
    const state = await loadTrustState(tx, app.masterKey, app.trust.state())
    return state === undefined ? [] : renewDueRoles(tx, app, state, await tx.now())
  })
  if (renewed.length === 0) return
  app.log.info('metadata.renewed', { roles: renewed })
  await app.trust.reload()
}

function onlineTimes({ publishedAt, snapshot, timestamp }: TrustState): OnlineTimes {
  return {
    snapshot: { publishedAt: publishedAt.get('snapshot'), expires: snapshot.signed.expires },
    timestamp: { publishedAt: publishedAt.get('timestamp'), expires: timestamp.signed.expires },
  }
}

async function renewDueRoles(
  tx: WriteTx,
  deps: PublicationDeps,
  before: TrustState,
  now: Date,
): Promise<string[]> {
  const { isAnything, isSnapshotDue } = renewalDue(onlineTimes(before), now)
  if (!isAnything) return []
  const renewed: SignedDocument[] = []
  const signing: Signing = { tx, masterKey: deps.masterKey, root: before.root.signed, now }
  let snapshot: SignedDocument = {
    role: 'snapshot',
    version: before.snapshot.signed.version,
    bytes: before.snapshot.bytes,
  }
  if (isSnapshotDue) {
    const files = new Map(
      [...before.roles].map(([role, { signed, bytes }]) => [
        role,
        { version: signed.version, bytes },
      ]),
    )
    snapshot = await makeSnapshot(signing, before.snapshot, files)
    renewed.push(snapshot)
  }
  renewed.push(await makeTimestamp(signing, before.timestamp, snapshot))
  for (const document of renewed) await store(tx, document, 'server', now)
  await loadTrustState(tx, deps.masterKey, deps.trust.state())
  await notifyMetadata(tx)
  return renewed.map(({ role }) => role)
}

async function makeSnapshot(
  { tx, masterKey, root, now }: Signing,
  before: Metadata<SnapshotSigned> | undefined,
  files: ReadonlyMap<string, { version: number; bytes: Uint8Array }>,
): Promise<SignedDocument> {
  const signed = await buildSnapshot(before?.signed, files, expiryOf('snapshot', now))
  const bytes = await signMetadata(signed, [
    await requireOnlineSigner(tx, masterKey, 'snapshot', root),
  ])
  return { role: 'snapshot', version: signed.version, bytes }
}

async function makeTimestamp(
  { tx, masterKey, root, now }: Signing,
  before: Metadata<TimestampSigned> | undefined,
  snapshot: SignedDocument,
): Promise<SignedDocument> {
  const signed = await buildTimestamp(before?.signed, snapshot, {
    signedAt: now,
    expiresAt: expiryOf('timestamp', now),
  })
  const bytes = await signMetadata(signed, [
    await requireOnlineSigner(tx, masterKey, 'timestamp', root),
  ])
  return { role: 'timestamp', version: signed.version, bytes }
}

/**
 * Stores a document. Every version is an entry of the log, so a stolen key cannot be used in
 * secret.
 */
async function store(
  tx: WriteTx,
  document: SignedDocument,
  actor: string,
  now: Date,
): Promise<void> {
  await insertMetadata(tx, { ...document, publishedAt: now })
  const type = typeOf(document.role)
  const { signatures, signed } = await parseMetadata(
    type,
    document.bytes,
    'strict',
    defaultTufLimits,
  )
  await appendAudit(tx, {
    actor,
    action: 'trust.publish',
    subject: `${document.role}/${document.version}`,
    outcome: 'done',
    detail: {
      sha256: sha256Hex(document.bytes),
      expires: formatInstant(new Date(signed.expires)),
      signedBy: signatures.map(({ keyid }) => keyid),
    },
  })
}

function typeOf(role: string): 'root' | 'snapshot' | 'timestamp' | 'targets' {
  return role === 'root' || role === 'snapshot' || role === 'timestamp' ? role : 'targets'
}
