/** One line of an `authorized_keys` file (RFC 4253, 5656, 8709; OpenSSH's PROTOCOL.u2f). */
import { base64Decode, base64Encode, utf8Decode } from '@seaworthy/std/bytes'
import { publicKeyError } from './codes.ts'
import type { PersonKey } from './person-key.ts'

const rsaBitsMin = 3072
const rsaBitsMax = 16_384

const curves: Readonly<Record<string, { readonly name: string; readonly pointBytes: number }>> = {
  nistp256: { name: 'P-256', pointBytes: 65 },
  nistp384: { name: 'P-384', pointBytes: 97 },
  nistp521: { name: 'P-521', pointBytes: 133 },
}

const malformed = (what: string, cause?: unknown) =>
  publicKeyError('public_key_malformed', `the SSH key is not whole: ${what}`, { cause })

/** Strings with their lengths in front, one after the other. */
function createReader(bytes: Uint8Array<ArrayBuffer>) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let at = 0
  const read = (): Uint8Array<ArrayBuffer> => {
    if (bytes.length - at < 4) throw malformed('it ends early')
    const length = view.getUint32(at)
    at += 4
    if (length > bytes.length - at) throw malformed('it ends early')
    at += length
    return bytes.slice(at - length, at)
  }
  return {
    read,
    readText: (): string => {
      const part = read()
      if (!part.every((byte) => byte >= 0x21 && byte < 0x7f)) throw malformed('a name is not one')
      return utf8Decode(part)
    },
    requireEnd: () => {
      if (at !== bytes.length) throw malformed('something follows it')
    },
  }
}
type Reader = ReturnType<typeof createReader>

/** The bits of a positive number in its shortest form. */
function bitsOf(number: Uint8Array): number {
  const [first = 0, second = 0] = number
  if (number.length === 0 || first >= 0x80 || (first === 0 && second < 0x80)) {
    throw malformed('a number is not in its shortest form')
  }
  const digits = first === 0 ? number.subarray(1) : number
  return digits.length * 8 - Math.clz32(digits[0]!) + 24
}

function requireEd25519({ read }: Reader): void {
  if (read().length !== 32) throw malformed('an Ed25519 key has 32 bytes')
}

async function requirePoint({ read, readText }: Reader, curve: string): Promise<void> {
  const { name, pointBytes } = curves[curve]!
  if (readText() !== curve) throw malformed('it names two curves')
  const point = read()
  if (point.length !== pointBytes || point[0] !== 4) throw malformed('its point has another length')
  try {
    await crypto.subtle.importKey('raw', point, { name: 'ECDSA', namedCurve: name }, true, [
      'verify',
    ])
  } catch (cause) {
    throw malformed('its point is not on the curve', cause)
  }
}

function requireApplication({ readText }: Reader): void {
  if (!readText().startsWith('ssh:')) throw malformed('its security key is not for SSH')
}

function requireRsa({ read }: Reader): void {
  const exponent = read()
  const exponentBits = bitsOf(exponent)
  const bits = bitsOf(read())
  requireRsaBits(bits)
  if (exponentBits < 17 || exponentBits > 64 || exponent.at(-1)! % 2 === 0) {
    throw publicKeyError(
      'public_key_unusable',
      'the exponent of the RSA key is not taken: make a new key, such as with `ssh-keygen -t ed25519`',
    )
  }
}

export function requireRsaBits(bits: number): void {
  if (bits >= rsaBitsMin && bits <= rsaBitsMax) return
  throw publicKeyError(
    'public_key_unusable',
    `an RSA key has ${rsaBitsMin} to ${rsaBitsMax} bits, and this one has ${bits}: make a new one, best an Ed25519 key`,
  )
}

const kinds: Readonly<Record<string, (reader: Reader) => void | Promise<void>>> = {
  'ssh-ed25519': requireEd25519,
  'ecdsa-sha2-nistp256': (reader) => requirePoint(reader, 'nistp256'),
  'ecdsa-sha2-nistp384': (reader) => requirePoint(reader, 'nistp384'),
  'ecdsa-sha2-nistp521': (reader) => requirePoint(reader, 'nistp521'),
  'ssh-rsa': requireRsa,
  'sk-ssh-ed25519@openssh.com': (reader) => {
    requireEd25519(reader)
    requireApplication(reader)
  },
  'sk-ecdsa-sha2-nistp256@openssh.com': async (reader) => {
    await requirePoint(reader, 'nistp256')
    requireApplication(reader)
  },
}

/** Throws `public_key_malformed`, `public_key_unusable`. */
export async function parseSshKey(line: string): Promise<PersonKey> {
  const match = /^([a-z0-9@.-]{1,60})[ \t]+([A-Za-z0-9+/=]+)(?:[ \t]+\P{Cc}*)?$/u.exec(line)
  if (match === null) {
    throw publicKeyError(
      'public_key_malformed',
      'this is no public key: give the one line of a file such as id_ed25519.pub, or an OpenPGP block from -----BEGIN PGP PUBLIC KEY BLOCK----- on',
    )
  }
  const [, kind = '', encoded = ''] = match
  const requireForm = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined
  if (requireForm === undefined) {
    throw publicKeyError(
      'public_key_unusable',
      `SSH keys of this kind are not taken: ${Object.keys(kinds).join(', ')} are`,
    )
  }
  let bytes: Uint8Array<ArrayBuffer>
  try {
    bytes = base64Decode(encoded)
  } catch (cause) {
    throw malformed('it is not Base64', cause)
  }
  const reader = createReader(bytes)
  if (reader.readText() !== kind) throw malformed('it names two kinds')
  await requireForm(reader)
  reader.requireEnd()
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return {
    kind: 'ssh',
    algorithm: kind,
    fingerprint: `SHA256:${base64Encode(digest).replace(/=+$/, '')}`,
    publicKey: `${kind} ${encoded}`,
  }
}
