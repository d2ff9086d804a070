/**
 * New metadata from old, as values: every function returns the next signed part and touches
 * nothing. Signing is separate, because the keys of most roles are elsewhere.
 */
import { hexEncode } from '@seaworthy/std/bytes'
import { formatInstant } from '@seaworthy/std/time'
import { invariant } from '@seaworthy/std/refusal'
import { keyId } from '../keys/public-key.ts'
import type { PublicKey } from '../keys/public-key.ts'
import type { Signer } from '../keys/signer.ts'
import { canonicalJson, wireJson } from './json.ts'
import type { JsonObject } from './json.ts'
import { layoutPattern } from './layout.ts'
import { specVersion, topLevelRoles } from './metadata.ts'
import type {
  AnySigned,
  ChannelMarks,
  DelegatedRole,
  Envelope,
  FileMeta,
  RootSigned,
  RoleKeys,
  RoleType,
  SnapshotSigned,
  TargetFile,
  TargetsSigned,
  TimestampSigned,
  TufSignature,
} from './metadata.ts'
import { releasePath } from './names.ts'
import { channelMarks, listReleases } from './release.ts'
import type { SignedReleaseFacts } from './release.ts'

/** The keys that speak for a role: any `threshold` of `keys`. */
export interface RoleAuthority {
  readonly keys: readonly PublicKey[]
  readonly threshold: number
}

/** The first root, unsigned, with version 1 and consistent snapshots. */
export async function buildRoot(input: {
  readonly expiresAt: Date
  readonly roles: Readonly<Record<RoleType, RoleAuthority>>
}): Promise<RootSigned> {
  const named = await nameKeys(Object.entries(input.roles))
  return {
    _type: 'root',
    spec_version: specVersion,
    version: 1,
    expires: formatInstant(input.expiresAt),
    consistent_snapshot: true,
    keys: named.keys,
    roles: named.roles as Record<RoleType, RoleKeys>,
  }
}

/**
 * The next root, with other keys or thresholds where `roles` names them. Any number of keys may go
 * at once.
 */
export async function changeRoot(
  root: RootSigned,
  change: {
    readonly expiresAt: Date
    readonly roles?: Partial<Readonly<Record<RoleType, RoleAuthority>>>
  },
): Promise<RootSigned> {
  const roles = topLevelRoles.map(
    (role) => [role, change.roles?.[role] ?? authorityOf(root.keys, root.roles[role])] as const,
  )
  const named = await nameKeys(roles)
  return {
    ...renewRole(root, change.expiresAt),
    keys: named.keys,
    roles: named.roles as Record<RoleType, RoleKeys>,
  }
}

/** An empty targets role, top-level or delegated. */
export function buildTargets(expiresAt: Date): TargetsSigned {
  return {
    _type: 'targets',
    spec_version: specVersion,
    version: 1,
    expires: formatInstant(expiresAt),
    targets: {},
  }
}

/**
 * The next version of `targets` or of a product's role, in which `authority` speaks for `role`
 * (`acme` or `acme.stable`): a new delegation, or other keys and threshold for one that exists.
 */
export async function delegateRole(
  delegator: TargetsSigned,
  delegation: {
    readonly role: string
    readonly authority: RoleAuthority
    readonly expiresAt: Date
  },
): Promise<TargetsSigned> {
  const pattern = layoutPattern(delegation.role)
  invariant(pattern !== undefined, `${delegation.role} is the name of a product or channel role`)
  const before = delegator.delegations
  const others = (before?.roles ?? []).filter(({ name }) => name !== delegation.role)
  return withDelegations(delegator, delegation.expiresAt, [
    ...others.map((role) => ({ role, authority: authorityOf(before!.keys, role) })),
    {
      role: {
        name: delegation.role,
        keyids: [],
        threshold: 1,
        terminating: true,
        paths: [pattern],
      },
      authority: delegation.authority,
    },
  ])
}

/**
 * The next version of the delegator without the delegation to `role`: its metadata is void from
 * then on.
 */
async function removeDelegation(
  delegator: TargetsSigned,
  role: string,
  expiresAt: Date,
): Promise<TargetsSigned> {
  const { keys = {}, roles = [] } = delegator.delegations ?? {}
  const others = roles.filter(({ name }) => name !== role)
  return withDelegations(
    delegator,
    expiresAt,
    others.map((other) => ({ role: other, authority: authorityOf(keys, other) })),
  )
}

/**
 * The next version of the delegator in which `role` has ended for good. The counter that it reached
 * is kept, so that whatever follows it in the product goes on from there.
 */
export async function retireRole(
  delegator: TargetsSigned,
  { role, counterHighest }: { readonly role: string; readonly counterHighest: number },
  expiresAt: Date,
): Promise<TargetsSigned> {
  const before = delegator.seaworthy
  return {
    ...(await removeDelegation(delegator, role, expiresAt)),
    seaworthy: {
      counterHighest: Math.max(before?.counterHighest ?? 0, counterHighest),
      floorHighest: before?.floorHighest ?? 0,
      retired: [...(before?.retired ?? []), role].toSorted(),
    },
  }
}

async function withDelegations(
  delegator: TargetsSigned,
  expiresAt: Date,
  delegations: readonly { readonly role: DelegatedRole; readonly authority: RoleAuthority }[],
): Promise<TargetsSigned> {
  const ordered = delegations.toSorted((a, b) => (a.role.name < b.role.name ? -1 : 1))
  const named = await nameKeys(ordered.map(({ role, authority }) => [role.name, authority]))
  return {
    ...renewRole(delegator, expiresAt),
    delegations: {
      keys: named.keys,
      roles: ordered.map(({ role }) => ({ ...role, ...named.roles[role.name]! })),
    },
  }
}

/** A release to be listed: its facts, and the length and hashes of its OCI image index. */
export interface NewRelease extends SignedReleaseFacts {
  readonly length: number
  readonly sha256: string
  readonly sha512: string
}

/** The next version of a channel's role with the release listed. */
export function addRelease(
  channel: TargetsSigned,
  release: NewRelease,
  expiresAt: Date,
): TargetsSigned {
  const path = releasePath(release.product, release.channel, release.version)
  return keepMarks({
    ...renewRole(channel, expiresAt),
    targets: { ...channel.targets, [path]: targetOf(release) },
  })
}

function keepMarks(channel: TargetsSigned): TargetsSigned {
  return { ...channel, seaworthy: channelMarks(channel) }
}

function targetOf(release: NewRelease): TargetFile {
  const { product, channel, version, counter, floor, kind, security } = release
  const seaworthy: JsonObject = {
    product,
    channel,
    version,
    counter,
    floor,
    kind,
    platforms: [...release.platforms],
    hardware: [...release.hardware],
    security,
    releasedAt: formatInstant(release.releasedAt),
  }
  return {
    length: release.length,
    hashes: { sha256: release.sha256, sha512: release.sha512 },
    custom: { seaworthy },
  }
}

/** The next version of a channel's role without the release at `path`. */
export function withdrawRelease(
  channel: TargetsSigned,
  path: string,
  expiresAt: Date,
): TargetsSigned {
  const targets = Object.entries(channel.targets).filter(([listed]) => listed !== path)
  return {
    ...keepMarks(renewRole(channel, expiresAt)),
    targets: Object.fromEntries(targets),
  }
}

/**
 * The next version of a channel's role under marks that its owners state anew. Releases above these
 * are no longer listed, nor is what is no release.
 */
export function restartMarks(
  channel: TargetsSigned,
  marks: ChannelMarks,
  expiresAt: Date,
): TargetsSigned {
  const targets = listReleases(channel)
    .releases.filter(
      ({ counter, floor }) => counter <= marks.counterHighest && floor <= marks.floorHighest,
    )
    .map(({ path }) => [path, channel.targets[path]!] as const)
  return {
    ...renewRole(channel, expiresAt),
    targets: Object.fromEntries(targets),
    seaworthy: { counterHighest: marks.counterHighest, floorHighest: marks.floorHighest },
  }
}

/** The same content with the next version and a new expiry. */
export function renewRole<S extends AnySigned>(signed: S, expiresAt: Date): S {
  return { ...signed, version: signed.version + 1, expires: formatInstant(expiresAt) }
}

/**
 * The next snapshot, which names `files` by role: `targets` and every delegated role. What the
 * previous one named stays named, or clients would see a rollback (5.5.5).
 */
export async function buildSnapshot(
  previous: SnapshotSigned | undefined,
  files: ReadonlyMap<string, { readonly version: number; readonly bytes: Uint8Array }>,
  expiresAt: Date,
): Promise<SnapshotSigned> {
  const meta = Object.entries(previous?.meta ?? {})
  for (const [role, file] of files) meta.push([`${role}.json`, await fileMeta(file)])
  return {
    _type: 'snapshot',
    spec_version: specVersion,
    version: (previous?.version ?? 0) + 1,
    expires: formatInstant(expiresAt),
    meta: Object.fromEntries(meta),
  }
}

/**
 * The next timestamp, unsigned. It names the snapshot with its length and hash, and says when it
 * was made.
 */
export async function buildTimestamp(
  previous: TimestampSigned | undefined,
  snapshot: { readonly version: number; readonly bytes: Uint8Array },
  times: { readonly signedAt: Date; readonly expiresAt: Date },
): Promise<TimestampSigned> {
  return {
    _type: 'timestamp',
    spec_version: specVersion,
    version: (previous?.version ?? 0) + 1,
    expires: formatInstant(times.expiresAt),
    meta: { 'snapshot.json': await fileMeta(snapshot) },
    seaworthy: { signedAt: formatInstant(times.signedAt) },
  }
}

async function fileMeta(file: {
  readonly version: number
  readonly bytes: Uint8Array
}): Promise<FileMeta> {
  const digest = await crypto.subtle.digest('SHA-256', new Uint8Array(file.bytes))
  return {
    version: file.version,
    length: file.bytes.length,
    hashes: { sha256: hexEncode(new Uint8Array(digest)) },
  }
}

/** One signature of `signer` over a signed part. */
export async function signRole(signed: AnySigned, signer: Signer): Promise<TufSignature> {
  return { keyid: signer.keyId, sig: await signer.sign(canonicalJson(signed)) }
}

/** A metadata file in the wire form, signed by all of `signers`. */
export async function signMetadata<S extends AnySigned>(
  signed: S,
  signers: readonly Signer[],
): Promise<Uint8Array<ArrayBuffer>> {
  const signatures = await Promise.all(signers.map((signer) => signRole(signed, signer)))
  return formatMetadata({ signed, signatures })
}

/** The bytes to publish: signatures by key id, everything in the wire form. */
export function formatMetadata(envelope: Envelope): Uint8Array<ArrayBuffer> {
  const signatures = envelope.signatures.toSorted((a, b) => (a.keyid < b.keyid ? -1 : 1))
  return wireJson({ signatures, signed: envelope.signed })
}

/** The keys and threshold that metadata names for one of its roles. */
export function authorityOf(
  keys: Readonly<Record<string, PublicKey>>,
  role: RoleKeys,
): RoleAuthority {
  return {
    keys: role.keyids.flatMap((id) => (Object.hasOwn(keys, id) ? [keys[id]!] : [])),
    threshold: role.threshold,
  }
}

/** Names every key by its hash, so that each is listed once and none without a role. */
async function nameKeys(roles: readonly (readonly [string, RoleAuthority])[]) {
  const keys: Record<string, PublicKey> = {}
  const named: Record<string, { keyids: string[]; threshold: number }> = {}
  for (const [role, { keys: own, threshold }] of roles) {
    const keyids = new Set<string>()
    for (const key of own) {
      const id = await keyId(key)
      keys[id] = key
      keyids.add(id)
    }
    named[role] = { keyids: [...keyids].toSorted(), threshold }
  }
  return { keys, roles: named }
}
