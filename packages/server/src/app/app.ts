/** Everything a request or a task may use, in one typed object that `server.ts` makes once per worker. */
import type { FleetPolicy } from '@seaworthy/fleet/fleets'
import type { Zones } from '@seaworthy/fleet/rollouts'
import type { RegistryStore } from '@seaworthy/oci/store'
import type { Log } from '@seaworthy/std/log'
import type { Random } from '@seaworthy/std/random'
import type { Clock, Sleep } from '@seaworthy/std/time'
import type { MasterKey } from '../config/secrets.ts'
import type { Db } from '../db/connection.ts'
import type { CheckIns } from './devices/check-in-writes.ts'
import type { ForeignCheckIns } from './foreign/foreign-check-ins.ts'
import type { ForeignIdentities } from './foreign/foreign-identities.ts'
import type { SnapshotExchange } from './metrics/exchange.ts'
import type { Metrics } from './metrics/server-metrics.ts'
import type { TokenReader } from './access/device-tokens.ts'
import type { OnlineSecrets } from './trust/online-secrets.ts'
import type { RebootLockTable } from './restarts/restarts.ts'
import type { OmahaAppTable } from './foreign/omaha/apps.ts'
import type { RefusalLimiter } from './access/refused-attempts.ts'
import type { ReleaseFileLists } from './content/release-files.ts'
import type { Tracer } from './traces/spans.ts'
import type { ReleaseTable, RolloutTable } from './rollouts/rollout-table.ts'
import type { TrustPlane } from './trust/trust-plane.ts'
import type { Settlements } from './rollouts/settlements.ts'
import type { VerifiedReleases } from './content/verified-releases.ts'

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
  readonly settlements: Settlements
  readonly rebootLocks: RebootLockTable
  readonly omahaApps: OmahaAppTable
  readonly zones: Zones
  readonly foreignIdentities: ForeignIdentities
  readonly foreignCheckIns: ForeignCheckIns
  readonly releaseFiles: ReleaseFileLists
  readonly verifiedReleases: VerifiedReleases
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
