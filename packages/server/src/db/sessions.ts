/** Sessions of people. Only the SHA-256 of the secret in the cookie is stored. */
import type { Scope } from '@seaworthy/fleet/access'
import type { ReadTx, WriteTx } from './connection.ts'
import { isWithin } from './people.ts'
import type { PersonRow } from './people.ts'
import type { RightsTx } from './rights.ts'
import { roleColumns } from './held-roles.ts'

export interface SessionRow {
  readonly id: string
  readonly personId: string
  readonly secretSha256: Uint8Array
  readonly createdAt: Date
  readonly lastUsedAt: Date
  readonly expiresAt: Date
  /** When the person last confirmed with a passkey. */
  readonly steppedUpAt: Date | null
  readonly endedAt: Date | null
  /** What the person came in with. */
  readonly factor: 'passkey' | 'password' | 'provider'
  readonly address: string
  readonly userAgent: string
}

export interface ListedSession extends SessionRow {
  readonly person: PersonRow
}

const columns = (sql: ReadTx['sql']) => sql`
  s.id, s.person_id as "personId", s.secret_sha256 as "secretSha256", s.created_at as "createdAt",
  s.last_used_at as "lastUsedAt", s.expires_at as "expiresAt", s.stepped_up_at as "steppedUpAt",
  s.ended_at as "endedAt", s.factor, s.address, s.user_agent as "userAgent",
  p.id as "p_id", p.name, p.email, ${roleColumns({ sql }, 'p')}, p.products, p.fleets, p.created_at as "p_createdAt",
  p.created_by as "createdBy", p.disabled_at as "disabledAt", p.last_sign_in_at as "lastSignInAt",
  p.let_in_by as "letInBy", p.granted_by_provider as "grantedByProvider"`

type Joined = SessionRow &
  Omit<PersonRow, 'id' | 'createdAt'> & { readonly p_id: string; readonly p_createdAt: Date }

function listed(row: Joined): ListedSession {
  const { p_id: id, p_createdAt: createdAt, name, email, products, fleets, ...others } = row
  const { role, deniedBy, customRoles, ...rest } = others
  const { createdBy, disabledAt, lastSignInAt, letInBy, grantedByProvider, ...session } = rest
  const ofPerson = { createdBy, disabledAt, lastSignInAt, letInBy, grantedByProvider }
  const grant = { role, deniedBy, customRoles, products, fleets }
  return { ...session, person: { id, createdAt, name, email, ...grant, ...ofPerson } }
}

/** The session with its person, in one look-up: every request of a browser begins with it. */
export async function getSession({ sql }: ReadTx, id: string): Promise<ListedSession | undefined> {
  const [row] = await sql<Joined[]>`
    select ${columns(sql)} from sessions s join people p on p.id = s.person_id where s.id = ${id}`
  return row && listed(row)
}

export interface OpenSessions extends Scope {
  readonly now: Date
  /** Sessions that were not used since then have ended. */
  readonly idleSince: Date
  readonly personId: string | null
  /** The person whose sessions are listed in any case. */
  readonly self: string
}

/** Lists the open sessions of people who reach no further than the given scope, by id. */
export async function listSessions(
  { sql }: ReadTx,
  page: OpenSessions & { after: string; limit: number },
): Promise<ListedSession[]> {
  const rows = await sql<Joined[]>`
    select ${columns(sql)} from sessions s join people p on p.id = s.person_id
    where s.id > ${page.after} and s.ended_at is null and s.expires_at > ${page.now}
      and s.last_used_at > ${page.idleSince} and p.disabled_at is null
      and (${page.personId}::text is null or s.person_id = ${page.personId})
      and (s.person_id = ${page.self} or ${isWithin({ sql }, page)})
    order by s.id limit ${page.limit}`
  return rows.map(listed)
}

/** How many sessions of the person are open; those unused since `idleSince` are not. */
export async function countSessionsOf(
  { sql }: ReadTx,
  personId: string,
  { now, idleSince }: Pick<OpenSessions, 'now' | 'idleSince'>,
): Promise<number> {
  const [row] = await sql<[{ count: number }]>`
    select count(*)::int as count from sessions
    where person_id = ${personId} and ended_at is null and expires_at > ${now}
      and last_used_at > ${idleSince}`
  return row.count
}

/** Forgets sessions that expired a while ago. */
export async function insertSession(
  { sql }: WriteTx,
  session: SessionRow,
  expiredBefore: Date,
): Promise<void> {
  await sql`delete from sessions where expires_at < ${expiredBefore}`
  await sql`
    insert into sessions (id, person_id, secret_sha256, created_at, last_used_at, expires_at,
      stepped_up_at, factor, address, user_agent)
    values (${session.id}, ${session.personId}, ${Buffer.from(session.secretSha256)},
      ${session.createdAt}, ${session.lastUsedAt}, ${session.expiresAt}, ${session.steppedUpAt},
      ${session.factor}, ${session.address}, ${session.userAgent})`
}

/**
 * Lets sessions of the person expire now, those first that were used longest ago, until as many are
 * left as may be. A session that is in use at this very moment is passed over, as is the new one.
 */
export async function expireSessionsBeyond(
  { sql }: WriteTx,
  { id, personId }: Pick<SessionRow, 'id' | 'personId'>,
  kept: number,
  now: Date,
): Promise<void> {
  await sql`
    update sessions set expires_at = ${now} where id in (
      select id from sessions
      where person_id = ${personId} and id <> ${id} and ended_at is null and expires_at > ${now}
      order by last_used_at desc, id desc offset ${kept - 1} for update skip locked)`
}

export async function touchSession({ sql }: WriteTx, id: string, now: Date): Promise<void> {
  await sql`update sessions set last_used_at = ${now} where id = ${id}`
}

/** Answers false when the session has ended. */
export async function stepUpSession(
  { sql }: WriteTx,
  step: { id: string; secretSha256: Uint8Array; now: Date },
): Promise<boolean> {
  const rows = await sql`
    update sessions set secret_sha256 = ${Buffer.from(step.secretSha256)},
      stepped_up_at = ${step.now}, last_used_at = ${step.now}
    where id = ${step.id} and ended_at is null`
  return rows.count === 1
}

/** The people who have open sessions that began with one of the factors. At most one for each. */
export async function listPeopleWhoCameBy(
  { sql }: ReadTx,
  factors: readonly SessionRow['factor'][],
): Promise<PersonRow[]> {
  const rows = await sql<Joined[]>`
    select distinct on (s.person_id) ${columns(sql)}
    from sessions s join people p on p.id = s.person_id
    where s.factor = any(${[...factors]}) and s.ended_at is null order by s.person_id`
  return rows.map((row) => listed(row).person)
}

/** Ends the person's sessions that began with one of the factors, but not `except`. */
export async function endSessionsBegunBy(
  { sql }: RightsTx,
  factors: readonly SessionRow['factor'][],
  of: { personId: string; except?: string },
  now: Date,
): Promise<number> {
  const rows = await sql`
    update sessions set ended_at = ${now}
    where person_id = ${of.personId} and id <> ${of.except ?? ''}
      and factor = any(${[...factors]}) and ended_at is null`
  return rows.count
}

/** Answers false when it had ended before. */
export async function endSession({ sql }: RightsTx, id: string, now: Date): Promise<boolean> {
  const rows = await sql`
    update sessions set ended_at = ${now} where id = ${id} and ended_at is null`
  return rows.count === 1
}

/** Ends the sessions of a person, but not `except`. */
export async function endSessionsOf(
  { sql }: RightsTx,
  personId: string,
  now: Date,
  except = '',
): Promise<number> {
  const rows = await sql`
    update sessions set ended_at = ${now}
    where person_id = ${personId} and id <> ${except} and ended_at is null`
  return rows.count
}

export async function endAllSessions({ sql }: RightsTx, now: Date): Promise<number> {
  const rows = await sql`
    update sessions set ended_at = ${now} where ended_at is null`
  return rows.count
}
