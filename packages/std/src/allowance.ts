/**
 * How often an actor may do something: `burst` times at once, then once every `everyMs`. Pure; all
 * that is kept is one number per actor.
 */

export interface Allowance {
  /** Number of times at once, after a rest. */
  readonly burst: number
  /** How long one time takes to come back. */
  readonly everyMs: number
}

export type Spending =
  | { readonly isAllowed: true; readonly usedUntilMs: number }
  | { readonly isAllowed: false; readonly waitMs: number }

/**
 * Spends one more time. `usedUntilMs` is the value that the last allowed call returned, 0 before
 * the first. After a clock is set back, nobody waits for longer than a whole rest.
 */
export function spend(usedUntilMs: number, allowance: Allowance, nowMs: number): Spending {
  const wholeMs = allowance.burst * allowance.everyMs
  const from = Math.min(Math.max(usedUntilMs, nowMs), nowMs + wholeMs)
  const until = from + allowance.everyMs
  return until <= nowMs + wholeMs
    ? { isAllowed: true, usedUntilMs: until }
    : { isAllowed: false, waitMs: until - nowMs - wholeMs }
}
