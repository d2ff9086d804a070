/** What nobody may do in a session that an identity provider opened. */
import { Refusal } from '@seaworthy/std/refusal'
import type { PersonRefusal } from '../refusals.ts'
import type { PersonActor } from './actors.ts'

/**
 * Whoever runs a provider opens every session that begins there: none of them decides for the
 * person, or leaves a way in of another kind behind. `what` begins the message. Throws
 * `passkey_needed`.
 */
export function requireOwnFactor({ session }: PersonActor, what: string): void {
  if (session.factor !== 'provider') return
  throw new Refusal<PersonRefusal>(
    'passkey_needed',
    `${what} from a session that an identity provider opened: sign in with your passkey, or your password and authenticator; without any, ask an owner for a new link`,
  )
}
