/**
 * The times at which any device at all was heard: one row for the whole installation, which every
 * worker writes.
 */
import type { Hearing } from '@seaworthy/fleet/rollouts'
import type { ReadTx, WriteTx } from './connection.ts'

interface HearingRow {
  readonly heardAt: Date | null
  readonly gaps: readonly { readonly from: string; readonly until: string }[]
}

export async function getHearing({ sql }: ReadTx): Promise<Hearing> {
  return parseHearing(await sql<HearingRow[]>`select heard_at as "heardAt", gaps from hearing`)
}

export async function lockHearing({ sql }: WriteTx): Promise<Hearing> {
  const rows = sql<HearingRow[]>`select heard_at as "heardAt", gaps from hearing for update`
  return parseHearing(await rows)
}

/** The row must be locked. */
export async function writeHearing({ sql }: WriteTx, { heardAt, gaps }: Hearing): Promise<void> {
  const list = gaps.map(({ from, until }) => ({
    from: from.toISOString(),
    until: until.toISOString(),
  }))
  await sql`update hearing set heard_at = ${heardAt}, gaps = ${sql.json(list)}`
}

function parseHearing(rows: readonly HearingRow[]): Hearing {
  const [row] = rows
  return {
    heardAt: row?.heardAt ?? null,
    gaps: (row?.gaps ?? []).map(({ from, until }) => ({
      from: new Date(from),
      until: new Date(until),
    })),
  }
}
