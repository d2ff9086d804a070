/**
 * What is wrong with an identity provider or its answer, in words. Nothing of an answer is shown.
 */
import { Refusal } from '@seaworthy/std/refusal'
import type { IdentityProviderRow } from '../../db/identity-providers.ts'
import type { PersonRefusal } from '../refusals.ts'

/** How long a provider may take for one answer. */
export const answerSeconds = 10

export function answerWrong(provider: IdentityProviderRow, what: string, cause?: unknown): Refusal {
  return new Refusal<PersonRefusal>(
    'provider_answer_wrong',
    `the answer of ${provider.title} is not taken: ${what}; begin again, and tell an owner if it comes back`,
    { cause },
  )
}

export function unusable(provider: IdentityProviderRow, what: string): Refusal {
  return new Refusal<PersonRefusal>(
    'provider_unusable',
    `${provider.issuer} cannot be used: ${what}`,
  )
}

export function unreachable(provider: IdentityProviderRow, why: string, cause: unknown): Refusal {
  return new Refusal<PersonRefusal>(
    'provider_unreachable',
    `${provider.title} could not be asked: ${why}; try again, or sign in with a passkey`,
    { cause },
  )
}

export function tooSlow(provider: IdentityProviderRow, cause: unknown): Refusal {
  return new Refusal<PersonRefusal>(
    'provider_unreachable',
    `${provider.title} did not answer whole within ${answerSeconds} seconds: try again, or sign in with a passkey`,
    { cause },
  )
}

export function refusedBy(provider: IdentityProviderRow, cause: unknown): Refusal {
  return new Refusal<PersonRefusal>(
    'provider_refused',
    `${provider.title} refused: its answer is used, too old, or meant for another client; begin again, and if it comes back, an owner compares client ID, secret and redirect address with those at the provider`,
    { cause },
  )
}
