/** Reads what somebody has pasted as their public key. Every byte of it is hostile. */
import { privateKeyGiven, publicKeyError } from './codes.ts'
import { parseOpenPgpKey } from './openpgp.ts'
import type { PersonKey } from './person-key.ts'
import { parseSshKey } from './ssh.ts'

export const publicKeyLengthMax = 40_000

const privateMarks = [
  /-----BEGIN [A-Z0-9 ]*PRIVATE KEY/,
  /^PuTTY-User-Key-File-/m,
  /^-----BEGIN SSH2 ENCRYPTED/m,
  /"d"\s*:/,
]

/**
 * Throws `public_key_private`, `public_key_malformed`, `public_key_unusable`. No message repeats
 * what was given.
 */
export async function parsePublicKey(given: string): Promise<PersonKey> {
  if (given.length > publicKeyLengthMax) {
    throw publicKeyError(
      'public_key_malformed',
      `a public key has at most ${publicKeyLengthMax} characters: export it without other people's signatures`,
    )
  }
  if (privateMarks.some((mark) => mark.test(given))) throw privateKeyGiven()
  const text = given.replaceAll('\r\n', '\n').trim()
  return text.startsWith('-----BEGIN PGP') ? parseOpenPgpKey(text) : parseSshKey(text)
}
