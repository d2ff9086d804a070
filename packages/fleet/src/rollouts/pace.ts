/**
 * How many updates may be offered over time: periods counted from the start, and a rate by the
 * GCRA.
 */
import type { Rate, Rollout } from './rollout.ts'
import { sumWaves } from './wave-counts.ts'

/** Whole periods since the rollout's start. */
export function periodIndexAt(rollout: Rollout, at: Date): number {
  const { perPeriod } = rollout.policy
  if (perPeriod === null) return 0
  const index = Math.floor((at.getTime() - rollout.startAt.getTime()) / (perPeriod.seconds * 1000))
  return Math.max(index, rollout.periodIndex)
}

/** Updates that the period of that instant still allows; infinite without a limit. */
export function periodLeftCount(rollout: Rollout, at: Date): number {
  const { perPeriod } = rollout.policy
  if (perPeriod === null) return Infinity
  const isSame = periodIndexAt(rollout, at) === rollout.periodIndex
  return perPeriod.updatesMax - (isSame ? rollout.periodOfferedCount : 0)
}

/** When the next period of that length begins. */
export function nextPeriodAt(rollout: Rollout, seconds: number, at: Date): Date {
  const next = periodIndexAt(rollout, at) + 1
  return new Date(rollout.startAt.getTime() + next * seconds * 1000)
}

/** The rate as it is now: an exponential one has grown with the healthy devices. */
export function perMinuteNow(rollout: Rollout, rate: Rate): number {
  if (rate.kind === 'constant') return rate.perMinute
  const steps = Math.floor(sumWaves(rollout, 'healthyCount') / rate.everyHealthy)
  return Math.min(rate.perMinute * rate.factor ** steps, rate.perMinuteMax)
}

/**
 * The earliest instant, in milliseconds since 1970, at which the rate allows an offer: its burst is
 * one second's worth.
 */
export function rateOpensMs(rollout: Rollout): number {
  const { rate } = rollout.policy
  if (rate === null || rollout.rateNextMs === null) return -Infinity
  const perMinute = perMinuteNow(rollout, rate)
  const burst = Math.max(1, Math.floor(perMinute / 60))
  return rollout.rateNextMs - (burst - 1) * (60_000 / perMinute)
}

/**
 * `rateNextMs` once another rate holds: what was offered in advance of the old rate is made good at
 * the new one.
 */
export function rateAfterChange(before: Rollout, after: Rollout, at: Date): number | null {
  const { rate: old } = before.policy
  const { rate } = after.policy
  if (old === null || rate === null || before.rateNextMs === null) return null
  const intervalMs = 60_000 / perMinuteNow(after, rate)
  const oldIntervalMs = 60_000 / perMinuteNow(before, old)
  const lastMs = before.rateNextMs - oldIntervalMs
  const aheadCount = Math.max(0, (lastMs - at.getTime()) / oldIntervalMs)
  return Math.min(lastMs, at.getTime()) + (aheadCount + 1) * intervalMs
}

/**
 * The period in which offers count once periods have another length: what was offered in the old
 * one counts in the new one.
 */
export function periodAfterChange(
  before: Rollout,
  after: Rollout,
  at: Date,
): Pick<Rollout, 'periodIndex' | 'periodOfferedCount'> {
  const hasOld = before.policy.perPeriod !== null
  const isSame = hasOld && periodIndexAt(before, at) === before.periodIndex
  return {
    periodIndex: periodIndexAt({ ...after, periodIndex: 0 }, at),
    periodOfferedCount: isSame ? before.periodOfferedCount : 0,
  }
}

/** `rateNextMs` after an offer at that instant. */
export function rateAfterOffer(rollout: Rollout, at: Date): number | null {
  const { rate } = rollout.policy
  if (rate === null) return null
  const fromMs = Math.max(rollout.rateNextMs ?? -Infinity, at.getTime())
  return fromMs + 60_000 / perMinuteNow(rollout, rate)
}
