/**
 * The metadata of TUF (specification 4), with the member names of the wire. Values of these types
 * may carry further members: they are signed, kept and otherwise ignored. Objects that map names
 * are read with `Object.hasOwn` only.
 */
import type { PublicKey } from '../keys/public-key.ts'
import type { JsonObject } from './json.ts'

export type RoleType = 'root' | 'timestamp' | 'snapshot' | 'targets'
export const topLevelRoles = ['root', 'targets', 'snapshot', 'timestamp'] as const

/** Specification version that our own metadata claims. */
export const specVersion = '1.0.34'

interface Signed {
  readonly spec_version: string
  readonly version: number
  /** `YYYY-MM-DDTHH:MM:SSZ` */
  readonly expires: string
}

export interface RoleKeys {
  readonly keyids: readonly string[]
  readonly threshold: number
}

export type KeyMap = Readonly<Record<string, PublicKey>>

export interface RootSigned extends Signed {
  readonly _type: 'root'
  readonly consistent_snapshot?: boolean
  readonly keys: KeyMap
  readonly roles: Readonly<Record<RoleType, RoleKeys>>
}

export interface FileMeta {
  readonly version: number
  readonly length?: number
  readonly hashes?: Readonly<Record<string, string>>
}

export interface SnapshotSigned extends Signed {
  readonly _type: 'snapshot'
  /** File metadata by file name: `targets.json`, `acme.stable.json`. */
  readonly meta: Readonly<Record<string, FileMeta>>
}

export interface TimestampSigned extends Signed {
  readonly _type: 'timestamp'
  readonly meta: { readonly 'snapshot.json': FileMeta }
  /**
   * Our extension: when it was signed. A lower bound of the time for devices that have no clock.
   */
  readonly seaworthy?: { readonly signedAt: string }
}

export interface TargetFile {
  readonly length: number
  readonly hashes: Readonly<Record<string, string>>
  readonly custom?: JsonObject
}

export interface DelegatedRole extends RoleKeys {
  readonly name: string
  readonly terminating: boolean
  readonly paths?: readonly string[]
  readonly path_hash_prefixes?: readonly string[]
}

/** TAP 15: 2^bit_length bins, one key set. */
export interface SuccinctRoles extends RoleKeys {
  readonly bit_length: number
  readonly name_prefix: string
}

export interface Delegations {
  readonly keys: KeyMap
  readonly roles?: readonly DelegatedRole[]
  readonly succinct_roles?: SuccinctRoles
}

export interface TargetsSigned extends Signed {
  readonly _type: 'targets'
  readonly targets: Readonly<Record<string, TargetFile>>
  readonly delegations?: Delegations
  /**
   * Our extension. In channel roles: the highest counter and floor ever listed, withdrawn releases
   * included. In roles that delegate: which roles have ended under them, and their highest counter.
   */
  readonly seaworthy?: RoleMarks
}

export interface ChannelMarks {
  readonly counterHighest: number
  readonly floorHighest: number
}

export interface RoleMarks extends ChannelMarks {
  /**
   * Roles that were delegated here once and have ended, in order. Their names never come back,
   * because a device that has seen the old role could take the new one for it (RFD 53).
   */
  readonly retired?: readonly string[]
}

export interface SignedByType {
  root: RootSigned
  timestamp: TimestampSigned
  snapshot: SnapshotSigned
  targets: TargetsSigned
}

export type AnySigned = SignedByType[RoleType]

export interface TufSignature {
  readonly keyid: string
  /** The signature in hexadecimal. */
  readonly sig: string
}

/** What a metadata file holds. */
export interface Envelope<S extends AnySigned = AnySigned> {
  readonly signatures: readonly TufSignature[]
  readonly signed: S
}

/** A metadata file that was read: its form is right, its signatures are not checked yet. */
export interface Metadata<S extends AnySigned = AnySigned> extends Envelope<S> {
  /** The file, exactly as received. */
  readonly bytes: Uint8Array<ArrayBuffer>
  /** What the signatures cover. */
  readonly signedBytes: Uint8Array<ArrayBuffer>
}

/**
 * `conforming`: any repository the specification allows. `strict`: what our own repositories
 * publish.
 */
export type Profile = 'conforming' | 'strict'

export interface TufLimits {
  readonly rootBytesMax: number
  readonly timestampBytesMax: number
  /** The limit where the timestamp does not state the length. */
  readonly snapshotBytesMax: number
  /** The limit where the snapshot does not state the length. */
  readonly targetsBytesMax: number
  /**
   * The limit for a file whose length signed metadata states: it may be longer than the limits
   * above, but no longer than this.
   */
  readonly statedBytesMax: number
  readonly rootsPerCycleMax: number
  /** Delegated roles looked at for one target path. */
  readonly delegationsPerLookupMax: number
  readonly jsonDepthMax: number
}

export const defaultTufLimits: TufLimits = {
  rootBytesMax: 512_000,
  timestampBytesMax: 16_384,
  snapshotBytesMax: 2_000_000,
  targetsBytesMax: 5_000_000,
  statedBytesMax: 8_000_000,
  rootsPerCycleMax: 256,
  delegationsPerLookupMax: 32,
  jsonDepthMax: 32,
}
