/** What a device of another protocol is known to run and to do, in the words of our own reports. */
import type { CheckInFacts } from '../rollouts/rollout.ts'

/** A signed release, as a device runs it. */
export interface RunningRelease {
  readonly product: string
  readonly version: string
  readonly sha256: string
  readonly counter: number
}

export interface ReportedUpdate {
  readonly state: CheckInFacts['activity']['state']
  readonly targetPath?: string | undefined
  readonly sha256?: string | undefined
  /** Percentage of the download, 0 to 100. */
  readonly percent?: number | undefined
  readonly code?: string | undefined
}

/** The part of a device's last report that its next statement can change. */
export interface ForeignReport {
  readonly update: ReportedUpdate
  /** What the device runs; `null` when nobody has signed that for its channel. */
  readonly running: RunningRelease | null
  /** The device's own name for what it runs, where nobody has signed that. */
  readonly unsignedVersion?: string
  readonly committedCounter: number
  readonly floor: number
  readonly bootId?: string | undefined
}

/** What a device said about itself: its update, and what it runs where that has changed. */
export interface ReportChange {
  readonly update: ReportedUpdate
  readonly running?: RunningRelease | null | undefined
  /** Given whenever `running` is `null`. */
  readonly unsignedVersion?: string | null | undefined
  /**
   * The counter of what runs there now, for protocols that go by that; otherwise the highest that
   * ever ran there counts.
   */
  readonly committedCounter?: number | undefined
  readonly floor?: number | undefined
  /** `null` where the device did not say it: the one that is known stays. */
  readonly bootId?: string | null | undefined
}

/** The report once the device has said `change`. */
export function changeReport(before: ForeignReport, change: ReportChange): ForeignReport {
  const running = change.running === undefined ? before.running : change.running
  const unsigned =
    change.unsignedVersion === undefined ? before.unsignedVersion : change.unsignedVersion
  const bootId = change.bootId ?? before.bootId
  return {
    update: change.update,
    running,
    committedCounter:
      change.committedCounter ?? Math.max(before.committedCounter, running?.counter ?? 0),
    floor: change.floor ?? before.floor,
    ...(bootId === undefined ? {} : { bootId }),
    ...(running !== null || unsigned === null || unsigned === undefined
      ? {}
      : { unsignedVersion: unsigned }),
  }
}
