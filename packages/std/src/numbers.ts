/** The least and the most of a list of any length; a spread into `Math.min` ends at some length. */

/** Infinity for an empty list. */
export function minOf(values: Iterable<number>): number {
  let least = Infinity
  for (const value of values) least = Math.min(least, value)
  return least
}

/** -Infinity for an empty list, unless nothing counts that is below `least`. */
export function maxOf(values: Iterable<number>, least = -Infinity): number {
  let most = least
  for (const value of values) most = Math.max(most, value)
  return most
}
