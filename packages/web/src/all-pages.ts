/** Lists of the server that come in pages, read to their end. */

interface ListPage<T> {
  readonly items: readonly T[]
  readonly next: string | null
}

/** More rows than this are for the command line, which writes them as they come. */
const rowsMax = 100_000
const pageSize = 1000

/** Reads pages one after the other, and at most `rowsMax` rows of them. */
export async function readAllPages<T>(
  read: (query: { limit: number; after?: string }) => Promise<ListPage<T>>,
): Promise<readonly T[]> {
  const rows: T[] = []
  let after: string | null = null
  do {
    const page: ListPage<T> = await read({
      limit: pageSize,
      ...(after === null ? {} : { after }),
    })
    for (const item of page.items) rows.push(item)
    after = page.next
  } while (after !== null && rows.length < rowsMax)
  return rows
}
