/**
 * Enrolment that no server can forge: the holders of a product's keys sign a provisioning key for
 * one fleet, and the provisioning key signs the keys of a device.
 */
import {
  base64Decode,
  base64Encode,
  concatBytes,
  hexEncode,
  utf8Encode,
} from '@seaworthy/std/bytes'
import { agree, generatePair, parseReceivingKey } from '../hpke/receiving-key.ts'
import { isSignedBy, keyId, parsePublicKey } from '../keys/public-key.ts'
import type { PublicKey } from '../keys/public-key.ts'
import type { Signer } from '../keys/signer.ts'
import { signerFromPkcs8 } from '../keys/signer.ts'
import { canonicalJson, isJsonObject, parseJson } from '../tuf/json.ts'
import type { JsonObject } from '../tuf/json.ts'
import type { TufSignature } from '../tuf/metadata.ts'
import type { RoleAuthority } from '../tuf/repository.ts'
import { findSigners } from '../tuf/threshold.ts'
import { enrolmentError } from './codes.ts'

/** The provisioning key's public half, signed by holders for one fleet. */
export interface ProvisioningCertificate {
  readonly product: string
  readonly fleet: string
  readonly publicKey: PublicKey
  readonly signatures: readonly TufSignature[]
}

/** What a device shows of itself, and a server stores. */
export interface Enrolment {
  readonly certificate: ProvisioningCertificate
  /** The device's X25519 public key, Base64. */
  readonly receivingKey: string
  /** The signature of the provisioning key over both keys of the device. */
  readonly signature: string
}

function certificateMessage({
  product,
  fleet,
  publicKey,
}: Omit<ProvisioningCertificate, 'signatures'>): Uint8Array<ArrayBuffer> {
  return concatBytes(
    utf8Encode('seaworthy-provisioning-v1\n'),
    canonicalJson({ product, fleet, publicKey }),
  )
}

function deviceMessage(publicKey: PublicKey, receivingKey: string): Uint8Array<ArrayBuffer> {
  return concatBytes(
    utf8Encode('seaworthy-enrolment-v1\n'),
    canonicalJson({ publicKey, receivingKey }),
  )
}

/**
 * Has every holder sign the certificate of a provisioning key. It judges nothing: whether the
 * holders may sign is for whoever verifies it.
 */
export async function signProvisioningKey(
  subject: Omit<ProvisioningCertificate, 'signatures'>,
  holders: readonly Signer[],
): Promise<ProvisioningCertificate> {
  const message = certificateMessage(subject)
  const signatures = await Promise.all(
    holders.map(async (holder) => ({ keyid: holder.keyId, sig: await holder.sign(message) })),
  )
  return { ...subject, signatures }
}

/** The provisioning key's private half with what holders signed: what a new device is given. */
export interface EnrolmentKey {
  readonly certificate: ProvisioningCertificate
  readonly pkcs8: string
}

const enrolmentKeyBytesMax = 16_384

/** Throws `enrolment_malformed`. */
export function parseEnrolmentKey(text: string): EnrolmentKey {
  try {
    const value = parseJson(base64Decode(text), { bytesMax: enrolmentKeyBytesMax, depthMax: 5 })
    const members = membersOf(value, ['certificate', 'pkcs8'])
    const pkcs8 = textOf(members, 'pkcs8')
    base64Decode(pkcs8)
    return { certificate: parseCertificate(members['certificate']), pkcs8 }
  } catch (cause) {
    throw enrolmentError('enrolment_malformed', 'not an enrolment key', { cause })
  }
}

/** The device's side: signs its own keys with the provisioning key that it was given. */
export async function enrol(
  { certificate, pkcs8 }: EnrolmentKey,
  device: { readonly publicKey: PublicKey; readonly receivingKey: string },
): Promise<Enrolment> {
  const signer = await signerFromPkcs8(certificate.publicKey, base64Decode(pkcs8))
  const { receivingKey } = device
  const signature = await signer.sign(deviceMessage(device.publicKey, receivingKey))
  return { certificate, receivingKey, signature }
}

/** A device that was enrolled, as its enrolment itself proves it. */
export interface VerifiedEnrolment {
  readonly receivingKey: Uint8Array<ArrayBuffer>
  /** Names the device by both of its keys: what people compare, accept and remember. */
  readonly readerId: string
  readonly provisioningKeyId: string
  /** The holders who signed the provisioning key. */
  readonly holderKeyIds: readonly string[]
}

/**
 * The id of a device as one that reads secrets. It covers the receiving key too, which another
 * enrolment could exchange under the same signing key.
 */
export async function readerIdOf(
  publicKey: PublicKey,
  receivingKey: Uint8Array<ArrayBuffer>,
): Promise<string> {
  const message = concatBytes(
    utf8Encode('seaworthy-reader-v1\n'),
    canonicalJson({ publicKey, receivingKey: base64Encode(receivingKey) }),
  )
  return hexEncode(new Uint8Array(await crypto.subtle.digest('SHA-256', message)))
}

/**
 * Verifies holder, provisioning key and device key. Throws `TrustError<EnrolmentCode>`, and
 * `TrustError<HpkeCode>` for a receiving key to which nothing can be sealed.
 */
export async function verifyEnrolment(
  value: unknown,
  expected: {
    /** Who speaks for the product, in metadata that was verified. */
    readonly holders: RoleAuthority
    readonly product: string
    readonly fleet: string
    /** The device's signing key, as the server tells it. */
    readonly publicKey: PublicKey
  },
): Promise<VerifiedEnrolment> {
  const { certificate, receivingKey, signature } = parseEnrolment(value)
  const { holders, product, fleet } = expected
  if (certificate.product !== product || certificate.fleet !== fleet) {
    throw enrolmentError(
      'enrolment_wrong_fleet',
      `its provisioning key is for the fleet ${certificate.fleet} of ${certificate.product}`,
    )
  }
  const ids = await Promise.all(holders.keys.map((key) => keyId(key)))
  const ring = {
    keys: Object.fromEntries(ids.map((id, i) => [id, holders.keys[i]!])),
    role: { keyids: ids, threshold: holders.threshold },
  }
  const signed = certificateMessage(certificate)
  const signers = await findSigners(ring, signed, certificate.signatures)
  if (signers.length < Math.max(1, holders.threshold)) {
    throw enrolmentError(
      'enrolment_not_by_holders',
      `its provisioning key has ${signers.length} of ${holders.threshold} signatures by holders of ${product}`,
    )
  }
  const provisioningKey = parsePublicKey(certificate.publicKey)
  const { key: publicKey } = parsePublicKey(expected.publicKey)
  const message = deviceMessage(publicKey, receivingKey)
  if (!(await isSignedBy(provisioningKey, message, signature))) {
    throw enrolmentError(
      'enrolment_keys_differ',
      'its provisioning key has signed other keys than the server shows',
    )
  }
  const receiving = parseReceivingKey(receivingKey)
  await requireUsable(receiving)
  return {
    receivingKey: receiving,
    readerId: await readerIdOf(publicKey, receiving),
    provisioningKeyId: await keyId(provisioningKey.key),
    holderKeyIds: signers,
  }
}

/** A device may have enrolled a point to which nothing can be sealed. */
async function requireUsable(receiving: Uint8Array<ArrayBuffer>): Promise<void> {
  const { privateKey } = await generatePair()
  await agree(privateKey, receiving)
}

const signaturesMax = 32

function parseEnrolment(value: unknown): Enrolment {
  try {
    const members = membersOf(value, ['certificate', 'receivingKey', 'signature'])
    return {
      certificate: parseCertificate(members['certificate']),
      receivingKey: textOf(members, 'receivingKey'),
      signature: textOf(members, 'signature'),
    }
  } catch (cause) {
    throw enrolmentError('enrolment_malformed', 'its enrolment is in an unknown form', { cause })
  }
}

function parseCertificate(value: unknown): ProvisioningCertificate {
  const members = membersOf(value, ['product', 'fleet', 'publicKey', 'signatures'])
  const signatures = members['signatures']
  if (!Array.isArray(signatures) || signatures.length > signaturesMax) throw new SyntaxError()
  return {
    product: textOf(members, 'product'),
    fleet: textOf(members, 'fleet'),
    publicKey: parsePublicKey(members['publicKey']).key,
    signatures: signatures.map((item) => {
      const signature = membersOf(item, ['keyid', 'sig'])
      return { keyid: textOf(signature, 'keyid'), sig: textOf(signature, 'sig') }
    }),
  }
}

function membersOf(value: unknown, names: readonly string[]): JsonObject {
  if (!isJsonObject(value)) throw new SyntaxError('not an object')
  const found = Object.keys(value)
  if (found.length !== names.length || !names.every((name) => Object.hasOwn(value, name))) {
    throw new SyntaxError(`exactly the members ${names.join(', ')} are expected`)
  }
  return value
}

function textOf(members: JsonObject, name: string): string {
  const value = members[name]
  if (typeof value === 'string' && value.length <= 4096) return value
  throw new SyntaxError(`${name} is not a text`)
}
