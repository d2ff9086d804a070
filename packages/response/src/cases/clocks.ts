/** The clocks of a case: what is owed to the reporter until when, and whether it was done. */
import { dayMs, hourMs } from '@seaworthy/std/time'

export const clockNames = ['acknowledge', 'answer', 'update', 'embargo'] as const
export type ClockName = (typeof clockNames)[number]

export const clockStates = [
  /** It was done in time, or it was done late. */
  'met',
  'late',
  /** It runs, or has less than the time of warning left. */
  'running',
  'soon',
  /** It was not done, and its time is over. */
  'broken',
  /** The case was closed before its time was over. */
  'stopped',
] as const
export type ClockState = (typeof clockStates)[number]

export interface CaseClock {
  readonly name: ClockName
  readonly dueAt: Date
  readonly metAt: Date | null
  readonly state: ClockState
}

/** What the clocks follow from. Calendar time counts, also at night and at weekends. */
export interface CaseTimes {
  /** When the report came in; `null` for a flaw that nobody outside has reported. */
  readonly reportedAt: Date | null
  /** When the reporter got the first message, the first detailed one, and the last one. */
  readonly acknowledgedAt: Date | null
  readonly answeredAt: Date | null
  readonly lastAnswerAt: Date | null
  readonly embargoUntil: Date | null
  readonly isEmbargoOn: boolean
  readonly closedAt: Date | null
}

/** How long each clock runs, and how long before its end it warns. */
const spans = {
  acknowledge: { ms: 24 * hourMs, warnMs: 6 * hourMs },
  answer: { ms: 48 * hourMs, warnMs: 12 * hourMs },
  update: { ms: 7 * dayMs, warnMs: 2 * dayMs },
  embargo: { ms: 0, warnMs: 3 * dayMs },
} as const satisfies Record<ClockName, { ms: number; warnMs: number }>

/** The clocks of a case, the one that is due first at the front. */
export function clocksOf(times: CaseTimes, now: Date): CaseClock[] {
  const { reportedAt, acknowledgedAt, answeredAt, lastAnswerAt, closedAt } = times
  const clocks: CaseClock[] = []
  const add = (name: ClockName, from: Date, metAt: Date | null) => {
    const dueAt = new Date(from.getTime() + spans[name].ms)
    clocks.push({ name, dueAt, metAt, state: stateOf(name, { dueAt, metAt, closedAt }, now) })
  }
  if (reportedAt !== null) {
    add('acknowledge', reportedAt, acknowledgedAt)
    add('answer', reportedAt, answeredAt)
    // Updates are owed from the first detailed answer on, until the case is closed.
    if (answeredAt !== null && lastAnswerAt !== null && closedAt === null) {
      add('update', lastAnswerAt, null)
    }
  }
  if (times.isEmbargoOn && times.embargoUntil !== null) add('embargo', times.embargoUntil, null)
  return clocks.toSorted((a, b) => a.dueAt.getTime() - b.dueAt.getTime())
}

function stateOf(
  name: ClockName,
  { dueAt, metAt, closedAt }: { dueAt: Date; metAt: Date | null; closedAt: Date | null },
  now: Date,
): ClockState {
  const due = dueAt.getTime()
  if (metAt !== null) return metAt.getTime() <= due ? 'met' : 'late'
  if (closedAt !== null && closedAt.getTime() <= due) return 'stopped'
  const leftMs = due - now.getTime()
  if (leftMs <= 0) return 'broken'
  return leftMs <= spans[name].warnMs ? 'soon' : 'running'
}
