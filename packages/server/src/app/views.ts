/** Times as the wire has them. */
import { formatInstant } from '@seaworthy/std/time'

export function instantOrNull(at: Date | null): string | null {
  return at === null ? null : formatInstant(at)
}

/** A page of a list that was read with one row more than asked for. */
export function pageOf<Row, Item>(
  rows: readonly Row[],
  limit: number,
  view: (row: Row) => Item,
  cursor: (row: Row) => string,
): { items: Item[]; next: string | null } {
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  return {
    items: page.map(view),
    next: rows.length > limit && last !== undefined ? cursor(last) : null,
  }
}

export const pageLimitDefault = 100
