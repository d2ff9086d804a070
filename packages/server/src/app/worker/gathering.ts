/**
 * How long a batch waits for more rows. A commit costs as much as some thirty rows, so devices that
 * come one by one are cheaper together. Callers that come back only after they were answered gain
 * nothing: while they are held back, nobody else comes. Whether more rows come is learned from
 * earlier batches:
 *
 * - **usual**: a batch begins `usualMs` after the one before it began.
 * - **few**: it begins `fewMs` after it, while more than one but few come in that time.
 * - **resting**: hardly anybody came in the later two thirds of the last waits, in which at least
 * `vainRowsMin` rows waited. Batches begin at once for a second, and for twice as long after each
 * further vain trial, at most eight seconds.
 *
 * In every state, rows that arrive while a batch is being written make up the next one. So a caller
 * whose batch does not wait has its answer within two writes: the one under way, and its own.
 */
export interface Gathering {
  /** The time from the beginning of one batch to the beginning of the next; 0 for at once. */
  readonly waitMs: number
  /** Rows that waited in the last consecutive vain waits. */
  readonly vainRows: number
  /** When the rest ends, on the monotonic clock; `undefined` outside a rest. */
  readonly restUntilMs: number | undefined
  readonly restMs: number
}

export interface GatheringTimes {
  readonly usualMs: number
  readonly fewMs: number
}

/** One batch at the moment when it begins. */
export interface BegunBatch {
  readonly count: number
  /**
   * Rows that came in the later two thirds of the wait, which is counted from the beginning of the
   * batch before.
   */
  readonly lateCount: number
  /**
   * Whether the batch began because its wait was over, not because it was full or had nothing to
   * wait for.
   */
  readonly hasWaited: boolean
  /** When the batch before began, and when this one does, on the monotonic clock. */
  readonly beforeMs: number
  readonly nowMs: number
}

/** Below this rate, the rows of one worker are few. */
const fewPerMs = 0.25
/** This many rows that come evenly all come early in a wait only once in 729 times. */
const vainRowsMin = 6
const restMinMs = 1000
const restMaxMs = 8000
/**
 * A wait is vain when a smaller share of its rows than this comes late; of rows that come evenly,
 * two thirds do.
 */
const vainShare = 1 / 6
/** The share of a wait after which a row counts as late. */
export const lateFromShare = 1 / 3

export function startGathering({ usualMs }: GatheringTimes): Gathering {
  return { waitMs: usualMs, vainRows: 0, restUntilMs: undefined, restMs: restMinMs }
}

/** What holds for the batch after this one. */
export function learnFrom(
  before: Gathering,
  batch: BegunBatch,
  { usualMs, fewMs }: GatheringTimes,
): Gathering {
  const { count, lateCount, hasWaited, beforeMs, nowMs } = batch
  const { restUntilMs, restMs } = before
  if (restUntilMs !== undefined) {
    return nowMs < restUntilMs ? before : { ...startGathering({ usualMs, fewMs }), restMs }
  }
  const isVain = lateCount < vainShare * count
  const vainRows = isVain ? before.vainRows + (hasWaited ? count : 0) : 0
  if (vainRows >= vainRowsMin) {
    const nextMs = Math.min(2 * restMs, restMaxMs)
    return { waitMs: 0, vainRows: 0, restUntilMs: nowMs + restMs, restMs: nextMs }
  }
  const areFew = count > 1 && count < fewPerMs * (nowMs - beforeMs)
  return {
    waitMs: areFew ? fewMs : usualMs,
    vainRows,
    restUntilMs: undefined,
    restMs: isVain ? restMs : restMinMs,
  }
}
