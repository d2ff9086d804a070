/** Lists in pages. */

/** Which part of a list is asked for: `limit` rows, 100 by default, after the cursor `after`. */
export interface PageQuery {
  readonly after?: string | undefined
  readonly limit?: number | undefined
}

export interface Page<Row> {
  readonly items: Row[]
  /** The cursor of the next page; null on the last. */
  readonly next: string | null
}

const pageLimitDefault = 100

/**
 * Reads a page by `read`, which is asked for one row more than the page has, to tell whether
 * another page follows.
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

/** A page of a list by id, as people see its rows. */
export async function listById<Row extends { readonly id: string }, View>(
  query: PageQuery,
  read: (part: { after: string; limit: number }) => Promise<readonly Row[]>,
  view: (row: Row) => View,
): Promise<Page<View>> {
  const after = query.after ?? ''
  const page = await readPage(
    query,
    (limit) => read({ after, limit }),
    ({ id }) => id,
  )
  return viewPage(page, view)
}

/** The most bytes that the rows of a page may have together; one alone may have more. */
const pageBytesMax = 2 * 1024 * 1024

/** The beginning of the page whose rows are not too large; the next page goes on after it. */
export function shortenPage<Row extends { readonly id: string; readonly bytes: number }>(
  page: Page<Row>,
): Page<Row> {
  let bytes = 0
  const end = page.items.findIndex((row, index) => (bytes += row.bytes) > pageBytesMax && index > 0)
  return end < 0 ? page : cutPage(page, end, ({ id }) => id)
}

/** The first `count` rows of the page, at least one; the next page goes on after them. */
export function cutPage<Row>(
  page: Page<Row>,
  count: number,
  cursor: (row: Row) => string,
): Page<Row> {
  if (count >= page.items.length) return page
  const items = page.items.slice(0, count)
  return { items, next: cursor(items.at(-1)!) }
}

export function viewPage<Row, View>(
  { items, next }: Page<Row>,
  view: (row: Row) => View,
): Page<View> {
  return { items: items.map((row) => view(row)), next }
}
