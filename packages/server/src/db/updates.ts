/**
 * Updates: one row for each device and rollout, its events, and the copy that check-ins read. All
 * are written under the locks of the rollouts concerned (`db/rollouts.ts`), many at a time.
 */
import type { Update, UpdateState } from '@seaworthy/fleet/rollouts'
import { isWork } from '@seaworthy/fleet/rollouts'
import { textsOid } from './arrays.ts'
import type { ReadTx, WriteTx } from './connection.ts'

const columns = (sql: ReadTx['sql']) => sql`
  u.rollout as "rolloutId", u.device as "deviceId", u.wave, u.attempt, u.state, u.code, u.offered_at as "offeredAt",
  u.offered_sequence as "offeredSequence", u.has_started as "hasStarted", u.changed_at as "changedAt",
  u.deadline_at as "deadlineAt", u.ended_at as "endedAt"`

/**
 * Lists the updates of the given devices in the given rollouts. At most one for each pair of them.
 */
export async function listUpdates(
  { sql }: ReadTx,
  wanted: { rollouts: readonly string[]; devices: readonly string[] },
): Promise<Update[]> {
  return sql<Update[]>`
    select ${columns(sql)} from updates u
    where u.rollout = any(${sql.array([...wanted.rollouts], textsOid)})
      and u.device = any(${sql.array([...wanted.devices], textsOid)})`
}

/**
 * A device's updates that have not ended. At most one for each rollout that people have begun and
 * not ended.
 */
export async function listOpenUpdates({ sql }: ReadTx, device: string): Promise<Update[]> {
  return sql<Update[]>`
    select ${columns(sql)} from updates u where u.device = ${device} and u.ended_at is null`
}

/**
 * Updates whose deadline has passed, oldest first. They are read without a lock, and must be read
 * again under it.
 */
export async function listOverdueUpdates(
  { sql }: ReadTx,
  now: Date,
  limit: number,
): Promise<Pick<Update, 'rolloutId' | 'deviceId'>[]> {
  return sql<Pick<Update, 'rolloutId' | 'deviceId'>[]>`
    select rollout as "rolloutId", device as "deviceId" from updates
    where ended_at is null and deadline_at <= ${now} order by deadline_at limit ${limit}`
}

/**
 * The fleet and the stored copy of the updates of those of the devices that still exist. The copies
 * are locked in the order of the devices' ids. At most one for each device.
 */
export async function lockDeviceUpdates(
  { sql }: WriteTx,
  devices: readonly string[],
): Promise<Map<string, { fleet: string; updates: readonly unknown[] }>> {
  const rows = await sql<{ device: string; fleet: string; updates: unknown[] }[]>`
    select s.device, d.fleet, s.updates from device_states s join devices d on d.id = s.device
    where s.device = any(${sql.array([...devices], textsOid)})
    order by s.device for no key update of s`
  return new Map(rows.map(({ device, ...rest }) => [device, rest]))
}

/** The rows must be locked. */
export async function writeDeviceUpdates(
  { sql }: WriteTx,
  rows: readonly { readonly device: string; readonly updates: readonly Update[] }[],
): Promise<void> {
  if (rows.length === 0) return
  await sql`
    update device_states s set updates = g.updates::jsonb
    from unnest(
      ${sql.array(
        rows.map(({ device }) => device),
        textsOid,
      )},
      ${sql.array(
        rows.map(({ updates }) => JSON.stringify(updates)),
        textsOid,
      )}
    ) as g (device, updates)
    where s.device = g.device`
}

export async function writeUpdates({ sql }: WriteTx, updates: readonly Update[]): Promise<void> {
  if (updates.length === 0) return
  const column = (pick: (update: Update) => string | number | boolean | null) =>
    sql.array(
      updates.map((update) => text(pick(update))),
      textsOid,
    )
  await sql`
    insert into updates (rollout, device, wave, attempt, state, code, offered_at, offered_sequence, has_started,
      changed_at, deadline_at, ended_at)
    select rollout, device, wave::integer, attempt::integer, state, code, offered_at::timestamptz,
      offered_sequence::bigint, has_started::boolean, changed_at::timestamptz, deadline_at::timestamptz,
      ended_at::timestamptz
    from unnest(
      ${column((u) => u.rolloutId)}, ${column((u) => u.deviceId)}, ${column((u) => u.wave)},
      ${column((u) => u.attempt)}, ${column((u) => u.state)}, ${column((u) => u.code)},
      ${column((u) => u.offeredAt.toISOString())}, ${column((u) => u.offeredSequence)},
      ${column((u) => u.hasStarted)}, ${column((u) => u.changedAt.toISOString())},
      ${column((u) => u.deadlineAt.toISOString())}, ${column((u) => u.endedAt?.toISOString() ?? null)}
    ) as g (rollout, device, wave, attempt, state, code, offered_at, offered_sequence, has_started, changed_at,
      deadline_at, ended_at)
    on conflict (rollout, device) do update set wave = excluded.wave, attempt = excluded.attempt,
      state = excluded.state, code = excluded.code, offered_at = excluded.offered_at,
      offered_sequence = excluded.offered_sequence, has_started = excluded.has_started,
      changed_at = excluded.changed_at, deadline_at = excluded.deadline_at, ended_at = excluded.ended_at,
      changes_count = case when excluded.attempt = updates.attempt
        then updates.changes_count + (excluded.state <> updates.state)::integer else 0 end`
}

export interface UpdateEvent {
  readonly rolloutId: string
  readonly deviceId: string
  readonly attempt: number
  readonly state: UpdateState
  readonly code: string | null
  readonly at: Date
}

/**
 * The changes of one attempt after which states of work leave no event. A device goes through some
 * five; whoever has its token can have it say by turns that it downloads and installs.
 */
const attemptChangesMax = 64

/** Adds events of updates that are written already. What an attempt came to is always kept. */
export async function insertUpdateEvents(
  { sql }: WriteTx,
  events: readonly UpdateEvent[],
): Promise<void> {
  if (events.length === 0) return
  const column = (pick: (event: UpdateEvent) => string | number | boolean | null) =>
    sql.array(
      events.map((event) => text(pick(event))),
      textsOid,
    )
  await sql`
    insert into update_events (rollout, device, attempt, state, code, at)
    select g.rollout, g.device, g.attempt::integer, g.state, g.code, g.at::timestamptz from unnest(
      ${column((e) => e.rolloutId)}, ${column((e) => e.deviceId)}, ${column((e) => e.attempt)},
      ${column((e) => e.state)}, ${column((e) => e.code)}, ${column((e) => e.at.toISOString())},
      ${column((e) => isWork(e.state))}
    ) with ordinality as g (rollout, device, attempt, state, code, at, is_work, place)
    join updates u on u.rollout = g.rollout and u.device = g.device
    where u.changes_count <= ${attemptChangesMax} or not g.is_work::boolean
    order by g.place`
}

function text(value: string | number | boolean | null): string | null {
  return value === null ? null : String(value)
}

/** An update with the device's words for why it failed. */
export interface ExplainedUpdate extends Update {
  readonly reason: string | null
}

/** The reason in the last report `l` of the device, where it is about the update `u` of `r`. */
const reason = (sql: ReadTx['sql']) => sql`
  case when l.report -> 'failure' ->> 'sha256' = r.sha256 and l.report -> 'failure' ->> 'code' = u.code
    then l.report -> 'failure' ->> 'reason' end`

/** Lists the updates of a rollout in the order of their devices. */
export async function listUpdatesOfRollout(
  { sql }: ReadTx,
  page: { rollout: string; state: UpdateState | null; after: string; limit: number },
): Promise<ExplainedUpdate[]> {
  return sql<ExplainedUpdate[]>`
    select ${columns(sql)}, ${reason(sql)} as reason from updates u join rollouts r on r.id = u.rollout
      left join last_reports l on l.device = u.device
    where u.rollout = ${page.rollout} and u.device > ${page.after}
      and (${page.state}::text is null or u.state = ${page.state})
    order by u.device limit ${page.limit}`
}

/**
 * Lists the updates of a device, newest rollout first; `after` is the rollout of the last update of
 * the page before.
 */
export async function listUpdatesOfDevice(
  { sql }: ReadTx,
  page: { device: string; after: string | null; limit: number },
): Promise<(ExplainedUpdate & { version: string })[]> {
  return sql<(ExplainedUpdate & { version: string })[]>`
    select ${columns(sql)}, r.version, ${reason(sql)} as reason
    from updates u join rollouts r on r.id = u.rollout left join last_reports l on l.device = u.device
    where u.device = ${page.device} and (${page.after}::text is null or u.rollout < ${page.after})
    order by u.rollout desc limit ${page.limit}`
}

/** Lists events of the rollouts, the newest rollout and the newest event first. */
export async function listUpdateEvents(
  { sql }: ReadTx,
  wanted: { device: string; rollouts: readonly string[]; limit: number },
): Promise<UpdateEvent[]> {
  return sql<UpdateEvent[]>`
    select rollout as "rolloutId", device as "deviceId", attempt, state, code, at from update_events
    where device = ${wanted.device} and rollout = any(${sql.array([...wanted.rollouts], textsOid)})
    order by rollout desc, id desc limit ${wanted.limit}`
}

export interface FailureCount {
  readonly state: UpdateState
  readonly code: string | null
  readonly count: number
  /** The most frequent reason of the devices, and one of them. */
  readonly reason: string | null
  readonly deviceId: string
}

/** How often each code ended updates of a rollout that did not succeed, most frequent first. */
export async function countFailures({ sql }: ReadTx, rollout: string): Promise<FailureCount[]> {
  return sql<FailureCount[]>`
    select u.state, u.code, count(*) as count, mode() within group (order by ${reason(sql)}) as reason,
      min(u.device) as "deviceId"
    from updates u join rollouts r on r.id = u.rollout left join last_reports l on l.device = u.device
    where u.rollout = ${rollout} and u.state in ('rolled_back', 'failed', 'timed_out')
    group by u.state, u.code order by count desc, u.state, u.code limit 100`
}
