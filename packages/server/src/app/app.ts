/**
 * Everything a request or a task may use, in one typed object that `server.ts` makes once per
 * worker, and what its parts promise. The rooms make the parts and use them; this file imports
 * nothing that imports it.
 */
import type { DeviceReport } from '@seaworthy/api/device-self'
import type { ChangeEvent } from '@seaworthy/api/events'
import type { Spending } from '@seaworthy/std/allowance'
import type { FleetPolicy } from '@seaworthy/fleet/fleets'
import type { ReleaseFacts } from '@seaworthy/fleet/releases'
import type { Answer, CheckInFacts, FleetRollout, Rollout, Zones } from '@seaworthy/fleet/rollouts'
import type { Digest } from '@seaworthy/oci/digests'
import type { ReleaseClaims, ReleaseFault, ContentKind } from '@seaworthy/oci/release-content'
import type { RegistryStore } from '@seaworthy/oci/store'
import type { Log, LogFields } from '@seaworthy/std/log'
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
import type { CredentialKey } from '../config/credential-key.ts'
import type { MasterKey } from '../config/master-key.ts'
import type { SignedSequence } from '@seaworthy/fleet/devices'
import type { KnownDevice, SignedReportWrite } from '../db/check-ins.ts'
import type { Db } from '../db/connection.ts'
import type { ForeignState } from '../db/foreign-check-ins.ts'
import type { IdentityProviderRow } from '../db/identity-providers.ts'
import type { ForeignProtocol } from '../db/foreign-devices.ts'
import type { SnapshotExchange } from './metrics/exchange.ts'
import type { Metrics } from './metrics/server-metrics.ts'
import type { Actor } from './access/actors.ts'
import type { TokenReader } from './access/device-tokens.ts'
import type { OnlineSecrets } from './trust/online-secrets.ts'
import type { OwnTls, ServerTls } from './trust/server-tls.ts'
import type { Tracer } from './traces/spans.ts'
import type { Try } from './worker/bank.ts'
import type { BudgetName } from './worker/budgets.ts'
import type { Singleflight } from './worker/singleflight.ts'

/** The transaction that a use case works in; only `app` knows what it does there. */
export type { WriteTx } from '../db/connection.ts'
export type { RightsTx } from '../db/rights.ts'

export interface Ports {
  readonly clock: Clock
  readonly sleep: Sleep
  readonly random: Random
  readonly log: Log
}

export interface App extends Ports {
  /** The time of the database, whatever the clock of this machine says. */
  readonly clock: Clock
  readonly version: string
  readonly db: Db
  readonly store: RegistryStore
  readonly masterKey: MasterKey
  /** `null` where no credentials are stored. */
  readonly credentialKey: CredentialKey | null
  readonly secrets: OnlineSecrets
  readonly certificate: ServedCertificate
  readonly events: EventFeed
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
  /** Content that is read for people who look at it: their turns delay no check. */
  readonly contentReads: Pick<ContentChecks, 'queue'>
  readonly checkIns: CheckIns
  readonly health: Health
  readonly callerLog: CallerLog
  readonly budgets: Budgets
  readonly pairingPaces: PairingPaces
  readonly slowHashes: SlowHashes
  readonly identityProviders: IdentityProviders
  readonly metrics: Metrics
  readonly exchange: SnapshotExchange
  /** `undefined` while nobody collects traces; then they cost nothing. */
  readonly tracer: Tracer | undefined
}

/** The certificate that this worker shows. */
export interface ServedCertificate {
  readonly current: ServerTls
  /** The pin of the next key, which every answer announces; `null` where there is none. */
  readonly nextPin: string | null
  /** Whether it comes from files of the operator's, and not from the database. */
  readonly isOwn: boolean
  /** Whether it comes from an ACME authority. */
  readonly isByAcme: boolean
  /** Why the files of an own certificate are not served as they are now, or an order failed. */
  readonly fault: string | null
  /** The names that this server was started with. */
  readonly namesGiven: readonly string[]
  readonly reload: Singleflight<void>
  /** Shows another own certificate. */
  take(own: OwnTls): void
  onChange(listener: (tls: ServerTls) => void): void
}

/** Every fleet's policy in memory, refreshed by notification. */
export interface FleetTable {
  get(name: string): FleetPolicy | undefined
  readonly reload: Singleflight<void>
}

/** Devices removed within the lifetime of an access token. */
export interface RemovedDevices {
  has(deviceId: string): boolean
  add(deviceId: string): void
  readonly reload: Singleflight<void>
}

/** Devices that get no token until a person has decided who has their identity. */
export interface StoppedDevices {
  has(deviceId: string): boolean
  readonly reload: Singleflight<void>
}

export interface HealthProblem {
  readonly part: string
  readonly problem: string
}

/** What `/readyz` answers from, the other workers' problems included. */
export interface Health {
  /** Reports a problem of a part, or `null` when the part works (again). */
  report(part: string, problem: string | null): void
  setOthers(problems: readonly HealthProblem[]): void
  /** Whether this worker has a problem with the part. */
  hasProblem(part: string): boolean
  problems(): readonly HealthProblem[]
}

export interface ReleaseFile {
  readonly product: string
  readonly name: string
  readonly digest: Digest
  /** Size of the file in bytes. */
  readonly size: number
  /** Hashes in hex. Old clients check the transfer with the last two, which vouch for nothing. */
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

/** How long command lines that wait for a person wait between two questions. */
export interface PairingPaces {
  /** Notes a question, and answers how many seconds to wait before the next one. */
  ask(pairing: { readonly id: string; readonly createdAt: Date }, now: Date): number
}

export interface ProviderQuestion {
  /** The secret of the ceremony, from which nonce and PKCE verifier are derived. */
  readonly challenge: string
  readonly state: string
  readonly redirectUri: string
  /** Whether the person must sign in there anew. */
  readonly isFresh: boolean
}

export interface ProviderAnswer extends Omit<ProviderQuestion, 'isFresh'> {
  readonly code: string
  readonly iss: string | undefined
}

/** What a provider has said of an account, judged. */
export interface ProviderClaims {
  readonly subject: string
  /** How people know the account. Nothing is decided by it. */
  readonly account: string
  readonly groups: readonly string[]
  /** When the person last proved there who they are; `undefined` when it is not said. */
  readonly authenticatedAt: Date | undefined
}

/** Identity providers, which are asked over the network. */
export interface IdentityProviders {
  /** Throws `provider_unreachable`, `provider_unusable`, `provider_answer_wrong`. */
  check(provider: IdentityProviderRow, clientSecret: string | null): Promise<void>
  /** Where the browser goes. Throws like `check`. */
  addressFor(
    provider: IdentityProviderRow,
    clientSecret: string | null,
    question: ProviderQuestion,
  ): Promise<string>
  /** Throws like `check`, and `provider_refused`. */
  redeem(
    provider: IdentityProviderRow,
    clientSecret: string | null,
    answer: ProviderAnswer,
  ): Promise<ProviderClaims>
}

/** How often callers may do what costs something, counted for all workers of this server. */
export interface Budgets {
  /** Whether `who` may spend once more, as far as this worker knows. Spends nothing. */
  look(budget: BudgetName, who: string): Spending
  /** Spends once, where it is allowed. */
  spend(budget: BudgetName, who: string): Spending | Promise<Spending>
  /** Spends every try, or none. Rare kinds alone are spent together. */
  take(tries: readonly [Try, ...Try[]]): Promise<Spending>
  giveBack(tries: readonly Try[]): void
}

/** Lines of the log file that a caller can cause, within an allowance for each caller and event. */
export interface CallerLog {
  /** `caller` is whose allowance the line is of; `anyone` where no caller is known. */
  warn(caller: string, event: string, fields?: LogFields): void
  error(caller: string, event: string, fields?: LogFields): void
}

export interface SlowHashCost {
  readonly memoryKiB: number
  readonly passes: number
}

/**
 * One slow hash (argon2id) at a time in each worker, and a few that wait: an attacker who tries
 * passwords slows down others who sign in, but not content, which is read on the same threads.
 */
export interface SlowHashes {
  /**
   * Answers 32 bytes. `admit` asks for the caller's budget and throws its refusal. It runs before
   * anything else, so that a refused try costs nothing. Throws `hashes_waiting` when too many wait.
   */
  hash(
    admit: () => Promise<void> | undefined,
    secret: string,
    how: SlowHashCost & { readonly salt: Uint8Array },
  ): Promise<Uint8Array>
}

/** The Omaha identifiers of products in memory, refreshed by notification. */
export interface OmahaAppTable {
  /** The identifier that was set for the product. */
  get(product: string): string | undefined
  readonly reload: Singleflight<void>
}

export interface ForeignIdentity {
  readonly deviceId: string
  readonly protocol: ForeignProtocol
  /** `null` before its first use. */
  readonly externalId: string | null
  /** `null` for a device with a token of its own. */
  readonly gatewayId: string | null
  /** Hash of the token's secret; `null` for a device behind a gateway. */
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
  /** Finds the device of that name among those that the gateway registered. */
  findBehind(gatewayId: string, externalId: string): Promise<ForeignIdentity | undefined>
  /** Forgets a device or gateway about which something has changed. */
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
  readonly reload: Singleflight<void>
  /** An older version, if it still verifies with the present keys. */
  readonly olderVersion: (role: string, version: number) => Promise<Uint8Array | undefined>
}

/** Those who watch for changes through this worker, and what they are told. */
export interface EventFeed {
  /** Takes a note that came over the database. */
  take(note: string): void
  takeRollout(id: string): void
  /** What is signed has changed. */
  takeMetadata(): void
  /** Notes may have been lost: readers read everything again. */
  missed(): void
  /** Answers how to leave, or `undefined` where there are too many readers already. */
  watch(
    actor: Actor,
    reader: {
      readonly tell: (event: ChangeEvent | 'heartbeat' | 'all') => void
      readonly end: () => void
    },
  ): (() => void) | undefined
  /** Ends every stream; readers come back to another worker. */
  close(): void
}

/** When devices were heard: noted in memory, and written to the database from time to time. */
export interface HearingNotes {
  /** Notes that a device was heard, after that was committed. */
  readonly note: () => void
  /** Writes to the database, if any device was heard since the last time. */
  readonly store: () => Promise<void>
}

export interface RolloutTable {
  /**
   * The live rollouts of a fleet (active, paused, or ended with updates under way), in the
   * order of decision. The same array until something changes.
   */
  of(fleet: FleetPolicy): readonly FleetRollout[]
  /**
   * Takes in what this worker has committed; an older revision than the known one changes nothing.
   */
  put(rollouts: readonly Rollout[]): void
  /** Has the rollout read again soon; changes that follow one another quickly are read together. */
  markChanged(id: string): void
  /** Reads everything anew. */
  readonly reload: Singleflight<void>
}

/**
 * The signed releases of a fleet's channel as the package `fleet` sees them. Releases below the
 * floor that the channel signs are left out: no device may take them, and devices that verify none
 * of our metadata must not be offered them.
 */
export interface ReleaseTable {
  of(fleet: Pick<FleetPolicy, 'product' | 'channel'>): readonly ReleaseFacts[]
}

/**
 * What one worker has to write about its check-ins, gathered by fleet: while one transaction is
 * under way the next one fills.
 */
export interface Settlements {
  /** Resolves after the commit. */
  settle(fleet: string, facts: CheckInFacts): Promise<Answer>
}

/**
 * What every worker knows of the slots. It only saves hopeless requests; no slot is ever granted
 * from it.
 */
export interface RebootLockTable {
  /** How many holders the fleet's slots have. */
  count(fleet: string): number
  /** Whether the device holds a slot in any fleet. */
  isHolder(deviceId: string): boolean
  readonly reload: Singleflight<void>
}

export interface ForeignCheckIns {
  /**
   * Notes that the device was heard, and resolves when that is durable. Answers `undefined` when
   * the device may not poll, whatever memory said. Throws `OverloadRefusal` when too many wait.
   */
  poll(identity: ForeignIdentity): Promise<ForeignState | undefined>
  /** The factor by which these devices should poll less often: 1 while all is well. */
  slowdown(): number
}

export interface CheckInInput {
  readonly checkIn: {
    readonly device: string
    readonly report: DeviceReport
    /** The result of `digestReport(report)`, where it is known already. */
    readonly digest?: string | undefined
  }
  /** `undefined` for an idle check-in, which only its token vouches for. */
  readonly signed: SignedReportWrite | undefined
}

export type CheckInOutcome =
  | ({ readonly kind: 'stored'; readonly saidSequence: SignedSequence } & KnownDevice)
  | { readonly kind: 'unknown_device' }
  | { readonly kind: 'signature_missing' }
  | { readonly kind: 'sequence_reused' }

export interface CheckIns {
  /**
   * Called before anything is done for a check-in. Throws `OverloadRefusal` when too many wait, and
   * `reports_too_often` for a signed report of a device that has sent too many. Whether an unsigned
   * one says something new is known only when it is submitted.
   */
  admit(device: string, isSigned: boolean): void
  /**
   * Accepts the check-in even under overload, and resolves when it is durable. Throws
   * `check_ins_waiting`, `reports_too_often`.
   */
  submit(input: CheckInInput): Promise<CheckInOutcome>
  /** The factor by which devices should poll less often at the moment: 1 to 4. */
  slowdown(): number
}

/**
 * What a release is, as its whole content says. It never changes, because a digest names the
 * content.
 */
export interface ReadRelease {
  readonly claims: ReleaseClaims & { readonly kind: ContentKind }
  /** Size of everything below the index together, in bytes. */
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
   * Answers what the content is. Throws the refusal that the content deserves, what `read` throws,
   * `content_checks_waiting` and `caller_left`. `read` is not called for what is known, and an
   * error it throws is not remembered.
   */
  check(
    content: CheckedContent,
    read: (signal: AbortSignal) => Promise<ContentVerdict>,
    /** The signal that is aborted when the caller goes away. */
    leaving?: AbortSignal,
  ): Promise<ReadRelease>
  /** Queues other work on a product's content among its checks; the result is not remembered. */
  queue<T>(
    product: string,
    work: (signal: AbortSignal) => Promise<T>,
    leaving?: AbortSignal,
  ): Promise<T>
}
