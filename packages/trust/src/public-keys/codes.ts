/** Why a public key of a person, or a signature by an OpenPGP key, is refused. */
import { trustErrorsOf } from '@seaworthy/std/refusal'

export type PublicKeyCode =
  /** The text holds a private key, which belongs on its person's machine alone. */
  | 'public_key_private'
  /** No single SSH line and no single OpenPGP block, or one that is damaged. */
  | 'public_key_malformed'
  /** A kind of key that is too weak, or that nobody here knows. */
  | 'public_key_unusable'

export type OpenPgpSignatureCode =
  /** No single armoured signature of version 4. */
  | 'openpgp_signature_malformed'
  /** A signature by another key, over other bytes, or with a limit that we do not know. */
  | 'openpgp_signature_wrong'

export const openPgpSignatureError = trustErrorsOf<OpenPgpSignatureCode>()

export const publicKeyError = trustErrorsOf<PublicKeyCode>()

export function privateKeyGiven() {
  return publicKeyError(
    'public_key_private',
    'this is a PRIVATE key: it is not kept. Whoever has seen it can act as you: if it left your machine, replace it. The public key is in the file that ends in .pub, or comes from `gpg --armor --export`',
  )
}
