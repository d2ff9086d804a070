/**
 * What the server does without being asked. Promises: each task of the list runs on one worker of
 * one server at a time, and goes on at another when that one ends. `watchLog`, `keepHearing` and
 * `watchRemovedDevices`, in files of their own, run on every worker.
 */
import type { AcmeSettings } from '../app/acme/index.ts'
import type { LogKeeper } from '../app/access/index.ts'
import type { App } from '../app/app.ts'
import { createAcmeRenewal } from './acme-renewal.ts'
import { createAssertionExpiry } from './assertion-expiry.ts'
import type { LogMemory } from './audit-log-memory.ts'
import { createLogSequencer } from './audit-log-sequencer.ts'
import { createCaseAlarms } from './case-alarms.ts'
import { createContentCheck } from './check-content.ts'
import { createGarbageCollection, createStorageCount } from './collect-garbage.ts'
import { createDeviceCounts } from './device-counts.ts'
import { createReleaseCounts, createSbomReading } from './exposure.ts'
import { createFleetHistory, createHistoryThinning } from './history.ts'
import type { LeaderTasks } from './leader.ts'
import { startLeaderTasks } from './leader.ts'
import { createLeaseSweep } from './leases.ts'
import { createLifetimeAlarms } from './lifetime-alarms.ts'
import { createMetadataRenewal } from './metadata-renewal.ts'
import { observeTasks } from './observed.ts'
import { createRebootLockWatch } from './reboot-locks.ts'
import { createRetention } from './retention.ts'
import { createMemberCounts } from './rollout-members.ts'
import { createRolloutReconciler } from './rollout-reconciler.ts'

type TaskApp = Pick<
  App,
  | 'callerLog'
  | 'clock'
  | 'credentialKey'
  | 'db'
  | 'health'
  | 'log'
  | 'masterKey'
  | 'metrics'
  | 'releases'
  | 'rollouts'
  | 'random'
  | 'sleep'
  | 'store'
  | 'tracer'
  | 'trust'
>

export interface TaskOptions {
  readonly keeper: LogKeeper
  readonly memory: LogMemory
  /** `null` where the certificate is not made by an ACME authority. */
  readonly acme: AcmeSettings | null
  /** Resolves when the server answers: an ACME authority then finds it. */
  readonly opened: Promise<void>
}

export function startTasks(
  app: TaskApp,
  { keeper, memory, acme, opened }: TaskOptions,
): LeaderTasks {
  const tasks = [
    createLogSequencer(app, keeper, memory),
    createMetadataRenewal(app),
    createLifetimeAlarms(app),
    createContentCheck(app),
    createGarbageCollection(app),
    createStorageCount(app),
    createAssertionExpiry(app),
    createDeviceCounts(app),
    createSbomReading(app),
    createReleaseCounts(app),
    createRolloutReconciler(app),
    createMemberCounts(app),
    createFleetHistory(app),
    createHistoryThinning(app),
    createRebootLockWatch(app),
    createLeaseSweep(app),
    createCaseAlarms(app),
    createRetention(app),
    ...(acme === null ? [] : [createAcmeRenewal(app, acme, opened)]),
  ]
  return startLeaderTasks(app, observeTasks(app, tasks))
}
