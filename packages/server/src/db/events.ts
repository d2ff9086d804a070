/** Notes of what changed, from whichever worker or replica changed it, for those who watch. */
import type { EventNoun } from '@seaworthy/api/events'
import { textsOid } from './arrays.ts'
import type { ReadTx, WriteTx } from './connection.ts'

/** The channel of PostgreSQL on which notes travel. */
export const eventsChannel = 'events'

/** A note is sent with the commit of the transaction. PostgreSQL takes at most 8000 bytes. */
export async function notifyEvent({ sql }: Pick<WriteTx, 'sql'>, note: string): Promise<void> {
  await sql`select pg_notify(${eventsChannel}, ${note})`
}

export interface EventPlace {
  readonly id: string
  readonly fleet: string
  readonly product: string
}

/** Where what changed belongs. At most one place for each of the ids, none for what is gone. */
export async function listPlaces(
  { sql }: ReadTx,
  noun: EventNoun,
  ids: readonly string[],
): Promise<EventPlace[]> {
  const wanted = sql`any(${sql.array([...ids], textsOid)})`
  switch (noun) {
    case 'device':
      return sql<EventPlace[]>`
        select d.id, d.fleet, f.product from devices d join fleets f on f.name = d.fleet
        where d.id = ${wanted}`
    case 'fleet':
      return sql<EventPlace[]>`
        select name as id, name as fleet, product from fleets where name = ${wanted}`
    case 'rollout':
      return sql<EventPlace[]>`
        select id, fleet, product from rollouts where id = ${wanted}`
    case 'release':
    case 'proposal':
    case 'approval':
      return []
  }
}
