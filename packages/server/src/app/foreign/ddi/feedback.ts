/**
 * What a DDI client says about an action, or does not say in time, and what follows from it. All
 * functions are pure.
 */
import type { FleetPolicy } from '@seaworthy/fleet/fleets'
import { minuteMs, secondMs } from '@seaworthy/std/time'
import type { DdiActionRow } from '../../../db/ddi-actions.ts'
import type { ForeignNews } from '../foreign-check-ins.ts'

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
  readonly action: DdiActionRow
  /** What the feedback says about the device; `null` when it says nothing about that. */
  readonly news: ForeignNews | null
}

/**
 * Applies feedback on a deployment that is not closed. The deployment is over, successful or not,
 * only when the client says `closed`.
 */
export function applyFeedback(action: DdiActionRow, feedback: Feedback, now: Date): Effect {
  const { execution, finished } = feedback
  const noted = note(action, feedback, now)
  switch (execution) {
    case 'closed':
      return finished === 'failure'
        ? close(noted, 'failed', failed(action, feedback), now)
        : close(noted, 'finished', committed(action), now)
    case 'download':
    case 'downloaded':
      return { action: noted, news: working(action, 'downloading', feedback) }
    case 'proceeding':
    case 'resumed':
      return { action: noted, news: working(action, 'installing', feedback) }
    case 'canceled':
      return action.state === 'canceling'
        ? close(noted, 'canceled', stopped, now)
        : { action: noted, news: null }
    case 'scheduled':
    case 'rejected':
      return { action: noted, news: null }
  }
}

/** Applies feedback on a request to cancel. */
export function applyCancelFeedback(action: DdiActionRow, feedback: Feedback, now: Date): Effect {
  const { execution, finished } = feedback
  const noted = note(action, feedback, now)
  if (execution === 'rejected') {
    const goesOn = { state: 'running', isCancelRejected: true, cancelAskedAt: now } as const
    return { action: { ...noted, ...goesOn }, news: null }
  }
  if (execution === 'canceled') return close(noted, 'canceled', stopped, now)
  if (execution !== 'closed') return { action: noted, news: null }
  return finished === 'failure'
    ? close(noted, 'failed', failed(action, feedback), now)
    : close(noted, 'canceled', stopped, now)
}

const stopped: ForeignNews = { update: { state: 'idle' } }

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
export function endUnanswered(
  action: DdiActionRow,
  how: 'timed-out' | 'forced',
  now: Date,
): Effect {
  const silence = action.isCancelRejected
    ? 'the client would not cancel, and has said nothing more in time'
    : 'the client did not answer the wish to cancel in time'
  const said =
    how === 'forced'
      ? 'ended by a person, without an answer of the client'
      : `ended by the server: ${silence}`
  const noted = { ...action, messages: [said, ...action.messages].slice(0, messagesKeptMax) }
  return close({ ...noted, changedAt: now }, 'canceled', stopped, now)
}

function note(action: DdiActionRow, { details }: Feedback, now: Date): DdiActionRow {
  const said = details.map((text) => text.slice(0, messageLengthMax)).toReversed()
  return {
    ...action,
    statusesCount: action.statusesCount + 1,
    messages: [...said, ...action.messages].slice(0, messagesKeptMax),
    changedAt: now,
    // For a client that refused to cancel, each feedback starts its time anew.
    cancelAskedAt: action.isCancelRejected ? now : action.cancelAskedAt,
  }
}

function close(
  action: DdiActionRow,
  state: 'finished' | 'failed' | 'canceled',
  news: ForeignNews,
  now: Date,
): Effect {
  return { action: { ...action, state, cancelAskedAt: null, closedAt: now }, news }
}

function working(
  { sha256 }: DdiActionRow,
  state: 'downloading' | 'installing',
  { percent }: Feedback,
): ForeignNews {
  return { update: { state, sha256, ...(percent === null ? {} : { percent }) } }
}

function committed({ product, version, sha256, counter }: DdiActionRow): ForeignNews {
  return {
    update: { state: 'committed', sha256 },
    running: { product, version, sha256, counter },
  }
}

function failed({ sha256 }: DdiActionRow, { code }: Feedback): ForeignNews {
  return {
    update: { state: 'failed', sha256, code: code === null ? 'ddi_failure' : `ddi_${code}` },
  }
}
