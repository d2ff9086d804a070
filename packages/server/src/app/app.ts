/**
 * Everything a request or a task may use, in one typed object that `server.ts` makes once per
 * worker, and what its parts promise. The rooms make the parts and use them; this file imports
 * nothing that imports it.
 */
import type { DeviceReport } from '@seaworthy/api/device-self'
import type { FleetPolicy } from '@seaworthy/fleet/fleets'
import type { ReleaseFacts } from '@seaworthy/fleet/releases'
import type { Answer, CheckInFacts, FleetRollout, Rollout, Zones } from '@seaworthy/fleet/rollouts'
import type { Digest } from '@seaworthy/oci/digests'
import type { ReleaseClaims, ReleaseFault, ReleaseKind } from '@seaworthy/oci/release-content'
import type { RegistryStore } from '@seaworthy/oci/store'
import type { Log } from '@seaworthy/std/log'
import type { Random } from '@seaworthy/std/random'
import type { Refusal } from '@seaworthy/std/refusal'
import type { Clock, Sleep } from '@seaworthy/std/time'
import type {
  Metadata,
  Release,
  RootSigned,
  SnapshotSigned,
  TargetsSigned,
  TimestampSigned,
} from '@seaworthy/trust/tuf'
import type { MasterKey } from '../config/secrets.ts'
import type { KnownDevice, SignedReportWrite } from '../db/check-ins.ts'
import type { Db } from '../db/connection.ts'
import type { ForeignState } from '../db/foreign-check-ins.ts'
import type { ForeignProtocol } from '../db/foreign-devices.ts'
import type { SnapshotExchange } from './metrics/exchange.ts'
import type { Metrics } from './metrics/server-metrics.ts'
import type { TokenReader } from './access/device-tokens.ts'
import type { OnlineSecrets } from './trust/online-secrets.ts'
import type { Tracer } from './traces/spans.ts'

/** The transaction that a use case works in; what it does there is for `app` alone to know. */
export type { WriteTx } from '../db/connection.ts'

export interface Ports {
  readonly clock: Clock
  readonly sleep: Sleep
  readonly random: Random
  readonly log: Log
}

export interface App extends Ports {
  readonly version: string
  readonly db: Db
  readonly store: RegistryStore
  readonly masterKey: MasterKey
  readonly secrets: OnlineSecrets
  readonly readDeviceToken: TokenReader
  readonly trust: TrustPlane
  readonly fleets: FleetTable
  readonly removedDevices: RemovedDevices
  readonly stoppedDevices: StoppedDevices
  readonly releases: ReleaseTable
  readonly rollouts: RolloutTable
  readonly hearing: HearingNotes
  readonly settlements: Settlements
  readonly rebootLocks: RebootLockTable
  readonly omahaApps: OmahaAppTable
  readonly zones: Zones
  readonly foreignIdentities: ForeignIdentities
  readonly foreignCheckIns: ForeignCheckIns
  readonly releaseFiles: ReleaseFileLists
  readonly contentChecks: ContentChecks
  readonly checkIns: CheckIns
  readonly health: Health
  readonly refusals: RefusalLimiter
  readonly metrics: Metrics
  readonly exchange: SnapshotExchange
  /** `undefined` while nobody collects traces: then nothing is done for them. */
  readonly tracer: Tracer | undefined
}

/** Every fleet's policy in memory, refreshed by notification. */
export interface FleetTable {
  get(name: string): FleetPolicy | undefined
  readonly reload: () => Promise<void>
}

/** Devices removed within the lifetime of an access token. */
export interface RemovedDevices {
  has(deviceId: string): boolean
  add(deviceId: string): void
  readonly reload: () => Promise<void>
}

/** Devices that get no token until a person has decided who has their identity. */
export interface StoppedDevices {
  has(deviceId: string): boolean
  readonly reload: () => Promise<void>
}

export interface HealthProblem {
  readonly part: string
  readonly problem: string
}

/** What `/readyz` answers from, the other workers' problems included. */
export interface Health {
  /** `null`: this part is well (again). */
  report(part: string, problem: string | null): void
  setOthers(problems: readonly HealthProblem[]): void
  /** Of this worker. */
  hasProblem(part: string): boolean
  problems(): readonly HealthProblem[]
}

export interface ReleaseFile {
  readonly product: string
  readonly name: string
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
  /** Hex, each. The last two are for old clients' checks of the transfer and vouch for nothing. */
  readonly sha256: string
  readonly sha1: string
  readonly md5: string
}

/**
 * Lists of files that were found once: a client that streams asks for one of them with every range.
 */
export interface ReleaseFileLists {
  get(key: string): readonly ReleaseFile[] | undefined
  set(key: string, files: readonly ReleaseFile[]): void
}

export interface RefusalLimiter {
  /** Whether this actor's refusal may still be recorded. */
  admits(actor: string): boolean
}

/** In memory, refreshed by notification. */
export interface OmahaAppTable {
  /** The identifier that was set for the product. */
  get(product: string): string | undefined
  readonly reload: () => Promise<void>
}

export interface ForeignIdentity {
  readonly deviceId: string
  readonly protocol: ForeignProtocol
  /** `null` before its first use. */
  readonly externalId: string | null
  /** `null` for a device with a token of its own. */
  readonly gatewayId: string | null
  /** Of the token; `null` behind a gateway. */
  readonly secretSha256: Uint8Array | null
}

export interface GatewayIdentity {
  readonly id: string
  readonly fleet: string
}

export interface ForeignIdentities {
  /**
   * The device whose own token this is; `undefined` for anything else, removed devices included.
   */
  identifyDevice(token: string): Promise<ForeignIdentity | undefined>
  identifyGateway(token: string): Promise<GatewayIdentity | undefined>
  /** Among the devices that this gateway registered. */
  findBehind(gatewayId: string, externalId: string): Promise<ForeignIdentity | undefined>
  /** Something about this device or gateway has changed. */
  forget(id: string): void
  forgetAll(): void
}

export interface TrustState {
  /** Every root from the first, oldest first. */
  readonly roots: readonly Metadata<RootSigned>[]
  readonly root: Metadata<RootSigned>
  readonly timestamp: Metadata<TimestampSigned>
  readonly snapshot: Metadata<SnapshotSigned>
  /** `targets`, products and channels by role name. */
  readonly roles: ReadonlyMap<string, Metadata<TargetsSigned>>
  /** Signed releases by channel role, newest first. */
  readonly releases: ReadonlyMap<string, readonly Release[]>
  /** When each role's present version was published. */
  readonly publishedAt: ReadonlyMap<string, Date>
}

export interface TrustPlane {
  /** `undefined` before `trust init`. */
  readonly state: () => TrustState | undefined
  /** The state including everything committed before the call, whichever worker did it. */
  readonly freshState: () => Promise<TrustState | undefined>
  readonly reload: () => Promise<void>
  /** A version that is no longer the newest, if it still verifies with the present keys. */
  readonly olderVersion: (role: string, version: number) => Promise<Uint8Array | undefined>
}

/** When devices were heard: noted in memory, and told the database from time to time. */
export interface HearingNotes {
  /** A device was heard, and that is durable. */
  readonly note: () => void
  /** Tells the database, if anybody was heard since the last time. */
  readonly store: () => Promise<void>
}

export interface RolloutTable {
  /**
   * The unsettled rollouts of a fleet (active, paused, or ended with updates under way), in the
   * order of decision. The same array until something changes.
   */
  of(fleet: FleetPolicy): readonly FleetRollout[]
  /** After a commit of this worker; an older revision than the one known changes nothing. */
  put(rollouts: readonly Rollout[]): void
  /** Soon: changes that come quickly one after another are read together. */
  markChanged(id: string): void
  /** Everything anew. */
  readonly reload: () => Promise<void>
}

/**
 * The signed releases of a fleet's channel as `fleet` sees them. What lies below the floor that the
 * channel signs is left out: no device may take it, and those that check nothing of ours must not
 * be offered it.
 */
export interface ReleaseTable {
  of(fleet: Pick<FleetPolicy, 'product' | 'channel'>): readonly ReleaseFacts[]
}

/**
 * What one worker has to write of its check-ins, gathered by fleet: while one transaction is on its
 * way the next one fills.
 */
export interface Settlements {
  /** Resolves after the commit. */
  settle(fleet: string, facts: CheckInFacts): Promise<Answer>
}

/** What every worker knows of the slots: for looking before asking, never for granting. */
export interface RebootLockTable {
  /** How many hold a slot of the fleet. */
  count(fleet: string): number
  /** Whether the device holds one in any fleet. */
  isHolder(deviceId: string): boolean
  readonly reload: () => Promise<void>
}

export interface ForeignCheckIns {
  /**
   * Notes that the device was heard; resolves when that is durable. `undefined`: it may not,
   * whatever memory said. Throws `OverloadRefusal` when too many wait.
   */
  poll(identity: ForeignIdentity, now: Date): Promise<ForeignState | undefined>
  /** By how much these devices should poll less often: 1 while all is well. */
  slowdown(): number
}

export interface CheckInInput {
  readonly checkIn: {
    readonly device: string
    readonly seenAt: Date
    readonly report: DeviceReport
    /** `digestReport(report)`, where it is known already. */
    readonly digest?: string | undefined
  }
  /** `undefined` for an idle check-in that rides on its token alone. */
  readonly signed: SignedReportWrite | undefined
}

export type CheckInOutcome =
  | ({ readonly kind: 'stored' } & KnownDevice)
  | { readonly kind: 'unknown_device' }
  | { readonly kind: 'signature_missing' }
  | { readonly kind: 'sequence_reused' }

export interface CheckIns {
  /**
   * To be asked before anything is done for a check-in; throws `OverloadRefusal` when too many
   * wait.
   */
  admit(): void
  /** Accepts it in any case; resolves when it is durable. */
  submit(input: CheckInInput): Promise<CheckInOutcome>
  /** By how much devices should poll less often at the moment: 1 to 4. */
  slowdown(): number
}

/** What a digest names never changes, so neither does this. */
/** What a release is, read from its content to the end. */
export interface ReadRelease {
  readonly claims: ReleaseClaims & { readonly kind: ReleaseKind }
  /** Of everything below the index together, in bytes. */
  readonly totalBytes: number
  readonly platforms: readonly { platform: string; digest: string; bytes: number }[]
}

export type ContentVerdict = ReadRelease | Refusal<ReleaseFault>

export interface CheckedContent {
  readonly product: string
  readonly digest: string
}

export interface ContentChecks {
  /**
   * Throws the refusal that the content deserves, what `read` throws, `content_checks_waiting` and
   * `caller_left`. `read` is not called for what is known, and what it throws is not remembered.
   */
  check(
    content: CheckedContent,
    read: (signal: AbortSignal) => Promise<ContentVerdict>,
    /** Aborted when the caller goes away. */
    leaving?: AbortSignal,
  ): Promise<ReadRelease>
  /**
   * Work on a product's content that takes its turn in the same queues; nothing of it is
   * remembered.
   */
  queue<T>(
    product: string,
    work: (signal: AbortSignal) => Promise<T>,
    leaving?: AbortSignal,
  ): Promise<T>
}
