/**
 * Reads an actor again, as of now. A sender may take as long as they like between the head of a
 * request and its last byte, and the right by which the head was judged may end in that time.
 */
import type { Grant } from '@seaworthy/fleet/access'
import { coversGrant } from '@seaworthy/fleet/access'
import { Refusal } from '@seaworthy/std/refusal'
import type { ReadTx } from '../../db/connection.ts'
import { readClock } from '../../db/connection.ts'
import { getProvisioningKey } from '../../db/provisioning-keys.ts'
import { getSession } from '../../db/sessions.ts'
import { getToken } from '../../db/tokens.ts'
import type { App } from '../app.ts'
import type { ServerRefusal } from '../refusals.ts'
import type { Actor } from './actors.ts'
import { hasCredentialEnded, isSameSecret } from './credentials.ts'
import { hasSessionEnded } from './session-limits.ts'

declare const readNow: unique symbol

/**
 * An actor that was read after the whole request was there and, where something changes, in the
 * transaction of the change. Nothing else is one: a use case that asks for it does not compile with
 * the actor of the head.
 */
export type Current<A extends Actor = Actor> = A & { readonly [readNow]: true }

/** The tables in memory by which the credentials of devices end. */
type Ended = Pick<App, 'removedDevices' | 'stoppedDevices'>

/**
 * Reads the actor again. Throws `credential_ended`, and `rights_changed` when it may do less than
 * before: whatever was allowed by the head of the request is still allowed.
 */
export async function readCurrent(ended: Ended, tx: ReadTx, actor: Actor): Promise<Current> {
  return (await findCurrent(ended, tx, actor)) as Current
}

async function findCurrent(ended: Ended, tx: ReadTx, actor: Actor): Promise<Actor> {
  switch (actor.kind) {
    case 'token': {
      const [now, token] = await Promise.all([readClock(tx), getToken(tx, actor.id)])
      if (token === undefined || hasCredentialEnded(token, now)) throw endedMeanwhile()
      requireNoLess(actor.token, token)
      return { ...actor, token }
    }
    case 'person': {
      const [now, found] = await Promise.all([readClock(tx), getSession(tx, actor.session.id)])
      // A session gets a new secret when it is confirmed, so that the old one is worth nothing.
      const isIts = found && isSameSecret(found.secretSha256, actor.session.secretSha256)
      if (isIts !== true || hasSessionEnded(found, now)) throw endedMeanwhile()
      const { person, ...session } = found
      if (person.disabledAt !== null) throw endedMeanwhile()
      requireNoLess(actor.person, person)
      return { ...actor, person, session }
    }
    case 'provisioning-key': {
      const [now, key] = await Promise.all([readClock(tx), getProvisioningKey(tx, actor.id)])
      if (key === undefined || hasCredentialEnded(key, now)) throw endedMeanwhile()
      return { ...actor, key }
    }
    case 'device': {
      const { removedDevices, stoppedDevices } = ended
      if (removedDevices.has(actor.id) || stoppedDevices.has(actor.id)) throw endedMeanwhile()
      return actor
    }
    case 'anonymous':
      return actor
  }
}

function endedMeanwhile(): Refusal<ServerRefusal> {
  return new Refusal<ServerRefusal>(
    'credential_ended',
    'the token, key or session of this request ended while the request was on its way: nothing was changed; sign in again',
  )
}

function requireNoLess(before: Grant, now: Grant): void {
  if (coversGrant(now, before)) return
  throw new Refusal<ServerRefusal>(
    'rights_changed',
    'what you may do was narrowed while this request was on its way: nothing was changed by it; look again, then repeat it',
  )
}
