/** Values for tests: a fleet, its releases, a rollout, a device's report. */
import { asSignedSequence } from '../devices/statements.ts'
import type { FleetPolicy } from '../fleets/index.ts'
import type { ReleaseFacts } from '../releases/index.ts'
import { policyDefaults } from './policy.ts'
import type { CheckInFacts, Gate, Rollout, RolloutPolicy, Update, WaveProgress } from './rollout.ts'
import { createRollout } from './transitions.ts'
import { readActivity } from './update-states.ts'

export const startAt = new Date('2026-11-23T12:00:00Z')
export const secondsOn = (seconds: number, from = startAt) =>
  new Date(from.getTime() + seconds * 1000)

export const gate: Gate = {
  bakeSeconds: 0,
  successPercentMin: 95,
  successOf: 'members',
  failurePercentMax: null,
  sampleMin: 1,
}

export function policyOf(changes: Partial<RolloutPolicy> = {}): RolloutPolicy {
  return {
    ...policyDefaults,
    waves: [{ members: { kind: 'percent', percent: 100 }, needsApproval: false, gate }],
    ...changes,
  }
}

export function releaseOf(counter: number, changes: Partial<ReleaseFacts> = {}): ReleaseFacts {
  const version = changes.version ?? `1.${counter}.0`
  return {
    product: 'acme',
    channel: 'stable',
    version,
    targetPath: `acme/stable/${version}`,
    sha256: String(counter).padStart(64, '0'),
    counter,
    floor: 1,
    platforms: ['linux/amd64'],
    hardware: [],
    security: false,
    ...changes,
  }
}

export const fleetOf = (changes: Partial<FleetPolicy> = {}): FleetPolicy => ({
  name: 'shops',
  product: 'acme',
  channel: 'stable',
  pollSeconds: 3600,
  pinnedVersion: null,
  updatesEnabled: true,
  follow: 'rollouts',
  configVersion: 0,
  baseline: null,
  reboot: { strategy: 'immediate' },
  ...changes,
})

/**
 * Counters of a wave that fit together: of `membersCount` devices, all that are not in flight,
 * healthy or failed wait.
 */
export type WaveChanges = Partial<WaveProgress> & { readonly membersCount?: number }

export function progressOf(before: WaveProgress, changes: WaveChanges): WaveProgress {
  const { membersCount, ...given } = changes
  const after = { ...before, ...given }
  const taking = after.inFlightCount + after.healthyCount + after.failedCount
  return {
    ...after,
    offeredCount: given.offeredCount ?? taking + after.supersededCount,
    ...(membersCount === undefined ? {} : { waitingCount: membersCount - taking, silentCount: 0 }),
  }
}

/** A rollout of release 1.2.0 that has begun, with its first wave open. */
export function rolloutOf(
  policy: Partial<RolloutPolicy> = {},
  changes: Partial<Rollout> = {},
  wave: WaveChanges = {},
): Rollout {
  const made = createRollout({
    id: 'rollout_a',
    fleet: 'shops',
    release: releaseOf(2),
    policy: policyOf(policy),
    createdBy: 'person_a',
    startAt,
    wayBackOf: null,
    now: startAt,
  })
  const progress = progressOf(made.waves[0]!, { openedAt: startAt, ...wave })
  return { ...made, wavesOpenCount: 1, waves: made.waves.with(0, progress), ...changes }
}

export function factsOf(changes: Partial<CheckInFacts> = {}): CheckInFacts {
  return {
    deviceId: 'device_a',
    platform: 'linux/amd64',
    hardware: null,
    tags: {},
    running: runs(1),
    committedCounter: 1,
    floor: 1,
    activity: { state: 'idle', sha256: null, code: null },
    countsAttempts: true,
    sequence: 5,
    heldBack: null,
    updates: [],
    ...changes,
  }
}

export const runs = (counter: number) => ({
  product: 'acme',
  sha256: releaseOf(counter).sha256,
  counter,
})

export const works = (
  state: CheckInFacts['activity']['state'],
  counter = 2,
  code: string | null = null,
  saidSequence = 6,
): CheckInFacts['activity'] =>
  readActivity(
    { state, sha256: releaseOf(counter).sha256, code: code ?? undefined },
    asSignedSequence(saidSequence),
  )

export function updateOf(changes: Partial<Update> = {}): Update {
  return {
    rolloutId: 'rollout_a',
    deviceId: 'device_a',
    wave: 0,
    attempt: 1,
    state: 'offered',
    code: null,
    offeredAt: startAt,
    offeredSequence: 5,
    hasStarted: false,
    changedAt: startAt,
    deadlineAt: secondsOn(7200),
    endedAt: null,
    ...changes,
  }
}
