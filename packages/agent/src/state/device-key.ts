/**
 * The device's own key. Only the installer holds it, and signs three things with it, each
 * recognisable by its first bytes: a registration, an assertion for a token, a report. The fetcher
 * never sees it, so that a hijacked one can ask for tokens but forge no report.
 */
import {
  base64Decode,
  base64Encode,
  base64UrlEncode,
  hexDecode,
  utf8Encode,
} from '@seaworthy/std/bytes'
import { parseAnyJson } from '@seaworthy/std/json'
import type { Random } from '@seaworthy/std/random'
import type { PublicKey, Signer } from '@seaworthy/trust/keys'
import {
  generateKeyPair,
  registrationMessage,
  reportMessage,
  signerFromPkcs8,
} from '@seaworthy/trust/keys'
import { canonicalJson } from '@seaworthy/trust/tuf'
import type { Disk } from '../ports.ts'
import { readStateFile, stateUnreadable } from './read-state.ts'
import { replaceFile } from './replace-file.ts'

const format = 'seaworthy-device-key-v1'
const keyFileBytesMax = 4096

/** Reads the key, or makes it where `mayCreate`. Throws `TrustError<'state_unreadable'>`. */
export async function openDeviceKey(disk: Disk, path: string, mayCreate: boolean): Promise<Signer> {
  const bytes = await readStateFile(disk, path, keyFileBytesMax)
  if (bytes !== undefined) return parseKeyFile(path, bytes)
  if (!mayCreate) throw stateUnreadable(`${path}: the device key is gone`)
  const { key, pkcs8 } = await generateKeyPair('ed25519')
  const file = JSON.stringify({ format, key, pkcs8: base64Encode(pkcs8) })
  await replaceFile(disk, path, utf8Encode(file), 0o600)
  return signerFromPkcs8(key, pkcs8)
}

async function parseKeyFile(path: string, bytes: Uint8Array): Promise<Signer> {
  try {
    const file = parseAnyJson(bytes) as { format: string; key: PublicKey; pkcs8: string }
    if (file.format !== format) throw new SyntaxError('unknown format')
    return await signerFromPkcs8(file.key, base64Decode(file.pkcs8))
  } catch (cause) {
    throw stateUnreadable(`${path}: the device key is damaged`, cause)
  }
}

async function signBase64(signer: Signer, message: Uint8Array<ArrayBuffer>): Promise<string> {
  return base64Encode(hexDecode(await signer.sign(message)))
}

/**
 * A signature that shows possession of the device key, bound to one provisioning key (api
 * `registerDevice`).
 */
export async function signRegistration(signer: Signer, provisioningKeyId: string): Promise<string> {
  return signBase64(signer, registrationMessage(provisioningKeyId, signer.keyId))
}

export async function signReport(
  signer: Signer,
  report: Readonly<Record<string, unknown>>,
): Promise<string> {
  return signBase64(signer, reportMessage(canonicalJson(report)))
}

const assertionSeconds = 300

/**
 * A compact JWT (RFC 7519, EdDSA) for which the server gives a token. The claims are the
 * installer's own, but for a challenge of the server that makes it good whatever the clock of the
 * device says, for one server and as long as the challenge is good.
 */
export async function signAssertion(
  signer: Signer,
  options: {
    deviceId: string
    audience: string
    /** The time of the device's own clock, so that the server sees how far it is off. */
    now: Date
    random: Random
    challenge?: string
  },
): Promise<string> {
  const issuedAt = Math.floor(options.now.getTime() / 1000)
  const claims = {
    iss: options.deviceId,
    sub: options.deviceId,
    aud: options.audience,
    iat: issuedAt,
    exp: issuedAt + assertionSeconds,
    jti: base64UrlEncode(options.random.bytes(16)),
    ...(options.challenge === undefined ? {} : { nonce: options.challenge }),
  }
  const encode = (part: unknown) => base64UrlEncode(utf8Encode(JSON.stringify(part)))
  const input = `${encode({ alg: 'EdDSA', typ: 'JWT' })}.${encode(claims)}`
  return `${input}.${base64UrlEncode(hexDecode(await signer.sign(utf8Encode(input))))}`
}
