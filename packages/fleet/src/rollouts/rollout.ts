/** What a rollout is, in values: its policy as people wrote it, and how far it has come. Nothing here decides. */

/** Which devices of the fleet a wave takes in, beyond those of the waves before it. */
export type WaveMembers =
  /** Cumulative share of the fleet, more than 0 and at most 100, by each device's place. */
  | { readonly kind: 'percent'; readonly percent: number }
  /** The first so many devices that ask, over this wave alone. */
  | { readonly kind: 'count'; readonly count: number }
  | { readonly kind: 'tag'; readonly key: string; readonly value: string }

/** What must have happened in a wave before the next one opens, or, after the last one, the rollout has finished. */
export interface Gate {
  /** For how long the success condition must have held. */
  readonly bakeSeconds: number
  /** Share of healthy devices, 0 to 100. */
  readonly successPercentMin: number
  /** What that share is of: all members of the wave, or only those whose update has ended. */
  readonly successOf: 'members' | 'ended'
  /** Above this share of failures among the wave's ended updates the rollout pauses or aborts; `null`: never. */
  readonly failurePercentMax: number | null
  /**
   * So many updates of the wave must have ended before a share of ended ones is judged; or all of it, but for devices
   * that are silent.
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
 * How fast updates are offered, evenly spread: one at most every 60 / perMinute seconds, after a burst of one second's
 * worth. At most 60 000 a minute; who wants more wants no rate.
 */
export type Rate =
  | { readonly kind: 'constant'; readonly perMinute: number }
  | {
      /** Multiplied by `factor` after each `everyHealthy` healthy devices of the rollout, up to `perMinuteMax`. */
      readonly kind: 'exponential'
      readonly perMinute: number
      readonly factor: number
      readonly everyHealthy: number
      readonly perMinuteMax: number
    }

export const weekdays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const
export type Weekday = (typeof weekdays)[number]

/** Local times of day `HH:MM`; one that ends at or before it begins runs into the next day. */
export interface WindowSpan {
  readonly days: readonly Weekday[]
  readonly from: string
  readonly to: string
}

/** When updates may be offered: maintenance windows, office hours. */
export interface Windows {
  /** IANA name, or `device`: that of the device's tag `time-zone`. */
  readonly timeZone: string
  /** For devices without (or with an unknown) tag; IANA name. */
  readonly fallbackTimeZone: string
  readonly spans: readonly WindowSpan[]
}

export interface RolloutPolicy {
  readonly waves: readonly Wave[]
  /** Updates at the same time; `null`: no limit. */
  readonly inFlightMax: number | null
  /** So many updates offered in each period, counted from the start of the rollout. */
  readonly perPeriod: { readonly updatesMax: number; readonly seconds: number } | null
  readonly rate: Rate | null
  readonly windows: Windows | null
  /**
   * An update that has not ended so long after it was offered has timed out: a failure. Time in which the device says
   * that it waits for leave to restart does not count.
   */
  readonly timeoutSeconds: number
  /**
   * A device that has not been heard from for so long is silent: a share of ended updates does not wait for it. `null`:
   * it waits for every device.
   */
  readonly silentAfterSeconds: number | null
  /** One device at a time until the first is healthy, and the first failure stops. */
  readonly safeMode: boolean
  /** Error budget: more failed devices than this, over all waves, stop the rollout; `null`: no budget. */
  readonly failuresMax: number | null
  /** What a failed gate, a used-up budget and safe mode do. */
  readonly onFailure: 'pause' | 'abort'
  /** Of one device. */
  readonly attempts: { readonly max: number; readonly waitSeconds: number }
  /** Overtakes the other rollouts of the fleet; only for a release whose signed metadata says `security`. */
  readonly isEmergency: boolean
}

export type RolloutState = 'active' | 'paused' | 'finished' | 'aborted'

/** Why a rollout stands where it stands; `null` while it runs as planned or a person gave no reason. */
export type StopCode =
  | 'by_person'
  | 'failure_gate'
  | 'error_budget'
  | 'safe_mode'
  | 'release_withdrawn'

export interface WaveProgress {
  /**
   * Members that were offered nothing yet and are heard from, as they were counted last, and those whose update has ended
   * without a verdict since; `null` until they were counted.
   */
  readonly waitingCount: number | null
  /** Members that were offered nothing yet and are silent. */
  readonly silentCount: number | null
  /** So many have got an update, or lost one without a verdict, since that count began: they may not wait any more. */
  readonly movedSinceCount: number
  readonly openedAt: Date | null
  /** Since when the success condition has held without a break. */
  readonly successSince: Date | null
  readonly approvedAt: Date | null
  readonly approvedBy: string | null
  /** Devices with an update in this wave: the sum of the next four. */
  readonly offeredCount: number
  readonly inFlightCount: number
  /** Committed, or found to run this very release already. */
  readonly healthyCount: number
  /** Rolled back, failed or timed out, with no attempt left or waiting for the next one. */
  readonly failedCount: number
  /** Of the failed ones: those that a person accepted by resuming. Left out of gates, budget and safe mode. */
  readonly failuresAcceptedCount: number
  /** Ended without a verdict: overtaken, removed, moved to another fleet, aborted, gone beyond the release. */
  readonly supersededCount: number
}

export interface Rollout {
  readonly id: string
  readonly fleet: string
  readonly product: string
  readonly channel: string
  readonly version: string
  /** Of the release's OCI index. */
  readonly sha256: string
  readonly counter: number
  readonly policy: RolloutPolicy
  /** Only devices that run this release take part; `null`: all. A way back is a rollout from the bad release. */
  readonly fromSha256: string | null
  readonly wayBackOf: string | null
  readonly state: RolloutState
  readonly stopCode: StopCode | null
  /** For people, in a person's words or ours. */
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
  /** The period that `periodOfferedCount` is of: whole periods since `startAt`. */
  readonly periodIndex: number
  readonly periodOfferedCount: number
  /**
   * The earliest instant at which the rate allows the next offer, were there no burst, in milliseconds since 1970 with
   * their fraction (at 50 000 a minute an offer is due every 1.2 ms); `null` before the first.
   */
  readonly rateNextMs: number | null
  /** Failures that ended at or before this instant count as accepted; `null`: none were. */
  readonly failuresAcceptedAt: Date | null
  /**
   * The lowest place of a device that is heard from or takes part already: every wave by percentage takes that one in,
   * however small its share. `null` until devices were counted, and where there is none.
   */
  readonly firstPlace: number | null
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
  /** From 1. */
  readonly attempt: number
  readonly state: UpdateState
  /** Why it waits; the device's own code for a failure, or ours: `timeout`, `already_running`, `overtaken`, `device_removed`, … */
  readonly code: string | null
  readonly offeredAt: Date
  /** Sequence of the report on which it was offered: an end told by an older report belongs to an earlier attempt. */
  readonly offeredSequence: number
  /** Whether the device was seen at work on this attempt. */
  readonly hasStarted: boolean
  readonly changedAt: Date
  readonly deadlineAt: Date
  readonly endedAt: Date | null
}

/**
 * Why an offer could not reach a device although it is heard: nothing counts as offered that was not shown. Devices of
 * other protocols are held back so; ours are shown whatever they are granted.
 */
export interface HeldBack {
  readonly reason: 'cancel_pending' | 'restart_not_allowed' | 'not_asked'
  /** The release that the device has in hand, which it is shown all the same; `null`: none. */
  readonly exceptSha256: string | null
}

/** What the decision knows of a device at its check-in. A lying device hurts itself alone. */
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
  /** What the device says of its present or last update. */
  readonly activity: {
    readonly state:
      | 'idle'
      | 'downloading'
      | 'installing'
      | 'restarting'
      | 'watching'
      | 'committed'
      | 'rolled_back'
      | 'failed'
    readonly sha256: string | null
    readonly code: string | null
  }
  readonly sequence: number
  readonly heldBack: HeldBack | null
  /**
   * At most one for each of the fleet's rollouts that is active or paused, or that has ended with updates still under
   * way. Those that have ended are among them: attempts and waits are counted from them.
   */
  readonly updates: readonly Update[]
}
