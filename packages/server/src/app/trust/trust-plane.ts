/**
 * The published metadata in memory, verified from its anchor. The database is not believed: what is
 * loaded must form the whole chain from the first root, whose hash is sealed under the master key.
 * Metadata that does not verify is neither served nor acted upon; the last verified state stays,
 * and the alarm is raised (T10).
 */
import { createHash } from 'node:crypto'
import { equalBytes } from '@seaworthy/std/bytes'
import { Refusal, TrustError } from '@seaworthy/std/refusal'
import type { Metadata, Release, TargetsSigned, TrustCode } from '@seaworthy/trust/tuf'
import {
  defaultTufLimits,
  delegatorOf,
  listReleases,
  parseMetadata,
  roleKindOf,
  TrustedSet,
  verifyThreshold,
} from '@seaworthy/trust/tuf'
import type { MasterKey } from '../../config/master-key.ts'
import type { Db, ReadTx } from '../../db/connection.ts'
import type { MetadataRow } from '../../db/metadata.ts'
import { getMetadata, listCurrentMetadata, newestTimestampVersion } from '../../db/metadata.ts'
import { readSecret } from '../../db/online-secrets.ts'
import type { CallerLog, Health, TrustState, TrustPlane } from '../app.ts'
import type { ServerRefusal } from '../refusals.ts'
import { anyone, createSingleflight } from '../worker/index.ts'
import { createOlderVersions } from './older-versions.ts'

/**
 * Expiry is ignored: a server that was off for long must load expired metadata in order to renew
 * it.
 */
const ignoreExpiry = new Date(0)

/**
 * Throws `TrustError` when the rows are not one whole chain from the sealed anchor. `known` is a
 * state that was verified before: roots that are byte for byte its own are not verified again, so
 * that a publication takes no longer the more roots there were.
 */
export async function loadTrustState(
  tx: ReadTx,
  masterKey: MasterKey,
  known: TrustState | undefined,
): Promise<TrustState | undefined> {
  const rows = await listCurrentMetadata(tx)
  const anchor = await readSecret(tx, 'trust-anchor')
  if (rows.length === 0 && anchor === undefined) return undefined
  const rootRows = rows.filter((row) => row.role === 'root')
  const first = rootRows[0]
  if (first === undefined || anchor === undefined) {
    throw new TrustError<TrustCode>('root_chain_broken', 'the stored roots have no anchor')
  }
  const sealed = masterKey.open('trust-anchor', anchor.version, anchor.sealed)
  if (!equalBytes(sha256(first.bytes), sealed)) {
    throw new TrustError<TrustCode>('root_chain_broken', 'the first root is not the anchored one')
  }
  return verifyRows(rows, rootRows, known?.roots ?? [])
}

async function verifyRows(
  rows: readonly MetadataRow[],
  rootRows: readonly MetadataRow[],
  knownRoots: TrustState['roots'],
): Promise<TrustState> {
  const current = new Map(rows.map((row) => [row.role, row]))
  const bytesOf = (role: string): Uint8Array => {
    const row = current.get(role)
    if (row !== undefined) return row.bytes
    throw new TrustError<TrustCode>('metadata_missing', `the database lacks ${role}`)
  }
  const isKnown = knownRoots.every(({ bytes }, at) => {
    const row = rootRows[at]
    return row !== undefined && equalBytes(row.bytes, bytes)
  })
  const before = isKnown ? knownRoots.slice(0, -1) : []
  const set = await TrustedSet.fromRoot(rootRows[before.length]!.bytes, {
    profile: 'strict',
    startAt: () => ignoreExpiry,
    limits: defaultTufLimits,
  })
  const roots = [...before, set.root]
  for (const row of rootRows.slice(roots.length)) {
    await set.updateRoot(row.bytes)
    roots.push(set.root)
  }
  await set.updateTimestamp(bytesOf('timestamp'))
  await set.updateSnapshot(bytesOf('snapshot'))
  await set.updateRole('targets', set.targetsRing(), bytesOf('targets'))
  for (const delegator of ['targets', ...delegatedNames(set.roles.get('targets'))]) {
    for (const role of delegatedNames(set.roles.get(delegator))) {
      if (delegatorOf(role) !== delegator) continue
      await set.updateRole(role, set.delegatedRing(delegator, role)!, bytesOf(role))
    }
  }
  const { timestamp, snapshot } = set
  if (timestamp === undefined || snapshot === undefined) throw new Error('the set is not whole')
  const releases = new Map<string, readonly Release[]>()
  for (const [role, metadata] of set.roles) {
    if (roleKindOf(role)?.kind === 'channel') {
      releases.set(role, listReleases(metadata.signed).releases)
    }
  }
  return {
    roots,
    root: set.root,
    timestamp,
    snapshot,
    roles: new Map(set.roles),
    releases,
    publishedAt: new Map([...current].map(([role, row]) => [role, row.publishedAt])),
  }
}

export function delegatedNames(metadata: Metadata<TargetsSigned> | undefined): string[] {
  return metadata?.signed.delegations?.roles?.map(({ name }) => name) ?? []
}

export function createTrustPlane(deps: {
  db: Db
  masterKey: MasterKey
  callerLog: CallerLog
  health: Health
}): TrustPlane {
  const { db, masterKey, callerLog, health } = deps
  let state: TrustState | undefined

  const loadOnce = async () => {
    try {
      const loaded = await db.readSnapshot((tx) => loadTrustState(tx, masterKey, state))
      const isOlder =
        state !== undefined &&
        (loaded?.timestamp.signed.version ?? 0) < state.timestamp.signed.version
      if (isOlder) {
        throw new TrustError<TrustCode>('rollback', 'the database has older metadata than before')
      }
      state = loaded
      health.report('metadata', null)
    } catch (error) {
      const isTampered = error instanceof TrustError || (error as Error).name === 'SealError'
      if (!isTampered) throw error
      callerLog.error(anyone, 'metadata.tampered', { error })
      health.report('metadata', `the stored metadata does not verify: ${(error as Error).message}`)
    }
  }
  const reload = createSingleflight(loadOnce)

  const older = createOlderVersions()
  const lookUp = createSingleflight(() => newestTimestampVersion(db.reader))
  return {
    state: () => state,
    reload,
    async freshState() {
      const newest = await lookUp()
      if (newest !== (state?.timestamp.signed.version ?? 0)) await reload()
      return state
    },
    async olderVersion(role, version) {
      const verifiedBy = state
      const known = older.get(verifiedBy, role, version)
      if (known !== undefined) return known
      const ring = ringOf(verifiedBy, role)
      const bytes = ring && (await getMetadata(db.reader, role, version))
      if (bytes === undefined) return undefined
      const type = role === 'snapshot' ? 'snapshot' : 'targets'
      try {
        const metadata = await parseMetadata(type, bytes, 'strict', defaultTufLimits)
        await verifyThreshold(ring!, metadata, role)
        if (metadata.signed.version !== version) return undefined
        if (verifiedBy === state) older.set(verifiedBy, role, version, metadata.bytes)
        return metadata.bytes
      } catch (error) {
        if (!(error instanceof TrustError)) throw error
        callerLog.warn(anyone, 'metadata.older-version-refused', { role, version, error })
        return undefined
      }
    },
  }
}

function ringOf(state: TrustState | undefined, role: string) {
  if (state === undefined) return undefined
  if (role === 'snapshot' || role === 'targets') {
    return { keys: state.root.signed.keys, role: state.root.signed.roles[role] }
  }
  const delegations = state.roles.get(delegatorOf(role) ?? '')?.signed.delegations
  const delegated = delegations?.roles?.find(({ name }) => name === role)
  return delegations && delegated ? { keys: delegations.keys, role: delegated } : undefined
}

/** Throws `not_initialized`. */
export function requireTrust(state: TrustState | undefined): TrustState {
  if (state !== undefined) return state
  throw new Refusal<ServerRefusal>(
    'not_initialized',
    'there is no root yet: run `seaworthy trust init`',
  )
}

export function sha256(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest()
}

export function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
