/** What people do to a rollout, and what is refused. */
import { Refusal } from '@seaworthy/std/refusal'
import type { ReleaseFacts } from '../releases/index.ts'
import { checkRelease } from './release-checks.ts'
import type { RolloutRefusal } from './refusals.ts'
import type { Rollout, RolloutPolicy, StopCode, WaveProgress } from './rollout.ts'
import { isOver, rolloutTime } from './rollout.ts'
import { needsPerson } from './wave-counts.ts'

export interface NewRollout {
  readonly id: string
  readonly fleet: string
  /** A published release of the fleet's channel. */
  readonly release: ReleaseFacts
  readonly policy: RolloutPolicy
  readonly createdBy: string
  /** The earliest start; `null` or an instant in the past means at once. */
  readonly startAt: Date | null
  /** The rollout that a signed rollback leads away from. */
  readonly wayBackOf: Rollout | null
  readonly now: Date
}

export const untouchedWave: WaveProgress = {
  waitingCount: null,
  silentCount: null,
  movedSinceCount: 0,
  openedAt: null,
  successSince: null,
  approvedAt: null,
  approvedBy: null,
  offeredCount: 0,
  inFlightCount: 0,
  healthyCount: 0,
  failedCount: 0,
  failuresAcceptedCount: 0,
  supersededCount: 0,
}

/**
 * Makes a rollout of a policy that `checkPolicy` has let pass. Throws `release_not_security`,
 * `way_back_not_possible`.
 */
export function createRollout(wanted: NewRollout): Rollout {
  const { release, policy, wayBackOf, now } = wanted
  checkRelease(release, wanted.fleet, policy, wayBackOf)
  const startMs = Math.max(wanted.startAt?.getTime() ?? 0, now.getTime())
  return {
    id: wanted.id,
    fleet: wanted.fleet,
    product: release.product,
    channel: release.channel,
    version: release.version,
    sha256: release.sha256,
    counter: release.counter,
    policy,
    policyVersion: 1,
    policyChanges: [],
    fromSha256: wayBackOf?.sha256 ?? null,
    wayBackOf: wayBackOf?.id ?? null,
    state: 'active',
    stopCode: null,
    stopValues: null,
    stopReason: null,
    revision: 1,
    createdAt: now,
    createdBy: wanted.createdBy,
    startAt: new Date(startMs),
    endedAt: null,
    clockAt: now,
    wavesOpenCount: 0,
    waves: policy.waves.map(() => untouchedWave),
    periodIndex: 0,
    periodOfferedCount: 0,
    rateNextMs: null,
    failuresAcceptedAt: null,
    firstPlace: null,
  }
}

/** Stops further offers; updates under way finish. Throws `rollout_not_active`, `rollout_ended`. */
export function pause(rollout: Rollout, reason: string | null, now: Date): Rollout {
  requireNotEnded(rollout)
  if (rollout.state !== 'active') {
    throw new Refusal<RolloutRefusal>('rollout_not_active', 'the rollout is paused already')
  }
  return stop(rollout, 'paused', 'by_person', reason, now)
}

/**
 * Lets the rollout go on. The failures so far are accepted: no gate, budget or safe mode counts
 * them again. Bake times start anew. Throws `rollout_not_paused`, `rollout_ended`.
 */
export function resume(rollout: Rollout, now: Date): Rollout {
  requireNotEnded(rollout)
  if (rollout.state !== 'paused') {
    throw new Refusal<RolloutRefusal>('rollout_not_paused', 'the rollout is not paused')
  }
  const at = rolloutTime(rollout, now)
  return {
    ...rollout,
    state: 'active',
    stopCode: null,
    stopValues: null,
    stopReason: null,
    failuresAcceptedAt: at,
    waves: rollout.waves.map((wave) => ({
      ...wave,
      successSince: null,
      failuresAcceptedCount: wave.failedCount,
    })),
    // Its clock is a millisecond on, so that no later failure ends at the instant up to which
    // failures are accepted.
    clockAt: new Date(at.getTime() + 1),
    revision: rollout.revision + 1,
  }
}

/** Ends the rollout for good. Throws `rollout_ended`. */
export function abort(rollout: Rollout, reason: string | null, now: Date): Rollout {
  requireNotEnded(rollout)
  return stop(rollout, 'aborted', 'by_person', reason, now)
}

/**
 * Ends the rollout because its release is no longer in the signed metadata. Throws `rollout_ended`.
 */
export function withdraw(rollout: Rollout, now: Date): Rollout {
  requireNotEnded(rollout)
  const reason = `release ${rollout.version} is no longer in the signed metadata of ${rollout.product}/${rollout.channel}`
  return stop(rollout, 'aborted', 'release_withdrawn', reason, now)
}

/**
 * Lets a wave (by index) open once the gate before it has passed. Throws `wave_needs_no_approval`,
 * `wave_approved_already`, `rollout_ended`.
 */
export function approveWave(rollout: Rollout, wave: number, actorId: string, now: Date): Rollout {
  requireNotEnded(rollout)
  const progress = rollout.waves[wave]
  if (progress === undefined || !needsPerson(rollout, wave)) {
    throw new Refusal<RolloutRefusal>(
      'wave_needs_no_approval',
      `wave ${wave + 1} waits for no approval`,
    )
  }
  if (progress.approvedAt !== null) {
    throw new Refusal<RolloutRefusal>('wave_approved_already', `wave ${wave + 1} has been approved`)
  }
  const at = rolloutTime(rollout, now)
  return {
    ...rollout,
    waves: rollout.waves.with(wave, { ...progress, approvedAt: at, approvedBy: actorId }),
    clockAt: at,
    revision: rollout.revision + 1,
  }
}

function stop(
  rollout: Rollout,
  state: 'paused' | 'aborted',
  stopCode: StopCode,
  stopReason: string | null,
  now: Date,
): Rollout {
  const at = rolloutTime(rollout, now)
  return {
    ...rollout,
    state,
    stopCode,
    stopValues: null,
    stopReason,
    endedAt: state === 'aborted' ? at : null,
    clockAt: at,
    revision: rollout.revision + 1,
  }
}

export function requireNotEnded(rollout: Rollout): void {
  if (isOver(rollout)) {
    throw new Refusal<RolloutRefusal>('rollout_ended', `the rollout was ${rollout.state}`)
  }
}
