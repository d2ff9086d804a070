/**
 * The client workflow of the specification (section 5) without any input or output: bytes go in,
 * and either become trusted or are refused with a code. One set lives for one update cycle; its
 * time is fixed when the cycle starts (5.1), so that nothing expires or revives half-way.
 */
import { equalBytes, hexEncode } from '@seaworthy/std/bytes'
import { parseInstant } from '@seaworthy/std/time'
import { trustError } from './codes.ts'
import { findKeyRing } from './delegations.ts'
import type {
  AnySigned,
  FileMeta,
  Metadata,
  Profile,
  RootSigned,
  RoleType,
  SnapshotSigned,
  TargetsSigned,
  TimestampSigned,
  TufLimits,
} from './metadata.ts'
import { parseMetadata } from './parse-metadata.ts'
import { listReleases } from './release.ts'
import { keySetOf, verifyThreshold } from './threshold.ts'
import type { KeyRing } from './threshold.ts'
import { outlivesMaximum } from './time-floor.ts'
import type { DelegatedRing, VersionMarks } from './version-marks.ts'

export interface TrustedSetOptions {
  readonly profile: Profile
  /**
   * The time of the whole cycle, asked for once: when all roots are known, because a newer root may
   * void what was known of it.
   */
  readonly startAt: (set: TrustedSet) => Date
  readonly limits: TufLimits
  /**
   * Accepts expired root and targets roles, for those who have to renew them; never set on a
   * device.
   */
  readonly acceptExpiredOffline?: boolean
  /** The time of the device's own clock, where the clock is known to be good. */
  readonly goodAt?: Date
  /**
   * What is remembered of the offline roles beyond snapshots. Left out, this is the specification's
   * client, which remembers nothing more.
   */
  readonly marks?: VersionMarks
}

export class TrustedSet {
  readonly #options: TrustedSetOptions
  #root: Metadata<RootSigned>
  #onlineKeysSince: number
  #startAt: Date | undefined
  #timestamp: Metadata<TimestampSigned> | undefined
  /** The snapshot of an earlier cycle: good for comparison only. */
  #previousSnapshot: Metadata<SnapshotSigned> | undefined
  #snapshot: Metadata<SnapshotSigned> | undefined
  #roles = new Map<string, Metadata<TargetsSigned>>()

  private constructor(options: TrustedSetOptions, root: Metadata<RootSigned>) {
    this.#options = options
    this.#root = root
    this.#onlineKeysSince = root.signed.version
  }

  /**
   * Starts from the anchor (5.2), a root that is trusted without proof. It must still be signed by
   * its own keys.
   */
  static async fromRoot(rootBytes: Uint8Array, options: TrustedSetOptions): Promise<TrustedSet> {
    const root = await parseMetadata('root', rootBytes, options.profile, options.limits)
    await verifyThreshold(rootRing(root.signed, 'root'), root, 'root')
    return new TrustedSet(options, root)
  }

  get root(): Metadata<RootSigned> {
    return this.#root
  }

  /** Version of the root since which the keys of timestamp and snapshot are what they are now. */
  get onlineKeysSince(): number {
    return this.#onlineKeysSince
  }

  /** The time of the cycle. No further root is taken once this has been asked for. */
  get startAt(): Date {
    return (this.#startAt ??= this.#options.startAt(this))
  }

  get timestamp(): Metadata<TimestampSigned> | undefined {
    return this.#timestamp
  }

  /**
   * The snapshot that the trusted timestamp names; until that is known, the one of an earlier
   * cycle.
   */
  get snapshot(): Metadata<SnapshotSigned> | undefined {
    return this.#snapshot ?? this.#previousSnapshot
  }

  /** Trusted targets roles by name, `targets` among them. */
  get roles(): ReadonlyMap<string, Metadata<TargetsSigned>> {
    return this.#roles
  }

  /**
   * Takes the next root, signed by the threshold of the old and of the new keys, with exactly the
   * next version (5.3.4 to 5.3.8). Where it rotates the keys of timestamp or snapshot, trusted
   * timestamp and snapshot are dropped (5.3.11), so that a fast-forward attack ends with the keys
   * it used; the result says whether that happened.
   */
  async updateRoot(bytes: Uint8Array): Promise<{ droppedOnlineRoles: boolean }> {
    if (this.#startAt) throw new Error('roots come before the time of the cycle is fixed')
    const next = await this.#parse('root', bytes)
    await verifyThreshold(rootRing(this.#root.signed, 'root'), next, 'root, with the old keys,')
    await verifyThreshold(rootRing(next.signed, 'root'), next, 'root, with its own keys,')
    const expected = this.#root.signed.version + 1
    if (next.signed.version !== expected) {
      throw trustError(
        'root_chain_broken',
        `root version ${next.signed.version} where ${expected} must follow`,
      )
    }
    let droppedOnlineRoles = false
    for (const role of ['timestamp', 'snapshot'] as const) {
      const before = await keySetOf(rootRing(this.#root.signed, role))
      const after = await keySetOf(rootRing(next.signed, role))
      if (before.symmetricDifference(after).size > 0) droppedOnlineRoles = true
    }
    this.#root = next
    if (droppedOnlineRoles) {
      this.#onlineKeysSince = next.signed.version
      this.#timestamp = undefined
      this.#previousSnapshot = undefined
    }
    return { droppedOnlineRoles }
  }

  /**
   * Ends the update of the roots: no newer one exists (5.3.10). Throws `freeze` when the trusted
   * one has expired.
   */
  finishRoot(): void {
    this.#refuseExpired(this.#root.signed, 'root')
  }

  /**
   * Loads a timestamp that was trusted before: it counts against rollback even when it has expired
   * since.
   */
  async loadTimestamp(bytes: Uint8Array): Promise<void> {
    const stored = await this.#parse('timestamp', bytes)
    await verifyThreshold(rootRing(this.#root.signed, 'timestamp'), stored, 'timestamp')
    this.#timestamp = stored
  }

  /**
   * Takes a timestamp (5.4.2 to 5.4.4). One of the version already trusted changes nothing: the
   * trusted one stays. Returns whether the new one was taken.
   */
  async updateTimestamp(bytes: Uint8Array): Promise<boolean> {
    const next = await this.#parse('timestamp', bytes)
    await verifyThreshold(rootRing(this.#root.signed, 'timestamp'), next, 'timestamp')
    const trusted = this.#timestamp
    if (trusted) {
      // 5.4.3.1
      if (next.signed.version < trusted.signed.version) {
        throw trustError('rollback', `timestamp ${next.signed.version} is older than the trusted`)
      }
      if (next.signed.version === trusted.signed.version) {
        this.#refuseExpired(trusted.signed, 'timestamp')
        this.#refuseLongLived(trusted.signed, trusted.signed)
        return false
      }
      // 5.4.3.2
      const [named, before] = [next, trusted].map((t) => t.signed.meta['snapshot.json'].version)
      if (named! < before!) {
        throw trustError('rollback', `timestamp names snapshot ${named} after ${before}`)
      }
    }
    // 5.4.4
    this.#refuseExpired(next.signed, 'timestamp')
    this.#refuseLongLived(next.signed, next.signed)
    this.#timestamp = next
    return true
  }

  /**
   * Loads a snapshot that was trusted before. Returns whether it is still the one the timestamp
   * names; if not, it is kept to compare the new one with.
   */
  async loadSnapshot(bytes: Uint8Array): Promise<boolean> {
    const stored = await this.#parse('snapshot', bytes)
    await verifyThreshold(rootRing(this.#root.signed, 'snapshot'), stored, 'snapshot')
    this.#previousSnapshot = stored
    const meta = this.#namedSnapshot()
    if (stored.signed.version !== meta.version) return false
    if (this.#isExpired(stored.signed) || !(await isFile(stored.bytes, meta))) return false
    if (this.#isLongLived(stored.signed, this.#timestamp!.signed)) return false
    this.#snapshot = stored
    return true
  }

  /** Takes a snapshot (5.5.2 to 5.5.6). */
  async updateSnapshot(bytes: Uint8Array): Promise<void> {
    const meta = this.#namedSnapshot()
    await verifyFile(bytes, meta, 'snapshot')
    const next = await this.#parse('snapshot', bytes)
    // 5.5.3
    await verifyThreshold(rootRing(this.#root.signed, 'snapshot'), next, 'snapshot')
    // 5.5.4
    if (next.signed.version !== meta.version) {
      throw trustError(
        'mix_and_match',
        `snapshot ${next.signed.version} where the timestamp names ${meta.version}`,
      )
    }
    // 5.5.5
    for (const [file, before] of Object.entries(this.#previousSnapshot?.signed.meta ?? {})) {
      const now = Object.hasOwn(next.signed.meta, file) ? next.signed.meta[file] : undefined
      if (!now || now.version < before.version) {
        throw trustError('rollback', `the new snapshot ${now ? 'lowers' : 'lacks'} ${file}`)
      }
    }
    // 5.5.6
    this.#refuseExpired(next.signed, 'snapshot')
    this.#refuseLongLived(next.signed, this.#timestamp!.signed)
    this.#snapshot = next
  }

  /**
   * What the trusted snapshot says about a role's file, or `mix_and_match` when it does not know
   * it.
   */
  namedRole(role: string): FileMeta {
    const { meta } = this.#currentSnapshot().signed
    const file = `${role}.json`
    if (!Object.hasOwn(meta, file)) {
      throw trustError('mix_and_match', `the snapshot does not name ${file}`)
    }
    return meta[file]!
  }

  /**
   * The same as `namedRole`; throws `rollback` where the snapshot names a version below the mark
   * that the keys of `ring` have set.
   */
  async namedRoleOf(role: string, ring: DelegatedRing): Promise<FileMeta> {
    const meta = this.namedRole(role)
    await this.#options.marks?.refuseOlder(role, ring, meta.version)
    return meta
  }

  /** What the trusted timestamp says about the snapshot. */
  namedSnapshot(): FileMeta {
    return this.#namedSnapshot()
  }

  /**
   * Takes `targets` or a delegated role (5.6.2 to 5.6.5): the file the snapshot names, signed by
   * the keys that `ring` demands, and of no version below its mark. A role reached through two
   * delegators must satisfy each of them.
   */
  async updateRole(
    role: string,
    ring: DelegatedRing,
    bytes: Uint8Array,
  ): Promise<Metadata<TargetsSigned>> {
    const meta = await this.namedRoleOf(role, ring)
    await verifyFile(bytes, meta, role)
    const trusted = this.#roles.get(role)
    const next =
      trusted && equalBytes(trusted.bytes, bytes) ? trusted : await this.#parse('targets', bytes)
    // 5.6.3
    await verifyThreshold(ring, next, role)
    // 5.6.4
    if (next.signed.version !== meta.version) {
      throw trustError(
        'mix_and_match',
        `${role} ${next.signed.version} where the snapshot names ${meta.version}`,
      )
    }
    // An expired one sets its mark too: an older one that has not expired would be no better.
    await this.#options.marks?.raise(
      role,
      ring,
      next.signed.version,
      listReleases(next.signed).floor,
    )
    // 5.6.5
    this.#refuseExpired(next.signed, role)
    this.#roles.set(role, next)
    return next
  }

  /** The highest floor that counts for the keys of `ring`, whatever `role` says now. */
  async floorFor(role: string, ring: DelegatedRing): Promise<number> {
    return (await this.#options.marks?.floorFor(role, ring)) ?? 0
  }

  /** The keys of the top-level targets role. */
  targetsRing(): DelegatedRing {
    return { ...rootRing(this.#root.signed, 'targets'), delegator: 'root' }
  }

  /**
   * The keys that the trusted metadata of `delegator` names for `role`; `undefined` when it does
   * not.
   */
  delegatedRing(delegator: string, role: string): DelegatedRing | undefined {
    const ring = findKeyRing(this.#roles.get(delegator)?.signed.delegations, role)
    return ring && { ...ring, delegator }
  }

  #parse<T extends RoleType>(type: T, bytes: Uint8Array) {
    return parseMetadata(type, bytes, this.#options.profile, this.#options.limits)
  }

  #namedSnapshot(): FileMeta {
    if (!this.#timestamp) throw new Error('the timestamp must be trusted before the snapshot')
    return this.#timestamp.signed.meta['snapshot.json']
  }

  #currentSnapshot(): Metadata<SnapshotSigned> {
    if (!this.#snapshot) throw new Error('the snapshot must be trusted before targets')
    return this.#snapshot
  }

  #refuseExpired(signed: AnySigned, role: string): void {
    const isOffline = signed._type === 'root' || signed._type === 'targets'
    if (isOffline && this.#options.acceptExpiredOffline === true) return
    if (!this.#isExpired(signed)) return
    throw trustError('freeze', `${role} ${signed.version} has expired at ${signed.expires}`)
  }

  #isExpired(signed: AnySigned): boolean {
    return parseInstant(signed.expires).getTime() <= this.startAt.getTime()
  }

  /**
   * Refuses metadata that lives longer than ours: somebody with an online key for a moment must not
   * make any.
   */
  #refuseLongLived(signed: TimestampSigned | SnapshotSigned, timestamp: TimestampSigned): void {
    if (!this.#isLongLived(signed, timestamp)) return
    throw trustError(
      'lifetime_exceeded',
      `${signed._type} ${signed.version} would be valid until ${signed.expires}, longer than a ${signed._type} may be`,
    )
  }

  #isLongLived(signed: TimestampSigned | SnapshotSigned, timestamp: TimestampSigned): boolean {
    if (this.#options.profile !== 'strict') return false
    const { goodAt } = this.#options
    return outlivesMaximum(signed._type, signed.expires, timestamp, this.startAt, goodAt)
  }
}

function rootRing(root: RootSigned, role: RoleType): KeyRing {
  return { keys: root.keys, role: root.roles[role] }
}

async function isFile(bytes: Uint8Array<ArrayBuffer>, meta: FileMeta): Promise<boolean> {
  if (meta.length !== undefined && meta.length !== bytes.length) return false
  return meta.hashes === undefined || (await hasHashes(bytes, meta.hashes))
}

/** Throws `endless_data`, `wrong_length` or `wrong_hash`. */
async function verifyFile(bytes: Uint8Array, meta: FileMeta, role: string): Promise<void> {
  if (meta.length !== undefined && bytes.length > meta.length) {
    throw trustError('endless_data', `${role} is longer than the ${meta.length} bytes signed for`)
  }
  if (meta.length !== undefined && bytes.length < meta.length) {
    throw trustError('wrong_length', `${role} is shorter than the ${meta.length} bytes signed for`)
  }
  if (meta.hashes !== undefined && !(await hasHashes(bytes, meta.hashes))) {
    throw trustError('wrong_hash', `${role} does not have the hash signed for`)
  }
}

const digestNames = { sha256: 'SHA-256', sha384: 'SHA-384', sha512: 'SHA-512' } as const

/**
 * Whether all strong hashes given (SHA-256, SHA-384, SHA-512) are those of `bytes`. It is false
 * when none of them is given: MD5, SHA-1 and unknown names prove nothing.
 */
async function hasHashes(
  bytes: Uint8Array,
  hashes: Readonly<Record<string, string>>,
): Promise<boolean> {
  let strong = 0
  for (const name of Object.keys(digestNames) as (keyof typeof digestNames)[]) {
    if (!Object.hasOwn(hashes, name)) continue
    strong++
    const digest = await crypto.subtle.digest(digestNames[name], new Uint8Array(bytes))
    if (hexEncode(new Uint8Array(digest)) !== hashes[name]) return false
  }
  return strong > 0
}
