/** Which devices keep the pin of the server's next key, and which tokens were used since. */
import type { ReadTx, WriteTx } from './connection.ts'
import { isHeardBefore } from './presence.ts'

/** Answers false when the device said so before, or has been removed. */
export async function storeKeptPin(
  { sql }: WriteTx,
  device: string,
  pin: string,
  now: Date,
): Promise<boolean> {
  const rows = await sql`
    insert into kept_pins (device, pin, kept_at)
    select id, ${pin}, ${now} from devices where id = ${device}
    on conflict (device) do update set pin = excluded.pin, kept_at = excluded.kept_at
    where kept_pins.pin <> excluded.pin`
  return rows.count === 1
}

/** Forgets who confirmed: a change of keys is over. */
export async function forgetKeptPins({ sql }: WriteTx): Promise<void> {
  await sql`delete from kept_pins`
}

export interface KeptCounts {
  readonly devices: number
  readonly confirmed: number
  /** Devices that have neither confirmed nor been heard since the announcement. */
  readonly silent: number
}

/** Counts the devices that run our agent. */
export async function countKeptPins(
  { sql }: ReadTx,
  { pin, since }: { pin: string; since: Date },
): Promise<KeptCounts> {
  const [row] = await sql<[KeptCounts]>`
    select count(*) as devices, count(k.device) as confirmed,
      count(*) filter (where k.device is null and ${isHeardBefore(sql, since)}) as silent
    from devices d left join kept_pins k on k.device = d.id and k.pin = ${pin}
      left join device_states s on s.device = d.id
    where d.protocol = 'agent'`
  return row
}

export interface UnconfirmedDevice {
  readonly id: string
  readonly name: string | null
  readonly seenAt: Date | null
}

/** Some of the devices that have not confirmed, those heard last first. At most `limit`. */
export async function listUnconfirmed(
  { sql }: ReadTx,
  pin: string,
  limit: number,
): Promise<UnconfirmedDevice[]> {
  return sql<UnconfirmedDevice[]>`
    select d.id, d.name, s.seen_at as "seenAt" from devices d left join device_states s on s.device = d.id
    where d.protocol = 'agent'
      and not exists (select from kept_pins k where k.device = d.id and k.pin = ${pin})
    order by s.seen_at desc nulls last, d.id limit ${limit}`
}

export async function countTokensUsed(
  { sql }: ReadTx,
  { since, now }: { since: Date; now: Date },
): Promise<{ readonly tokens: number; readonly used: number }> {
  const [row] = await sql<[{ tokens: number; used: number }]>`
    select count(*) as tokens, count(*) filter (where last_used_at >= ${since}) as used
    from tokens where revoked_at is null and expires_at > ${now}`
  return row
}

export interface UnusedToken {
  readonly id: string
  readonly name: string
  readonly lastUsedAt: Date | null
}

/** Some of the working tokens that were not used since, those used last first. At most `limit`. */
export async function listTokensUnused(
  { sql }: ReadTx,
  { since, now }: { since: Date; now: Date },
  limit: number,
): Promise<UnusedToken[]> {
  return sql<UnusedToken[]>`
    select id, name, last_used_at as "lastUsedAt" from tokens
    where revoked_at is null and expires_at > ${now} and (last_used_at is null or last_used_at < ${since})
    order by last_used_at desc nulls last, id limit ${limit}`
}
