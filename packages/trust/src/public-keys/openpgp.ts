/** An armoured OpenPGP public key (RFC 4880, RFC 9580): one certificate, and nothing secret. */
import { privateKeyGiven, publicKeyError } from './codes.ts'
import type { OpenPgpBounds } from './openpgp-packets.ts'
import {
  armourOpenPgp,
  openPgpFingerprint,
  openPgpTags as tags,
  readArmour,
  readPackets,
} from './openpgp-packets.ts'
import type { PersonKey } from './person-key.ts'
import { requireRsaBits } from './ssh.ts'

const malformed = (what: string, cause?: unknown) =>
  publicKeyError('public_key_malformed', `the OpenPGP key is not whole: ${what}`, { cause })
const bounds: OpenPgpBounds = { kind: 'PUBLIC KEY BLOCK', packetsMax: 500, malformed }

const secretTags = [5, 7]
const knownTags: readonly number[] = Object.values(tags)

/** Primary keys sign: of these kinds, by the number of the algorithm. */
const algorithms: Readonly<Record<number, string>> = {
  1: 'rsa',
  19: 'ecdsa',
  22: 'eddsa',
  27: 'ed25519',
  28: 'ed448',
}

/** Throws `public_key_malformed`, `public_key_unusable`, `public_key_private`. */
export async function parseOpenPgpKey(text: string): Promise<PersonKey> {
  const { bytes, primary } = readOpenPgpKey(text)
  const { algorithm, version } = readKey(primary)
  return {
    kind: 'openpgp',
    algorithm,
    fingerprint: await openPgpFingerprint(primary, version),
    publicKey: armourOpenPgp(bounds.kind, bytes),
  }
}

/** The packets of one certificate, and the body of its main key. Throws like `parseOpenPgpKey`. */
export function readOpenPgpKey(text: string): {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly primary: Uint8Array<ArrayBuffer>
} {
  const bytes = readArmour(text, bounds)
  const packets = readPackets(bytes, bounds)
  if (packets.some(({ tag }) => secretTags.includes(tag))) throw privateKeyGiven()
  const odd = packets.find(({ tag }) => !knownTags.includes(tag))
  if (odd !== undefined) throw malformed(`it has a packet of the kind ${odd.tag}`)
  const [first] = packets
  if (first?.tag !== tags.key || packets.filter(({ tag }) => tag === tags.key).length !== 1) {
    throw malformed('it is not exactly one key')
  }
  if (first.body[0] === 4 && first.body.length > 0xffff) throw malformed('it is too long')
  return { bytes, primary: first.body }
}

/** The kind of a main key that may sign. Throws `public_key_malformed`, `public_key_unusable`. */
function readKey(body: Uint8Array): { algorithm: string; version: 4 | 6 } {
  const version = body[0]
  if (version !== 4 && version !== 6) {
    throw publicKeyError(
      'public_key_unusable',
      'OpenPGP keys of version 4 or 6 are taken, and this one is of another: make a new one',
    )
  }
  const kind = algorithms[body[5] ?? 0]
  if (kind === undefined) {
    throw publicKeyError(
      'public_key_unusable',
      'the main key must be RSA, ECDSA, Ed25519 or Ed448: make a new one, such as with `gpg --quick-generate-key NAME ed25519`',
    )
  }
  const material = body.subarray(version === 4 ? 6 : 10)
  if (material.length < 2) throw malformed('it ends early')
  if (kind !== 'rsa') return { algorithm: kind, version }
  const bits = material[0]! * 256 + material[1]!
  const bytes = Math.ceil(bits / 8)
  // The first byte has as many bits as the length says: nobody passes for a longer key.
  const isHonest =
    material.length > 2 + bytes && 32 - Math.clz32(material[2]!) === ((bits - 1) % 8) + 1
  if (!isHonest) throw malformed('its number has another length')
  requireRsaBits(bits)
  return { algorithm: `rsa${bits}`, version }
}
