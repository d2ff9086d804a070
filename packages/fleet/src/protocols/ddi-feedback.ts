/**
 * What a DDI client says about an action, or does not say in time, and what follows from it. All
 * functions are pure.
 */
import { cutText } from '@seaworthy/std/printable'
import { minuteMs, secondMs } from '@seaworthy/std/time'
import type { FleetPolicy } from '../fleets/index.ts'
import { isToldFailure } from '../rollouts/update-ends.ts'
import type { ReportChange, ReportedUpdate, RunningRelease } from './report.ts'

export type DdiActionState = 'running' | 'canceling' | 'finished' | 'failed' | 'canceled'

/** An action: what a DDI client knows as one attempt at a release. */
export interface DdiAction {
  readonly product: string
  readonly version: string
  /** Digest of the release's OCI index. */
  readonly sha256: string
  readonly counter: number
  readonly state: DdiActionState
  readonly isCancelRejected: boolean
  /**
   * When the client was asked to cancel. For a client that refused to, the time when it last said
   * anything about the action.
   */
  readonly cancelAskedAt: Date | null
  readonly statusesCount: number
  /** The last messages, newest first. */
  readonly messages: readonly string[]
  readonly changedAt: Date
  readonly closedAt: Date | null
}

export const executions = [
  'closed',
  'proceeding',
  'canceled',
  'scheduled',
  'rejected',
  'resumed',
  'download',
  'downloaded',
] as const
export type Execution = (typeof executions)[number]

export const results = ['success', 'failure', 'none'] as const
export type Result = (typeof results)[number]

export interface Feedback {
  readonly execution: Execution
  readonly finished: Result
  /** Progress from 0 to 100, where the client tells it. */
  readonly percent: number | null
  readonly code: number | null
  readonly details: readonly string[]
}

/** hawkBit's quotas, and what we keep of the messages. */
export const statusesMax = 1000
export const detailsMax = 50
const messagesKeptMax = 20
const messageLengthMax = 512

export interface Effect {
  readonly action: DdiAction
  /** What the feedback says about the device; `null` when it says nothing about that. */
  readonly change: ReportChange | null
}

/**
 * Applies feedback on a deployment that is not closed. The deployment is over, successful or not,
 * only when the client says `closed`.
 */
export function applyFeedback(action: DdiAction, feedback: Feedback, now: Date): Effect {
  const { execution, finished } = feedback
  const noted = note(action, feedback, now)
  switch (execution) {
    case 'closed':
      return finished === 'failure'
        ? close(noted, 'failed', failed(action, feedback), now)
        : close(noted, 'finished', committed(action), now)
    case 'download':
    case 'downloaded':
      return { action: noted, change: working(action, 'downloading', feedback) }
    case 'proceeding':
    case 'resumed':
      return { action: noted, change: working(action, 'installing', feedback) }
    case 'canceled':
      return action.state === 'canceling'
        ? close(noted, 'canceled', stopped, now)
        : { action: noted, change: null }
    case 'scheduled':
    case 'rejected':
      return { action: noted, change: null }
  }
}

/** Applies feedback on a request to cancel. */
export function applyCancelFeedback(action: DdiAction, feedback: Feedback, now: Date): Effect {
  const { execution, finished } = feedback
  const noted = note(action, feedback, now)
  if (execution === 'rejected') {
    const goesOn = { state: 'running', isCancelRejected: true, cancelAskedAt: now } as const
    return { action: { ...noted, ...goesOn }, change: null }
  }
  if (execution === 'canceled') return close(noted, 'canceled', stopped, now)
  if (execution !== 'closed') return { action: noted, change: null }
  return finished === 'failure'
    ? close(noted, 'failed', failed(action, feedback), now)
    : close(noted, 'canceled', stopped, now)
}

/**
 * Takes what the client says that it runs. The failure of another release stays known: a client
 * that names an older one after each failure would otherwise be offered the same one without end.
 */
export function applyInstalled(update: ReportedUpdate, running: RunningRelease): ReportChange {
  const isKept = isToldFailure(update) && update.sha256 !== running.sha256
  return { update: isKept ? update : { state: 'idle' }, running }
}

const stopped: ReportChange = { update: { state: 'idle' } }

/** A client has three polls to answer a request to cancel, and at least this long. */
const cancelMsMin = 15 * minuteMs
const cancelPolls = 3

function cancelTimeoutMs({ pollSeconds }: Pick<FleetPolicy, 'pollSeconds'>): number {
  return Math.max(cancelMsMin, cancelPolls * pollSeconds * secondMs)
}

/**
 * Whether the client has let its time to answer the request to cancel pass, or has refused to
 * cancel and then said nothing about the action for as long.
 */
export function isCancelOverdue(
  action: { readonly cancelAskedAt: Date | null },
  fleet: Pick<FleetPolicy, 'pollSeconds'>,
  now: Date,
): boolean {
  const { cancelAskedAt } = action
  return cancelAskedAt !== null && now.getTime() - cancelAskedAt.getTime() >= cancelTimeoutMs(fleet)
}

/**
 * Ends an action that its client did not stop when it was asked to; later feedback on it is
 * refused.
 */
export function endUnanswered(action: DdiAction, how: 'timed-out' | 'forced', now: Date): Effect {
  const silence = action.isCancelRejected
    ? 'the client would not cancel, and has said nothing more in time'
    : 'the client did not answer the request to cancel in time'
  const said =
    how === 'forced'
      ? 'ended by a person, without an answer of the client'
      : `ended by the server: ${silence}`
  const noted = { ...action, messages: [said, ...action.messages].slice(0, messagesKeptMax) }
  return close({ ...noted, changedAt: now }, 'canceled', stopped, now)
}

function note(action: DdiAction, { details }: Feedback, now: Date): DdiAction {
  const said = details.map((text) => cutText(text, messageLengthMax)).toReversed()
  return {
    ...action,
    statusesCount: action.statusesCount + 1,
    messages: [...said, ...action.messages].slice(0, messagesKeptMax),
    changedAt: now,
    // Each feedback of a client that refused to cancel starts its time anew.
    cancelAskedAt: action.isCancelRejected ? now : action.cancelAskedAt,
  }
}

function close(
  action: DdiAction,
  state: 'finished' | 'failed' | 'canceled',
  change: ReportChange,
  now: Date,
): Effect {
  return { action: { ...action, state, cancelAskedAt: null, closedAt: now }, change }
}

function working(
  { sha256 }: DdiAction,
  state: 'downloading' | 'installing',
  { percent }: Feedback,
): ReportChange {
  return { update: { state, sha256, ...(percent === null ? {} : { percent }) } }
}

function committed({ product, version, sha256, counter }: DdiAction): ReportChange {
  return {
    update: { state: 'committed', sha256 },
    running: { product, version, sha256, counter },
  }
}

function failed({ sha256 }: DdiAction, { code }: Feedback): ReportChange {
  return {
    update: { state: 'failed', sha256, code: code === null ? 'ddi_failure' : `ddi_${code}` },
  }
}
