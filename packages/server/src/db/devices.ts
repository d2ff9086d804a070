/** Devices, their newest state, their signed reports, and what remains of removed ones. */
import type { DeviceReport } from '@seaworthy/api/device-self'
import type { PendingQuery, Row } from 'postgres'
import type { DeviceFilter, DeviceSort, EnrolmentView } from '@seaworthy/api/devices'
import type { PublicKey } from '@seaworthy/trust/keys'
import { copyScope } from '@seaworthy/fleet/access'
import type { Presence } from '@seaworthy/fleet/devices'
import { failedStates } from '@seaworthy/fleet/rollouts'
import { textsOid } from './arrays.ts'
import type { ReadTx, WriteTx } from './connection.ts'
import { heardAt, isHeardBefore, isHeardSince, isPresence } from './presence.ts'

export interface DeviceRow {
  readonly id: string
  readonly fleet: string
  readonly protocol: 'agent' | 'ddi' | 'omaha'
  /**
   * `null` for a device that speaks another protocol: it has a secret instead, see
   * `foreign_devices`.
   */
  readonly keyId: string | null
  readonly publicKey: PublicKey | null
  readonly name: string | null
  readonly platform: string
  readonly hardware: string | null
  readonly agentVersion: string
  readonly tags: Readonly<Record<string, string>>
  readonly provisioningKey: string | null
  readonly registeredAt: Date
}

/**
 * What a device said last. A device of another protocol may run what nobody has signed:
 * `unsignedVersion` is what it calls that.
 */
export type StoredReport = DeviceReport & { readonly unsignedVersion?: string }

type Enrolment = NonNullable<EnrolmentView['enrolment']>

export interface EnrolmentRow {
  readonly id: string
  readonly name: string | null
  readonly publicKey: PublicKey
  readonly enrolment: Enrolment | null
  readonly seals: EnrolmentView['seals']
}

export interface DeviceWithState extends DeviceRow {
  /**
   * How far its clock was ahead of the server's when it last got a token; `null` before its first
   * token and for devices of other protocols.
   */
  readonly clockOffsetSeconds: number | null
  readonly seenAt: Date | null
  /** How often the devices of its fleet ask. */
  readonly pollSeconds: number
  readonly report: StoredReport | null
  /** The time since when two machines seem to use its identity. */
  readonly sharedSince: Date | null
}

const columns = (sql: ReadTx['sql']) => sql`
  d.id, d.fleet, d.protocol, d.key_id as "keyId", d.public_key as "publicKey", d.name, d.platform, d.hardware,
  d.agent_version as "agentVersion", d.tags, d.provisioning_key as "provisioningKey",
  d.registered_at as "registeredAt"`

/** The last report with the times of the last check-in, which are stored apart from it. */
const state = (sql: ReadTx['sql']) => sql`
  (select poll_seconds from fleets where name = d.fleet) as "pollSeconds",
  d.clock_offset_seconds as "clockOffsetSeconds", s.seen_at as "seenAt", t.shared_since as "sharedSince",
  r.report || jsonb_build_object(
    'at', to_char(s.reported_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
    'timestampVerifiedAt', to_char(s.verified_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"')) as report`

/** The condition of the index `devices_clock_off`, word for word. */
const clockIsOff = (sql: ReadTx['sql']) => sql`abs(clock_offset_seconds) > 60`

/** Devices whose clock is off by more than a minute. */
export async function countClocksOff({
  sql,
}: ReadTx): Promise<{ readonly ahead: number; readonly behind: number }> {
  const [row] = await sql<[{ ahead: number; behind: number }]>`
    select count(*) filter (where clock_offset_seconds > 0) as ahead,
      count(*) filter (where clock_offset_seconds < 0) as behind
    from devices where ${clockIsOff(sql)}`
  return row
}

/** Answers false when a device with that key exists already. */
export async function insertDevice({ sql }: WriteTx, row: DeviceRow): Promise<boolean> {
  const inserted = await sql`
    insert into devices (id, fleet, protocol, key_id, public_key, name, platform, hardware, agent_version, tags,
      provisioning_key, registered_at)
    values (${row.id}, ${row.fleet}, ${row.protocol}, ${row.keyId},
      ${row.publicKey && sql.json({ ...row.publicKey, keyval: { ...row.publicKey.keyval } })}, ${row.name}, ${row.platform},
      ${row.hardware}, ${row.agentVersion}, ${sql.json({ ...row.tags })}, ${row.provisioningKey},
      ${row.registeredAt})
    on conflict (key_id) do nothing`
  return inserted.count === 1
}

export async function getDevice({ sql }: ReadTx, id: string): Promise<DeviceWithState | undefined> {
  const [row] = await sql<DeviceWithState[]>`
    select ${columns(sql)}, ${state(sql)}
    from devices d left join device_states s on s.device = d.id left join last_reports r on r.device = d.id
      left join identity_traces t on t.device = d.id
    where d.id = ${id}`
  return row
}

/**
 * Keeps what the device showed of its enrolment, unless it showed something before; nothing here is
 * decided by it. Answers whether it is kept.
 */
export async function storeEnrolment(
  { sql }: WriteTx,
  id: string,
  enrolment: Enrolment,
): Promise<boolean> {
  const rows = await sql`
    update devices set enrolment = ${sql.json(enrolment)} where id = ${id} and enrolment is null`
  return rows.count === 1
}

export async function findEnrolment({ sql }: ReadTx, id: string): Promise<Enrolment | null> {
  const [row] = await sql<Pick<EnrolmentRow, 'enrolment'>[]>`
    select enrolment from devices where id = ${id}`
  return row?.enrolment ?? null
}

/** The devices of a fleet that have a key, with what they showed of their enrolment. */
export async function listEnrolments(
  { sql }: ReadTx,
  page: { fleet: string; after: string; limit: number },
): Promise<EnrolmentRow[]> {
  return sql<EnrolmentRow[]>`
    select id, name, public_key as "publicKey", enrolment,
      (select coalesce(jsonb_agg(jsonb_build_object('name', s.name, 'isOfFleet', s.device is null,
          'version', e.version)), '[]')
        from seals e join settings s on s.id = e.setting
        where e.device = devices.id and (s.device is not null or s.fleet = devices.fleet)) as seals
    from devices
    where fleet = ${page.fleet} and id > ${page.after} and public_key is not null
    order by id limit ${page.limit}`
}

/** Keeps the device in its fleet until the transaction ends, and answers which fleet that is. */
export async function lockDevice({ sql }: WriteTx, id: string): Promise<string | undefined> {
  const [row] = await sql<{ fleet: string }[]>`
    select fleet from devices where id = ${id} for no key update`
  return row?.fleet
}

/**
 * Locks those of the devices that are in the fleet, in the order of their ids, which it answers. At
 * most as many as the ids.
 */
export async function lockDevicesOf(
  { sql }: WriteTx,
  fleet: string,
  ids: readonly string[],
): Promise<string[]> {
  const rows = await sql<{ id: string }[]>`
    select id from devices where id = any(${sql.array([...ids], textsOid)}) and fleet = ${fleet}
    order by id for no key update`
  return rows.map(({ id }) => id)
}

/**
 * Locks devices in the order of their ids, and answers the names of their fleets. At most as many
 * as the ids.
 */
export async function lockDevices({ sql }: WriteTx, ids: readonly string[]): Promise<string[]> {
  const rows = await sql<{ fleet: string }[]>`
    select fleet from devices where id = any(${sql.array([...ids], textsOid)})
    order by id for no key update`
  return [...new Set(rows.map(({ fleet }) => fleet))]
}

export async function getDeviceByKey(
  { sql }: ReadTx,
  keyId: string,
): Promise<DeviceRow | undefined> {
  const [row] = await sql<DeviceRow[]>`
    select ${columns(sql)} from devices d where d.key_id = ${keyId}`
  return row
}

/** Which devices are meant: those of the scope for which everything holds that is given. */
export interface DeviceSelection extends Omit<
  DeviceFilter,
  'seenBefore' | 'seenSince' | 'presence' | 'tag' | 'behind'
> {
  readonly tag?: { readonly name: string; readonly value: string } | undefined
  /**
   * Devices that run a release with a lower counter than their channel has here, by
   * `product.channel`; none of channels that are not here.
   */
  readonly behind?: Readonly<Record<string, number>> | undefined
  readonly seenBefore?: Date | undefined
  readonly seenSince?: Date | undefined
  readonly presence?: { readonly is: Presence; readonly now: Date } | undefined
  /** The scope of whoever asks; `null` for all. */
  readonly fleets: readonly string[] | null
  readonly products: readonly string[] | null
}

/**
 * The joins that `listDevices` and `countDevices` share, with the condition of a selection. Outer
 * joins that nothing is asked of cost nothing; the inner one is there where it is needed.
 */
function selectedDevices({ sql }: ReadTx, wanted: DeviceSelection) {
  const { fleets, products } = copyScope(wanted)
  // Only what is asked for is in the statement, so that PostgreSQL plans by it.
  const where = (isGiven: unknown, condition: () => PendingQuery<Row[]>) =>
    isGiven === undefined || isGiven === null ? sql`` : sql` and ${condition()}`
  const { name, namePrefix: prefix, q } = wanted
  const isByFleet = (products ?? wanted.product ?? wanted.behind ?? wanted.presence) !== undefined
  return sql`
    from devices d ${isByFleet ? sql`join fleets f on f.name = d.fleet` : sql``}
      left join device_states s on s.device = d.id left join last_reports r on r.device = d.id
      left join identity_traces t on t.device = d.id
    where true
    ${where(fleets, () => sql`d.fleet = any(${fleets}::text[])`)}
    ${where(products, () => sql`f.product = any(${products}::text[])`)}
    ${where(wanted.fleet, () => sql`d.fleet = ${wanted.fleet!}`)}
    ${where(wanted.product, () => sql`f.product = ${wanted.product!}`)}
    ${where(name, () => sql`d.name collate "C" = ${name!}`)}
    ${where(prefix, () => sql`d.name collate "C" between ${prefix!} and ${prefix!} || chr(1114111)`)}
    ${where(wanted.tag, () => sql`d.tags @> ${sql.json({ [wanted.tag!.name]: wanted.tag!.value })}`)}
    ${where(wanted.protocol, () => sql`d.protocol = ${wanted.protocol!}`)}
    ${where(wanted.platform, () => sql`d.platform = ${wanted.platform!}`)}
    ${where(wanted.agentVersion, () => sql`d.agent_version = ${wanted.agentVersion!}`)}
    ${where(
      wanted.version,
      () =>
        sql`r.device is not null
          and coalesce(r.report -> 'running' ->> 'version', r.report ->> 'unsignedVersion') = ${wanted.version!}`,
    )}
    ${where(wanted.state, () => sql`r.report -> 'update' ->> 'state' = ${wanted.state!}`)}
    ${where(wanted.refusal, () => sql`r.report -> 'refusals' -> -1 ->> 'code' = ${wanted.refusal!}`)}
    ${where(
      wanted.update,
      () => sql`r.report -> 'update' ->> 'state' = any(${sql.array([...failedStates], textsOid)})`,
    )}
    ${where(wanted.seenBefore, () => isHeardBefore(sql, wanted.seenBefore!))}
    ${where(wanted.seenSince, () => isHeardSince(sql, wanted.seenSince!))}
    ${where(wanted.presence, () => isPresence(sql, wanted.presence!.is, wanted.presence!.now))}
    ${where(wanted.clock ?? wanted.clockOffSeconds, () => clockIsOff(sql))}
    ${where(
      wanted.clockOffSeconds,
      () => sql`abs(d.clock_offset_seconds) > ${wanted.clockOffSeconds!}`,
    )}
    ${where(wanted.identity, () => sql`t.shared_since is not null`)}
    ${where(
      wanted.behind,
      () => sql`(r.report -> 'running' ->> 'counter')::bigint
        < (${sql.json(wanted.behind!)} ->> (f.product || '.' || f.channel))::bigint`,
    )}
    ${where(q, () => textIsIn(sql, q!))}`
}

/**
 * Whether the text is in a name or in a tag written `name=value`. Tags are taken apart only where
 * their JSON has the longest part of the text that JSON writes as it is.
 */
function textIsIn(sql: ReadTx['sql'], q: string): PendingQuery<Row[]> {
  const part = q
    .split(/[=\\"\p{Cc}]/u)
    .reduce((longest, one) => (one.length > longest.length ? one : longest), '')
  return sql`(
    strpos(lower(concat_ws(' ', d.id, d.name, d.fleet, d.platform, d.hardware)), lower(${q})) > 0
    or (strpos(lower(d.tags::text), lower(${part})) > 0 and exists (
      select 1 from jsonb_each_text(d.tags) tag
      where strpos(lower(tag.key || '=' || tag.value), lower(${q})) > 0)))`
}

/** A page of a list in the order of `sort` goes on after the device `id` whose `key` was this. */
export interface DeviceCursor {
  readonly id: string
  readonly key: string
}

/**
 * What a list is sorted by before the ids, as the indexes have it, and how a cursor writes that.
 * Answers `null` for the ids alone, which are in the order of registration.
 */
function sortKey(sql: ReadTx['sql'], sort: DeviceSort, after: string) {
  switch (sort) {
    case 'name':
    case '-name': {
      const name = sql`coalesce(d.name, '') collate "C"`
      return { by: name, text: name, after: sql`${after}` }
    }
    case 'fleet':
    case '-fleet':
      return { by: sql`d.fleet`, text: sql`d.fleet`, after: sql`${after}` }
    case 'seen':
    case '-seen': {
      const seen = heardAt(sql)
      const microseconds = /^\d{1,16}$/.test(after) ? after : '0'
      return {
        by: seen,
        text: sql`(extract(epoch from ${seen}) * 1000000)::bigint::text`,
        after: sql`timestamptz 'epoch' + ${microseconds}::text::bigint * interval '1 microsecond'`,
      }
    }
    case 'registered':
    case '-registered':
      return null
  }
}

export async function listDevices(
  tx: ReadTx,
  page: DeviceSelection & {
    after: DeviceCursor | null
    limit: number
    sort?: DeviceSort | undefined
  },
): Promise<(DeviceWithState & { readonly key: string })[]> {
  const { sql } = tx
  const { after, limit, sort = 'registered', ...wanted } = page
  const key = sortKey(sql, sort, after?.key ?? '')
  const isDown = sort.startsWith('-')
  const direction = isDown ? sql`desc` : sql``
  const follows = isDown ? sql`<` : sql`>`
  const behindCursor =
    after === null
      ? sql``
      : key === null
        ? sql`and d.id ${follows} ${after.id}`
        : sql`and (${key.by}, d.id) ${follows} (${key.after}, ${after.id})`
  const order = sql`${key === null ? sql`` : sql`${key.by} ${direction},`} d.id ${direction}`
  // The page is found before its rows are read, so that no more of them go through a sort.
  return sql<(DeviceWithState & { key: string })[]>`
    select ${columns(sql)}, ${state(sql)}, page.key
    from (
      select d.id, ${key?.text ?? sql`''`} as key, row_number() over (order by ${order}) as place
      ${selectedDevices(tx, wanted)} ${behindCursor} order by ${order} limit ${limit}
    ) page join devices d on d.id = page.id left join device_states s on s.device = d.id
      left join last_reports r on r.device = d.id left join identity_traces t on t.device = d.id
    order by page.place`
}

export async function countDevices(tx: ReadTx, wanted: DeviceSelection): Promise<number> {
  const [row] = await tx.sql<[{ count: number }]>`
    select count(*)::int as count ${selectedDevices(tx, wanted)}`
  return row.count
}

/**
 * Locks the device, and answers what it may change of itself, its name, and the time up to which
 * its allowance for changes is used.
 */
export async function lockOwnMetadata(
  { sql }: WriteTx,
  id: string,
): Promise<(Pick<DeviceRow, 'name'> & { usedUntil: Date | null }) | undefined> {
  const [row] = await sql<(Pick<DeviceRow, 'name'> & { usedUntil: Date | null })[]>`
    select name, own_changes_used_until as "usedUntil" from devices
    where id = ${id} for no key update`
  return row
}

export async function updateDevice(
  { sql }: WriteTx,
  id: string,
  change: {
    name?: string | undefined
    tags?: Readonly<Record<string, string>> | undefined
    fleet?: string | undefined
    usedUntil?: Date | undefined
  },
): Promise<boolean> {
  const rows = await sql`
    update devices set
      name = coalesce(${change.name ?? null}, name),
      tags = coalesce(${change.tags === undefined ? null : sql.json({ ...change.tags })}::jsonb, tags),
      fleet = coalesce(${change.fleet ?? null}, fleet),
      own_changes_used_until = coalesce(${change.usedUntil ?? null}, own_changes_used_until)
    where id = ${id}`
  if (rows.count !== 1) return false
  // The next check-in then copies the device as it is now.
  await sql`update device_states set digest = '' where device = ${id}`
  return true
}

/**
 * Removes the device, its state and its reports. Its key is remembered, so that it never registers
 * again.
 */
export async function removeDevice({ sql }: WriteTx, id: string, now: Date): Promise<boolean> {
  const rows = await sql`
    with gone as (delete from devices where id = ${id} returning id, key_id)
    insert into removed_devices (device, key_id, removed_at) select id, key_id, ${now} from gone`
  if (rows.count !== 1) return false
  await sql`select pg_notify('removed_device', ${id})`
  return true
}

/** Whether the device was registered once and has been removed; only its key is remembered. */
export async function isRemovedDevice({ sql }: ReadTx, id: string): Promise<boolean> {
  const rows = await sql`select 1 from removed_devices where device = ${id}`
  return rows.length > 0
}

export async function isRemovedKey({ sql }: ReadTx, keyId: string): Promise<boolean> {
  const rows = await sql`select 1 from removed_devices where key_id = ${keyId}`
  return rows.length > 0
}

/**
 * Devices removed within the last `withinMs`, by the clock that `removed_at` was taken from. At
 * most one for each device that people have removed in that time.
 */
export async function listRemovedDevices({ sql }: ReadTx, withinMs: number): Promise<string[]> {
  const rows = await sql<{ device: string }[]>`
    select device from removed_devices
    where removed_at >= clock_timestamp() - ${withinMs}::double precision * interval '1 millisecond'`
  return rows.map((row) => row.device)
}

export async function setClockOffset(
  { sql }: WriteTx,
  device: string,
  seconds: number,
): Promise<void> {
  await sql`update devices set clock_offset_seconds = ${seconds} where id = ${device}`
}

/** The last signed reports, newest first. */
export async function listReports(
  { sql }: ReadTx,
  device: string,
  limit: number,
): Promise<{ report: Uint8Array; signature: Uint8Array; receivedAt: Date }[]> {
  return sql<{ report: Uint8Array; signature: Uint8Array; receivedAt: Date }[]>`
    select report, signature, received_at as "receivedAt" from device_reports
    where device = ${device} order by sequence desc limit ${limit}`
}
