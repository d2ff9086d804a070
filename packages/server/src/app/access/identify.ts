/** Finds the holder of a credential. */
import { isWithinNetworks } from '@seaworthy/fleet/access'
import { Refusal } from '@seaworthy/std/refusal'
import { minuteMs } from '@seaworthy/std/time'
import { appendAudit } from '../../db/audit-log.ts'
import { getProvisioningKey } from '../../db/provisioning-keys.ts'
import { getSession, touchSession } from '../../db/sessions.ts'
import type { TokenRow } from '../../db/tokens.ts'
import { getToken, touchToken } from '../../db/tokens.ts'
import type { ServerRefusal } from '../refusals.ts'
import type { Actor, PersonActor } from './actors.ts'
import type { App } from '../app.ts'
import { hasCredentialEnded, isSameSecret, parseCredential } from './credentials.ts'
import { mayRecord } from './refusal-records.ts'
import { hasSessionEnded } from './session-limits.ts'

type Deps = Pick<
  App,
  'budgets' | 'callerLog' | 'db' | 'readDeviceToken' | 'removedDevices' | 'stoppedDevices'
>

/** The shortest time between two writes of when a token was last used. */
const touchEveryMs = minuteMs

/** Who asks, and when. */
export interface Caller {
  readonly address: string
  readonly now: Date
}

/** The holder of the credential, or `undefined`. Throws `network_not_allowed`. */
export async function identify(
  app: Deps,
  bearer: string,
  { address, now }: Caller,
): Promise<Actor | undefined> {
  if (bearer.startsWith('ey')) return identifyDevice(app, bearer, now)
  const credential = parseCredential(bearer)
  if (credential === undefined) return undefined
  // Foreign devices, their gateways and FleetLock clients sign in on routes of their own; the
  // secret of a session comes in a cookie, which a browser guards, and in no other way. The secret
  // of a pairing fetches its token and is no credential itself.
  const elsewhere = ['device', 'gateway', 'fleetlock', 'session', 'pairing']
  if (elsewhere.includes(credential.kind)) return undefined
  if (credential.kind === 'provisioning') {
    const key = await getProvisioningKey(app.db.reader, credential.id)
    if (key === undefined || !isSameSecret(key.secretSha256, credential.secretSha256)) {
      return undefined
    }
    if (hasCredentialEnded(key, now)) {
      await recordEnded(app, key.id)
      return undefined
    }
    return { kind: 'provisioning-key', id: key.id, key }
  }
  const token = await getToken(app.db.reader, credential.id)
  if (token === undefined || !isSameSecret(token.secretSha256, credential.secretSha256)) {
    return undefined
  }
  if (hasCredentialEnded(token, now)) {
    await recordEnded(app, token.id)
    return undefined
  }
  await requireNetwork(app, token, address)
  const isTouchDue =
    token.lastUsedAt === null || now.getTime() - token.lastUsedAt.getTime() >= touchEveryMs
  if (isTouchDue) await app.db.write((tx) => touchToken(tx, token.id, now))
  return { kind: 'token', id: token.id, token }
}

/**
 * Guards where a token is used from, and records its use elsewhere: it may have been stolen. Throws
 * `network_not_allowed`.
 */
export async function requireNetwork(
  app: Deps,
  { id, networks }: Pick<TokenRow, 'id' | 'networks'>,
  address: string,
): Promise<void> {
  if (isWithinNetworks(networks, address)) return
  await recordRefused(app, id, { code: 'network_not_allowed', address })
  throw new Refusal<ServerRefusal>(
    'network_not_allowed',
    `this token works from its own networks only, and the request comes from ${address}: use it there, or have another one made`,
  )
}

/**
 * The person whose session this is, from the value of the cookie, or `undefined`. A session ends
 * with its person's right to sign in.
 */
export async function identifySession(
  app: Deps,
  cookie: string,
  now: Date,
): Promise<PersonActor | undefined> {
  const credential = parseCredential(cookie)
  if (credential?.kind !== 'session') return undefined
  const session = await getSession(app.db.reader, credential.id)
  if (session === undefined || !isSameSecret(session.secretSha256, credential.secretSha256)) {
    return undefined
  }
  const { person } = session
  if (hasSessionEnded(session, now) || person.disabledAt !== null) {
    await recordEnded(app, person.id, session.id)
    return undefined
  }
  if (now.getTime() - session.lastUsedAt.getTime() >= touchEveryMs) {
    await app.db.write((tx) => touchSession(tx, session.id, now))
  }
  return { kind: 'person', id: person.id, person, session }
}

/** The device whose access token this is, or `undefined`; from memory. */
export function identifyDevice(
  app: Pick<App, 'readDeviceToken' | 'removedDevices' | 'stoppedDevices'>,
  bearer: string,
  now: Date,
): Actor | undefined {
  const id = app.readDeviceToken(bearer, now)?.['sub']
  if (typeof id !== 'string' || app.removedDevices.has(id) || app.stoppedDevices.has(id)) {
    return undefined
  }
  return { kind: 'device', id }
}

/** Records that somebody uses a credential that is no longer valid. */
async function recordEnded(app: Deps, actor: string, id = actor): Promise<void> {
  app.callerLog.warn(actor, 'credential.ended', { id })
  await recordRefused(app, actor, { code: 'credential_ended' }, id)
}

/** Records in the audit log that a credential opened nothing. */
async function recordRefused(
  app: Deps,
  actor: string,
  detail: { readonly code: string; readonly address?: string },
  subject = actor,
): Promise<void> {
  if (!(await mayRecord(app, actor))) return
  await app.db.write((tx) =>
    appendAudit(tx, { actor, action: 'server.sign-in', subject, outcome: 'refused', detail }),
  )
}
