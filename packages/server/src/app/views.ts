/** Times and pages as the wire has them. */
import { formatInstant } from '@seaworthy/std/time'

export function instantOrNull(at: Date | null): string | null {
  return at === null ? null : formatInstant(at)
}

/** Which part of a list is asked for: `limit` rows, 100 unless told, behind the cursor `after`. */
export interface PageQuery {
  readonly after?: string | undefined
  readonly limit?: number | undefined
}

export interface Page<Row> {
  readonly items: Row[]
  /** The cursor of the page behind this one; null on the last. */
  readonly next: string | null
}

const pageLimitDefault = 100

/**
 * A page of what `read` answers. It is asked for one row more than the page has, which tells
 * whether another follows.
 */
export async function readPage<Row>(
  query: PageQuery,
  read: (limit: number) => Promise<readonly Row[]>,
  cursor: (row: Row) => string,
): Promise<Page<Row>> {
  const limit = query.limit ?? pageLimitDefault
  const rows = await read(limit + 1)
  const items = rows.slice(0, limit)
  const last = items.at(-1)
  return { items, next: rows.length > limit && last !== undefined ? cursor(last) : null }
}

export function viewPage<Row, View>(
  { items, next }: Page<Row>,
  view: (row: Row) => View,
): Page<View> {
  return { items: items.map((row) => view(row)), next }
}
