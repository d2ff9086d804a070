/** Why a receiving key or a sealed message is refused. */
import { trustErrorsOf } from '@seaworthy/std/refusal'

export type HpkeCode =
  /** Not 32 bytes, or a private key of something else. */
  | 'receiving_key_malformed'
  /** A point whose shared secret is the same for everybody: sealing to it would hide nothing. */
  | 'receiving_key_degenerate'
  /** Shorter than an encapsulated key and an authentication tag. */
  | 'sealed_too_short'
  /** Sealed to another key or for another purpose, or changed since. */
  | 'sealed_not_opened'

export const hpkeError = trustErrorsOf<HpkeCode>()
