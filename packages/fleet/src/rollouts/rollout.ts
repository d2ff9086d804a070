/**
 * The values of a rollout: its policy as people wrote it, and how far it has come. Nothing here
 * decides.
 */
import type { SignedSequence } from '../devices/statements.ts'

/** Which devices of the fleet a wave takes in, beyond those of the waves before it. */
export type WaveMembers =
  /** Cumulative share of the fleet, more than 0 and at most 100, by each device's place. */
  | { readonly kind: 'percent'; readonly percent: number }
  /** The first `count` devices that ask, counted in this wave only. */
  | { readonly kind: 'count'; readonly count: number }
  | { readonly kind: 'tag'; readonly key: string; readonly value: string }

/**
 * What must have happened in a wave before the next one opens or, after the last one, the rollout
 * finishes.
 */
export interface Gate {
  /** How long the success condition must have held. */
  readonly bakeSeconds: number
  /** Share of healthy devices, 0 to 100. */
  readonly successPercentMin: number
  /** What that share is of: all members of the wave, or only those whose update has ended. */
  readonly successOf: 'members' | 'ended'
  /**
   * The share of failures among the wave's ended updates above which the rollout pauses or aborts;
   * `null`: never.
   */
  readonly failurePercentMax: number | null
  /**
   * How many updates of the wave must have ended before a share of ended ones is judged. It is
   * judged earlier once all devices of the wave, except silent ones, have had their update end.
   */
  readonly sampleMin: number
}

export interface Wave {
  readonly members: WaveMembers
  /** A person must approve before it opens. */
  readonly needsApproval: boolean
  readonly gate: Gate
}

/**
 * How fast updates are offered, evenly spread: at most one every 60 / perMinute seconds, after a
 * burst of one second's worth. The highest rate is 60 000 a minute; for more, leave the rate out.
 */
export type Rate =
  | { readonly kind: 'constant'; readonly perMinute: number }
  | {
      /**
       * The rate is multiplied by `factor` after each `everyHealthy` healthy devices of the
       * rollout, up to `perMinuteMax`.
       */
      readonly kind: 'exponential'
      readonly perMinute: number
      readonly factor: number
      readonly everyHealthy: number
      readonly perMinuteMax: number
    }

export const weekdays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const
export type Weekday = (typeof weekdays)[number]

/**
 * Local times of day as `HH:MM`; a span that ends at or before its beginning runs into the next
 * day.
 */
export interface WindowSpan {
  readonly days: readonly Weekday[]
  readonly from: string
  readonly to: string
}

/** When updates may be offered: maintenance windows, office hours. */
export interface Windows {
  /** IANA name, or `device` for the zone that the device's tag `time-zone` names. */
  readonly timeZone: string
  /** IANA name for devices without a tag `time-zone`, or with one that names no known zone. */
  readonly fallbackTimeZone: string
  readonly spans: readonly WindowSpan[]
}

export interface RolloutPolicy {
  readonly waves: readonly Wave[]
  /** The most updates under way at the same time; `null`: no limit. */
  readonly inFlightMax: number | null
  /** The most updates offered in each period; periods are counted from the start of the rollout. */
  readonly perPeriod: { readonly updatesMax: number; readonly seconds: number } | null
  readonly rate: Rate | null
  readonly windows: Windows | null
  /**
   * An update that has not ended this long after it was offered has timed out, which is a failure.
   * Time in which the device says that it waits for permission to restart does not count.
   */
  readonly timeoutSeconds: number
  /**
   * A device that has not been heard from for this long is silent: a share of ended updates does
   * not wait for it. With `null`, it waits for every device.
   */
  readonly silentAfterSeconds: number | null
  /**
   * One device goes at a time until the first is healthy, and the first failure stops the rollout.
   */
  readonly safeMode: boolean
  /**
   * Error budget: more failed devices than this, over all waves, stop the rollout; `null`: no
   * budget.
   */
  readonly failuresMax: number | null
  /** What a failed gate, a used-up budget and safe mode do. */
  readonly onFailure: 'pause' | 'abort'
  /** How many attempts one device has, and how long it waits after a failed one. */
  readonly attempts: { readonly max: number; readonly waitSeconds: number }
  /**
   * Whether it overtakes the other rollouts of the fleet; only for a release whose signed metadata
   * says `security`.
   */
  readonly isEmergency: boolean
}

export type RolloutState = 'active' | 'paused' | 'finished' | 'aborted'

/** Why a rollout was paused or aborted; one that is active or has finished has no such code. */
export type StopCode =
  | 'by_person'
  | 'failure_gate'
  | 'error_budget'
  | 'safe_mode'
  | 'release_withdrawn'

/** The figures of a stop that failures brought; a wave is counted from 1. */
export type StopValues = {
  readonly [
    name in 'failedCount' | 'failuresMax' | 'wave' | 'endedCount' | 'percent' | 'percentMax'
  ]?: number
}

export interface WaveProgress {
  /**
   * Members that are heard from and were offered nothing yet, as of the last count, and those whose
   * update has ended without a verdict since; `null` until they were counted.
   */
  readonly waitingCount: number | null
  /** Members that were offered nothing yet and are silent. */
  readonly silentCount: number | null
  /**
   * How many devices have got an update, or lost one without a verdict, since that count began:
   * they may no longer wait.
   */
  readonly movedSinceCount: number
  readonly openedAt: Date | null
  /** The instant since which the success condition has held without a break. */
  readonly successSince: Date | null
  readonly approvedAt: Date | null
  readonly approvedBy: string | null
  /** Devices with an update in this wave: those in flight, healthy, failed and superseded. */
  readonly offeredCount: number
  readonly inFlightCount: number
  /** Devices that have committed, or were found to run this very release already. */
  readonly healthyCount: number
  /**
   * Devices whose update rolled back, failed or timed out, with no attempt left or waiting for the
   * next one.
   */
  readonly failedCount: number
  /**
   * The failures that a person accepted by resuming; gates, budget and safe mode leave them out.
   */
  readonly failuresAcceptedCount: number
  /**
   * Devices whose update ended without a verdict: it was overtaken, aborted or its release
   * withdrawn, or the device was removed, moved to another fleet or went beyond the release.
   */
  readonly supersededCount: number
}

/** One change of a rollout's policy or start by a person. */
export interface RolloutChange {
  readonly at: Date
  /** Id of the actor. */
  readonly by: string
  readonly reason: string | null
  /** What changed from what to what, one line each. */
  readonly lines: readonly string[]
}

export interface Rollout {
  readonly id: string
  readonly fleet: string
  readonly product: string
  readonly channel: string
  readonly version: string
  /** Digest of the release's OCI index. */
  readonly sha256: string
  readonly counter: number
  readonly policy: RolloutPolicy
  /** Counts the policies that it has had, from 1; a new start counts as one. */
  readonly policyVersion: number
  /** The last changes of its policy, oldest first. The audit log has all of them. */
  readonly policyChanges: readonly RolloutChange[]
  /**
   * Only devices that run this release take part; `null`: all. A signed rollback is a rollout that
   * starts from the bad release.
   */
  readonly fromSha256: string | null
  readonly wayBackOf: string | null
  readonly state: RolloutState
  readonly stopCode: StopCode | null
  readonly stopValues: StopValues | null
  /** The reason for people to read, in a person's words or ours. */
  readonly stopReason: string | null
  /** Grows with every write. */
  readonly revision: number
  readonly createdAt: Date
  /** Id of the actor. */
  readonly createdBy: string
  /** When the first wave opens or opened. */
  readonly startAt: Date
  readonly endedAt: Date | null
  /** The latest instant any write of this rollout has seen: its time never runs backwards. */
  readonly clockAt: Date
  /** Waves 0 … wavesOpenCount - 1 are open. */
  readonly wavesOpenCount: number
  readonly waves: readonly WaveProgress[]
  /** The period in which `periodOfferedCount` counts, in whole periods since `startAt`. */
  readonly periodIndex: number
  readonly periodOfferedCount: number
  /**
   * The earliest instant at which the rate would allow the next offer if there were no burst, in
   * milliseconds since 1970 with their fraction (at 50 000 a minute an offer is due every 1.2 ms);
   * `null` before the first offer.
   */
  readonly rateNextMs: number | null
  /** Failures that ended at or before this instant count as accepted; `null`: none do. */
  readonly failuresAcceptedAt: Date | null
  /**
   * The lowest place of a device that is heard from or takes part already: every wave by percentage
   * takes that device in, however small its share. `null` until devices were counted, and where
   * there is none.
   */
  readonly firstPlace: number | null
}

/**
 * The later of `now` and the latest instant that any write has seen: it never runs backwards,
 * whatever a replica's clock does.
 */
export function rolloutTime(rollout: Rollout, now: Date): Date {
  return now.getTime() > rollout.clockAt.getTime() ? now : rollout.clockAt
}

/** The device's update in that rollout, under way or ended. */
export function updateIn(rollout: Rollout, facts: CheckInFacts): Update | null {
  for (const update of facts.updates) {
    if (update.rolloutId === rollout.id) return update
  }
  return null
}

/** Whether it has ended, by itself or by a person's word. */
export function isOver({ state }: Pick<Rollout, 'state'>): boolean {
  return state === 'finished' || state === 'aborted'
}

/** Whether it is over and no update of it is under way: nothing changes it any more. */
export function isDone(rollout: Rollout): boolean {
  return isOver(rollout) && rollout.waves.every(({ inFlightCount }) => inFlightCount === 0)
}

/** States of one device's update (D5). The last five are ends. */
export const updateStates = [
  'offered',
  'downloading',
  'installing',
  'restarting',
  'watching',
  'committed',
  'rolled_back',
  'failed',
  'timed_out',
  'superseded',
] as const
export type UpdateState = (typeof updateStates)[number]

/** One device's attempt in one rollout; a retry is the same update with the next attempt. */
export interface Update {
  readonly rolloutId: string
  readonly deviceId: string
  /** Index of the wave that it counts in. */
  readonly wave: number
  /** Number of the attempt, counted from 1. */
  readonly attempt: number
  readonly state: UpdateState
  /**
   * Why the update waits or ended as it did: the device's own code, or one of ours: `timeout`,
   * `already_running`, `overtaken`, `device_removed`, …
   */
  readonly code: string | null
  readonly offeredAt: Date
  /**
   * Sequence of the report on which it was offered: an end told by an older report belongs to an
   * earlier attempt.
   */
  readonly offeredSequence: number
  /** Whether the device was seen at work on this attempt. */
  readonly hasStarted: boolean
  readonly changedAt: Date
  readonly deadlineAt: Date
  readonly endedAt: Date | null
}

/**
 * Why an offer could not reach a device although the device is heard from: an offer that was not
 * shown does not count. Only devices of other protocols are held back; ours are shown whatever they
 * are granted.
 */
export interface HeldBack {
  readonly reason: 'cancel_pending' | 'restart_not_allowed' | 'not_asked'
  /** The release that the device has in hand, which it is shown all the same; `null`: none. */
  readonly exceptSha256: string | null
}

/** What a device says of its present or last update. A failure is told by a signed statement. */
export type Activity = { readonly sha256: string | null; readonly code: string | null } & (
  | {
      readonly state:
        | 'idle'
        | 'downloading'
        | 'installing'
        | 'restarting'
        | 'watching'
        | 'committed'
    }
  | { readonly state: 'rolled_back' | 'failed'; readonly saidSequence: SignedSequence }
)

/** What the decision knows of a device at its check-in. A lying device hurts only itself. */
export interface CheckInFacts {
  readonly deviceId: string
  readonly platform: string
  readonly hardware: string | null
  readonly tags: Readonly<Record<string, string>>
  readonly running: {
    readonly product: string
    readonly sha256: string
    readonly counter: number
  } | null
  readonly committedCounter: number
  readonly floor: number
  readonly activity: Activity
  /**
   * Whether the device counts by itself how often a release fails, as ours do. Outside of rollouts,
   * nobody else does.
   */
  readonly countsAttempts: boolean
  /** The number of the newest statement that the device has signed. */
  readonly sequence: number
  readonly heldBack: HeldBack | null
  /**
   * At most one update for each of the fleet's rollouts that is active or paused, or that has ended
   * with updates still under way. Updates that have ended are among them: attempts and waits are
   * counted from them.
   */
  readonly updates: readonly Update[]
}
