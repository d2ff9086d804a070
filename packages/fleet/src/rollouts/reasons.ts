/**
 * Why a device gets what it gets, as a stable code and the facts that its sentence tells, so that
 * another reader can say it in its own words. Waves are counted from 1.
 */
import type { Outlook } from './outlook.ts'
import type { StopCode, StopValues } from './rollout.ts'
import type { LostUpdate, UnderWayState } from './update-states.ts'

export type NamedRelease = { readonly version: string }
export type Channel = { readonly product: string; readonly channel: string }
export type WaveNumber = { readonly wave: number; readonly wavesCount: number }
type Fleet = { readonly fleet: string }
export type MachineNames = { readonly platform: string; readonly hardware: string | null }
/** What the device runs; `runningVersion` is `null` for a release that is not listed. */
export type RunningNames = {
  readonly runningVersion: string | null
  readonly runningCounter: number
}
export type LastAttempt = {
  readonly lastState: LostUpdate['state']
  readonly lastCode: string | null
  readonly lastEndedAt: Date | null
}
type NoAttempt = { readonly [name in keyof LastAttempt]: null }
export type Stop = {
  readonly stopCode: StopCode | null
  readonly stopReason: string | null
} & StopValues
type UnderWay = NamedRelease &
  WaveNumber & {
    readonly attempt: number
    readonly attemptsMax: number
    readonly since: Date
    readonly deadlineAt: Date
    /** Whether only the permission to restart is missing. */
    readonly isReady: boolean
  }

type Reasons = { readonly [state in UnderWayState]: UnderWay } & {
  readonly committed: NamedRelease & WaveNumber & { readonly since: Date }
  // The fleet decides.
  readonly updates_disabled: Fleet
  readonly other_product: Fleet & { readonly product: string; readonly runningProduct: string }
  readonly newest: NamedRelease & Channel
  readonly pinned: NamedRelease & Channel
  readonly baseline: NamedRelease & Channel
  readonly up_to_date: RunningNames
  readonly pinned_version_not_published: NamedRelease & Channel
  readonly rolled_back_before: { readonly lastCode: string | null }
  readonly no_rollout: Fleet
  readonly baseline_left: NamedRelease & { readonly baselineVersion: string }
  // The fleet or a rollout decides.
  readonly no_release_for_platform: MachineNames & (Channel | NamedRelease)
  readonly release_withdrawn: NamedRelease & Channel & { readonly isBaseline: boolean }
  readonly not_newer:
    | RunningNames
    | (NamedRelease & {
        readonly counter: number
        readonly reachedCounter: number
      } & (LastAttempt | NoAttempt))
  // A rollout decides.
  readonly due: NamedRelease & WaveNumber
  readonly already_running: NamedRelease
  readonly aborted: NamedRelease & Stop
  readonly finished: NamedRelease
  readonly not_taking_part: NamedRelease &
    (
      | { readonly because: 'runs_another_release' | 'no_wave' }
      | ({ readonly because: 'left' } & WaveNumber)
      | { readonly because: 'place'; readonly placePercent: number; readonly lastPercent: number }
    )
  readonly attempts_used_up: NamedRelease & LastAttempt & { readonly attemptsMax: number }
  readonly paused: NamedRelease & Stop
  readonly not_started: NamedRelease & { readonly startAt: Date }
  readonly retry_wait: LastAttempt & {
    readonly attempt: number
    readonly attemptsMax: number
    readonly retryAt: Date
  }
  /** `turnAt` is when the device's own wave may open, where another opens before it. */
  readonly wave_not_open: WaveNumber & { readonly turnAt: Date | null } & Outlook
  readonly safe_mode: { readonly failedCount: number }
  readonly window_closed: { readonly timeZone: string; readonly opensAt: Date | null }
  readonly in_flight_max: { readonly inFlightCount: number; readonly inFlightMax: number }
  readonly period_max: {
    readonly updatesMax: number
    readonly periodSeconds: number
    readonly nextPeriodAt: Date
  }
  readonly rate: { readonly perMinute: number; readonly opensAt: Date }
  readonly cancel_pending: NamedRelease
  readonly restart_not_allowed: NamedRelease
  readonly not_asked: NamedRelease
}

/**
 * `due` means that the device is offered the release at its next check-in; the state of an update
 * stands where it says everything.
 */
export type WhyCode = keyof Reasons
export type Reason<Code extends WhyCode = WhyCode> = {
  [code in Code]: { readonly code: code } & Reasons[code]
}[Code]
