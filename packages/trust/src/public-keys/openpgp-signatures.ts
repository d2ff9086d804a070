/**
 * Detached and cleartext OpenPGP signatures by the main key of a certificate, and certificates of
 * Ed25519 keys (RFC 9580, sections 5.2, 5.5 and 7). Keys and signatures are of version 4, which
 * every program reads.
 */
import {
  base64UrlEncode,
  concatBytes,
  equalBytes,
  hexDecode,
  joinBytes,
  utf8Encode,
} from '@seaworthy/std/bytes'
import type { Signer } from '../keys/index.ts'
import { openPgpSignatureError, publicKeyError } from './codes.ts'
import { readOpenPgpKey } from './openpgp.ts'
import type { OpenPgpBounds } from './openpgp-packets.ts'
import {
  armourOpenPgp,
  bigEndian,
  openPgpFingerprint,
  openPgpPacket,
  openPgpTags,
  readArmour,
  readPackets,
} from './openpgp-packets.ts'

/** Bytes as they are, or text whose ends of lines count as carriage return and line feed. */
export type OpenPgpSignedForm = 'bytes' | 'text'

type Bytes = Uint8Array<ArrayBuffer>

export const openPgpSignatureLengthMax = 10_000

const malformed = (what: string, cause?: unknown) =>
  openPgpSignatureError(
    'openpgp_signature_malformed',
    `the OpenPGP signature cannot be read: ${what}`,
    { cause },
  )
const wrong = (what: string) =>
  openPgpSignatureError('openpgp_signature_wrong', `the OpenPGP signature does not count: ${what}`)
const bounds: OpenPgpBounds = { kind: 'SIGNATURE', packetsMax: 1, malformed }

const types = { bytes: 0, text: 1, certification: 0x13 } as const
const eddsa = 22
const ed25519Oid = Uint8Array.of(9, 0x2b, 6, 1, 4, 1, 0xda, 0x47, 0x0f, 1)
const hashes: Readonly<Record<number, string>> = { 8: 'SHA-256', 9: 'SHA-384', 10: 'SHA-512' }
/** Subpackets: time, issuer, notation, policy, user, issuer's fingerprint, intended recipient. */
const subpackets = { time: 2, keyFlags: 27, issuer: 16, fingerprint: 33 }
const harmlessSubpackets: readonly number[] = [2, 16, 20, 26, 28, 33, 35]

interface NewSignature {
  readonly signer: Signer
  /** The body of the packet of the main key. */
  readonly primary: Bytes
  readonly at: Date
}

/**
 * The certificate of an Ed25519 key, by which it says of itself whose it is. It never expires.
 * Throws `public_key_unusable` for a key of another kind.
 */
export async function makeOpenPgpKey({
  signer,
  userId,
  at,
}: Omit<NewSignature, 'primary'> & { readonly userId: string }): Promise<string> {
  requireEd25519(signer)
  const point = concatBytes(Uint8Array.of(0x40), hexDecode(signer.key.keyval.public))
  const primary = joinBytes([
    ...[Uint8Array.of(4), secondsOf(at), Uint8Array.of(eddsa), ed25519Oid],
    ...[bigEndian(263, 2), point],
  ])
  const name = utf8Encode(userId)
  const signed = joinBytes([
    ...[Uint8Array.of(0x99), bigEndian(primary.length, 2), primary],
    ...[Uint8Array.of(0xb4), bigEndian(name.length, 4), name],
  ])
  const certifiesAndSigns = subpacket(subpackets.keyFlags, Uint8Array.of(3))
  const certification = await signPacket(
    { signer, primary, at },
    { type: types.certification, signed, more: certifiesAndSigns },
  )
  const packets = [
    openPgpPacket(openPgpTags.key, primary),
    openPgpPacket(openPgpTags.userId, name),
    openPgpPacket(openPgpTags.signature, certification),
  ]
  return armourOpenPgp('PUBLIC KEY BLOCK', joinBytes(packets))
}

/** Throws `public_key_unusable` where the certificate is not that of the signer's key. */
export async function signOpenPgp(
  { signer, publicKey, at }: Omit<NewSignature, 'primary'> & { readonly publicKey: string },
  form: OpenPgpSignedForm,
  bytes: Bytes,
): Promise<string> {
  requireEd25519(signer)
  const { primary } = readOpenPgpKey(publicKey.trim())
  const key = readSigningKey(primary)
  if (key.kind !== 'ed25519' || !equalBytes(key.point, hexDecode(signer.key.keyval.public))) {
    throw publicKeyError(
      'public_key_unusable',
      'the key that signs is another one than that of the certificate',
    )
  }
  const signed = form === 'text' ? canonicalText(bytes) : bytes
  const body = await signPacket({ signer, primary, at }, { type: types[form], signed })
  return armourOpenPgp('SIGNATURE', openPgpPacket(openPgpTags.signature, body))
}

/**
 * When the main key of the certificate says that it has signed exactly this. Throws
 * `openpgp_signature_malformed`, `openpgp_signature_wrong`, and what the certificate throws.
 */
export async function verifyOpenPgp(
  { publicKey, signature }: { readonly publicKey: string; readonly signature: string },
  form: OpenPgpSignedForm,
  bytes: Bytes,
): Promise<Date> {
  const { primary } = readOpenPgpKey(publicKey.trim())
  const key = readSigningKey(primary)
  const given = await readSignature(signature, primary)
  if (given.type !== types[form]) throw wrong(`it is not one over ${form}`)
  const signed = form === 'text' ? canonicalText(bytes) : bytes
  const hashed = joinBytes([signed, given.head, trailerOf(given.head)])
  const digest = new Uint8Array(await crypto.subtle.digest(given.hash, hashed))
  if (digest[0] !== given.left[0] || digest[1] !== given.left[1]) {
    throw wrong('it is over other bytes')
  }
  const isGenuine =
    key.kind === 'ed25519'
      ? await isByEd25519(key, digest, given)
      : await isByRsa(key, hashed, given)
  if (!isGenuine) throw wrong('the key has not made it')
  return given.at
}

/** Throws `public_key_unusable` where signatures of the key cannot be verified here. */
export function requireVerifiable(publicKey: string): void {
  readSigningKey(readOpenPgpKey(publicKey.trim()).primary)
}

/** RFC 9580, 7: a text with its signature below it, which people read as it stands. */
export function cleartextOf(text: string, signature: string): string {
  const escaped = text.replaceAll(/^-/gm, '- -')
  return `-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n${escaped}${signature}`
}

function requireEd25519({ key }: Signer): void {
  if (key.scheme === 'ed25519') return
  throw publicKeyError(
    'public_key_unusable',
    'an OpenPGP key is made of an Ed25519 key: `seaworthy key create FILE`',
  )
}

/** RFC 9580, 5.2.3 and 5.2.4: the packet, by SHA-512. */
async function signPacket(
  { signer, primary, at }: NewSignature,
  {
    type,
    signed,
    more = new Uint8Array(),
  }: { readonly type: number; readonly signed: Bytes; readonly more?: Bytes },
): Promise<Bytes> {
  const fingerprint = hexDecode((await openPgpFingerprint(primary, 4)).toLowerCase())
  const inside = joinBytes([
    subpacket(subpackets.fingerprint, concatBytes(Uint8Array.of(4), fingerprint)),
    subpacket(subpackets.time, secondsOf(at)),
    more,
  ])
  const head = joinBytes([Uint8Array.of(4, type, eddsa, 10), bigEndian(inside.length, 2), inside])
  const outside = subpacket(subpackets.issuer, fingerprint.slice(12))
  const hashed = joinBytes([signed, head, trailerOf(head)])
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-512', hashed))
  const made = hexDecode(await signer.sign(digest))
  return joinBytes([
    ...[head, bigEndian(outside.length, 2), outside, digest.slice(0, 2)],
    ...[numberOf(made.slice(0, 32)), numberOf(made.slice(32))],
  ])
}

const trailerOf = (head: Bytes) => concatBytes(Uint8Array.of(4, 0xff), bigEndian(head.length, 4))
const secondsOf = (at: Date) => bigEndian(Math.floor(at.getTime() / 1000), 4)
const subpacket = (type: number, body: Bytes) =>
  joinBytes([Uint8Array.of(body.length + 1, type), body])

/** RFC 9580, 3.2: a number without leading zeros, with its count of bits. */
function numberOf(bytes: Bytes): Bytes {
  const from = bytes.findIndex((byte) => byte !== 0)
  const rest = from === -1 ? new Uint8Array() : bytes.slice(from)
  const bits = rest.length === 0 ? 0 : rest.length * 8 - (Math.clz32(rest[0]!) - 24)
  return concatBytes(bigEndian(bits, 2), rest)
}

function canonicalText(bytes: Bytes): Bytes {
  const lines = new TextDecoder().decode(bytes).replace(/\n$/, '').split('\n')
  return utf8Encode(lines.map((line) => line.replace(/[ \t\r]+$/, '')).join('\r\n'))
}

type SigningKey =
  | { readonly kind: 'ed25519'; readonly point: Bytes }
  | { readonly kind: 'rsa'; readonly modulus: Bytes; readonly exponent: Bytes }

function readSigningKey(primary: Bytes): SigningKey {
  const algorithm = primary[5]
  const material = createReader(primary.slice(6))
  if (primary[0] === 4 && algorithm === 27) {
    return { kind: 'ed25519', point: material.read(32) }
  }
  if (primary[0] === 4 && algorithm === eddsa && equalBytes(material.read(10), ed25519Oid)) {
    const point = material.readNumber()
    if (point.length === 33 && point[0] === 0x40) return { kind: 'ed25519', point: point.slice(1) }
  }
  if (primary[0] === 4 && algorithm === 1) {
    return { kind: 'rsa', modulus: material.readNumber(), exponent: material.readNumber() }
  }
  throw publicKeyError(
    'public_key_unusable',
    'documents are signed by an OpenPGP key of version 4 whose main key is Ed25519 or RSA',
  )
}

interface ReadSignature {
  readonly type: number
  readonly algorithm: number
  readonly hash: string
  /** What the signature covers of itself. */
  readonly head: Bytes
  readonly left: Bytes
  readonly at: Date
  readonly rest: ReturnType<typeof createReader>
}

async function readSignature(text: string, primary: Bytes): Promise<ReadSignature> {
  if (text.length > openPgpSignatureLengthMax) throw malformed('it is too long')
  const lines = text.replaceAll('\r\n', '\n').trim()
  const [packet] = readPackets(readArmour(lines, bounds), bounds)
  if (packet?.tag !== openPgpTags.signature) throw malformed('it is none')
  const { body } = packet
  const reader = createReader(body)
  const version = reader.readByte()
  const type = reader.readByte()
  const algorithm = reader.readByte()
  const hash = hashes[reader.readByte()]
  if (version !== 4) throw malformed('it is not of version 4')
  if (algorithm !== primary[5]) throw wrong('a key of another kind has made it')
  if (hash === undefined) throw wrong('its hash is not one of SHA-256, SHA-384 and SHA-512')
  const inside = reader.read(reader.readCount())
  const head = body.slice(0, 6 + inside.length)
  const at = await checkSubpackets(inside, primary)
  reader.read(reader.readCount())
  return { type, algorithm, hash, head, left: reader.read(2), at, rest: reader }
}

/** What is in it that changes its meaning, and that we do not know, makes it void. */
async function checkSubpackets(inside: Bytes, primary: Bytes): Promise<Date> {
  let at: Date | undefined
  const reader = createReader(inside)
  while (!reader.isAtEnd()) {
    const one = reader.readByte()
    const length =
      one < 192
        ? one
        : one < 255
          ? (one - 192) * 256 + reader.readByte() + 192
          : reader.readCount() * 65_536 + reader.readCount()
    const body = reader.read(length)
    const type = (body[0] ?? 0) & 0x7f
    const value = createReader(body.slice(1))
    if (type === subpackets.time) {
      at = new Date((value.readCount() * 65_536 + value.readCount()) * 1000)
    } else if (type === subpackets.fingerprint) {
      const fingerprint = hexDecode((await openPgpFingerprint(primary, 4)).toLowerCase())
      if (!equalBytes(body.slice(2), fingerprint)) throw wrong('another key has made it')
    } else if (!harmlessSubpackets.includes(type)) {
      throw wrong(`it has a limit or a meaning of the kind ${type}`)
    }
  }
  if (at === undefined) throw malformed('it has no time')
  return at
}

async function isByEd25519(
  { point }: { readonly point: Bytes },
  digest: Bytes,
  { algorithm, rest }: ReadSignature,
): Promise<boolean> {
  const made =
    algorithm === eddsa
      ? joinBytes([padTo32(rest.readNumber()), padTo32(rest.readNumber())])
      : rest.read(64)
  const key = await crypto.subtle
    .importKey('raw', point, 'Ed25519', false, ['verify'])
    .catch(() => undefined)
  return key !== undefined && crypto.subtle.verify('Ed25519', key, made, digest)
}

async function isByRsa(
  { modulus, exponent }: { readonly modulus: Bytes; readonly exponent: Bytes },
  hashed: Bytes,
  { hash, rest }: ReadSignature,
): Promise<boolean> {
  const number = rest.readNumber()
  if (number.length > modulus.length) return false
  const made = concatBytes(new Uint8Array(modulus.length - number.length), number)
  const jwk = { kty: 'RSA', n: base64UrlEncode(modulus), e: base64UrlEncode(exponent) }
  const parameters = { name: 'RSASSA-PKCS1-v1_5', hash }
  const key = await crypto.subtle
    .importKey('jwk', jwk, parameters, false, ['verify'])
    .catch(() => undefined)
  return key !== undefined && crypto.subtle.verify(parameters.name, key, made, hashed)
}

function padTo32(bytes: Bytes): Bytes {
  if (bytes.length > 32) throw malformed('a number is too long')
  return concatBytes(new Uint8Array(32 - bytes.length), bytes)
}

function createReader(bytes: Bytes) {
  let at = 0
  const read = (length: number): Bytes => {
    if (length > bytes.length - at) throw malformed('it ends early')
    at += length
    return bytes.slice(at - length, at)
  }
  const readByte = () => read(1)[0]!
  const readCount = () => readByte() * 256 + readByte()
  return {
    read,
    readByte,
    readCount,
    readNumber: () => read(Math.ceil(readCount() / 8)),
    isAtEnd: () => at === bytes.length,
  }
}
