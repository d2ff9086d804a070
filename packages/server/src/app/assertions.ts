/** Assertions by which a device asks for an access token: RFC 7519 compact form, signed by the device key. */
import { createPublicKey, verify, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { base64UrlDecode, hexEncode, utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import type { DeviceRefusal } from '@seaworthy/fleet/devices'
import { isId } from '@seaworthy/std/ids'
import { Refusal } from '@seaworthy/std/refusal'
import type { PublicKey, VerifyingKey } from '@seaworthy/trust/keys'
import { isSignedBy, parsePublicKey } from '@seaworthy/trust/keys'

export interface Assertion {
  readonly deviceId: string
  readonly jti: string
  readonly expiresAt: Date
}

const lifetimeSecondsMax = 300
/** Clocks of devices are rarely exact. */
const skewSeconds = 60

/** The device that an assertion claims to come from; nothing of it is believed before `verifyAssertion`. */
export function readAssertionIssuer(assertion: string): string {
  const { claims } = split(assertion)
  const deviceId = claims['iss']
  if (typeof deviceId !== 'string' || !isId('device', deviceId)) throw invalid('iss')
  return deviceId
}

/**
 * Throws `assertion_invalid` unless the assertion is by `key`, for one of this server's own names, and neither too
 * early, too late nor valid for too long. That it was not used before is the caller's to check.
 */
export async function verifyAssertion(
  assertion: string,
  key: PublicKey,
  options: { isOwnOrigin: (origin: string) => boolean; now: Date },
): Promise<Assertion> {
  const { input, header, claims, signature } = split(assertion)
  const verifying = parsePublicKey(key)
  const algorithm = verifying.algorithm === 'ed25519' ? 'EdDSA' : 'ES256'
  if (header['alg'] !== algorithm || header['crit'] !== undefined) throw invalid('alg')
  if (!(await isJwsBy(verifying, input, signature))) throw invalid('the signature')
  const { iss, sub, aud, iat, exp, jti } = claims
  const nowSeconds = options.now.getTime() / 1000
  if (typeof iss !== 'string' || iss !== sub) throw invalid('sub')
  if (typeof aud !== 'string' || !options.isOwnOrigin(aud)) throw invalid('aud')
  if (!isSeconds(iat) || !isSeconds(exp)) throw invalid('iat or exp')
  if (exp <= iat || exp - iat > lifetimeSecondsMax) throw invalid('a lifetime of more than 300 s')
  if (exp <= nowSeconds) throw invalid('exp: it is over')
  if (iat > nowSeconds + skewSeconds) throw invalid('iat: it is in the future')
  if (typeof jti !== 'string' || !/^[A-Za-z0-9_-]{16,64}$/.test(jti)) throw invalid('jti')
  return { deviceId: iss, jti, expiresAt: new Date(exp * 1000) }
}

/** Whether an origin such as `https://ship.example:8443` names the holder of this certificate, at any port. */
export function createOriginCheck(certificatePem: string): (origin: string) => boolean {
  const certificate = new X509Certificate(certificatePem)
  return (origin) => {
    let url: URL
    try {
      url = new URL(origin)
    } catch (error) {
      if (error instanceof TypeError) return false
      throw error
    }
    if (url.protocol !== 'https:' || url.origin !== origin) return false
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
    return isIP(host) === 0
      ? certificate.checkHost(host, { subject: 'never' }) !== undefined
      : certificate.checkIP(host) !== undefined
  }
}

function split(assertion: string) {
  const match = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/.exec(assertion)
  if (match === null) throw invalid('three parts')
  try {
    return {
      input: `${match[1]}.${match[2]}`,
      header: readObject(match[1]!),
      claims: readObject(match[2]!),
      signature: base64UrlDecode(match[3]!),
    }
  } catch (cause) {
    if (cause instanceof Refusal || !(cause instanceof SyntaxError || cause instanceof TypeError)) {
      throw cause
    }
    throw new Refusal<DeviceRefusal>('assertion_invalid', 'not a JWT', { cause })
  }
}

function readObject(part: string): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(utf8Decode(base64UrlDecode(part)))
  if (typeof value !== 'object' || value === null) throw invalid('an object')
  return value as Record<string, unknown>
}

/** JWS has ECDSA signatures as r and s behind each other, where TUF has DER. */
async function isJwsBy(key: VerifyingKey, input: string, signature: Uint8Array): Promise<boolean> {
  const message = utf8Encode(input)
  if (key.algorithm === 'ed25519') return isSignedBy(key, message, hexEncode(signature))
  const spki = createPublicKey({ key: Buffer.from(key.bytes), type: 'spki', format: 'der' })
  return (
    signature.length === 64 &&
    verify('sha256', message, { key: spki, dsaEncoding: 'ieee-p1363' }, signature)
  )
}

function isSeconds(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0
}

function invalid(what: string): Refusal<DeviceRefusal> {
  return new Refusal<DeviceRefusal>('assertion_invalid', `the assertion is not valid: ${what}`)
}
