/** How often somebody may do something: so many times at once, then once every while. Pure; one number per actor is all it keeps. */

export interface Allowance {
  /** Times at once, after a rest. */
  readonly burst: number
  /** How long one time takes to come back. */
  readonly everyMs: number
}

export type Spending =
  | { readonly isAllowed: true; readonly usedUntilMs: number }
  | { readonly isAllowed: false; readonly waitMs: number }

/**
 * One time more. `usedUntilMs` is what the last allowed time answered, 0 before the first. A clock that is set back makes
 * nobody wait for longer than a whole rest.
 */
export function spend(usedUntilMs: number, allowance: Allowance, nowMs: number): Spending {
  const wholeMs = allowance.burst * allowance.everyMs
  const from = Math.min(Math.max(usedUntilMs, nowMs), nowMs + wholeMs)
  const until = from + allowance.everyMs
  return until <= nowMs + wholeMs
    ? { isAllowed: true, usedUntilMs: until }
    : { isAllowed: false, waitMs: until - nowMs - wholeMs }
}
