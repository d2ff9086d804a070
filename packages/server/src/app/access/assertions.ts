/**
 * Assertions by which a device asks for an access token: RFC 7519 compact form, signed by the
 * device key.
 */
import { createPublicKey, verify, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { base64UrlDecode, hexEncode, utf8Encode } from '@seaworthy/std/bytes'
import type { DeviceRefusal } from '@seaworthy/fleet/devices'
import { isId } from '@seaworthy/std/ids'
import { parseAnyJson } from '@seaworthy/std/json'
import { Refusal, refusalAs } from '@seaworthy/std/refusal'
import type { PublicKey, VerifyingKey } from '@seaworthy/trust/keys'
import { isSignedBy, parsePublicKey } from '@seaworthy/trust/keys'
import { openToken, signToken } from './device-tokens.ts'

export interface Assertion {
  readonly deviceId: string
  readonly jti: string
  /** The time from which the assertion could not be used again anyway. */
  readonly expiresAt: Date
  /** How far the device's own clock is ahead of ours; negative when it is behind. */
  readonly clockOffsetSeconds: number
}

/**
 * The clock of the device, or of this server, is wrong. The device need not know the time to ask:
 * it signs the challenge instead.
 */
export class ClockRefusal extends Refusal<DeviceRefusal> {
  readonly challenge: string
  readonly clockOffsetSeconds: number

  constructor(
    code: 'assertion_expired' | 'assertion_too_early' | 'assertion_challenge_invalid',
    message: string,
    facts: { challenge: string; clockOffsetSeconds: number },
  ) {
    super(code, message)
    this.challenge = facts.challenge
    this.clockOffsetSeconds = facts.clockOffsetSeconds
  }
}

const lifetimeSecondsMax = 300
/** Clocks of devices are rarely exact. */
const skewSeconds = 60
const challengeAudience = 'seaworthy-assertion-challenge'
const int32Max = 2 ** 31 - 1

/**
 * The device that an assertion claims to come from; nothing of it is believed before
 * `verifyAssertion`.
 */
export function readAssertionIssuer(assertion: string): string {
  const { claims } = split(assertion)
  const deviceId = claims['iss']
  if (typeof deviceId !== 'string' || !isId('device', deviceId)) throw invalid('iss')
  return deviceId
}

export interface AssertionRules {
  readonly isOwnOrigin: (origin: string) => boolean
  /** The key of this server and its replicas that authenticates the challenges they issue. */
  readonly challengeKey: Uint8Array
  readonly now: Date
}

/**
 * Throws unless the assertion is signed by `key`, for one of this server's own names, valid for a
 * short time, and current: by the device's clock, or because it carries a challenge that this
 * server gave this device just before. Only a caller that has proved possession of the key is told
 * about the clock. The caller checks that the assertion was not used before.
 */
export async function verifyAssertion(
  assertion: string,
  key: PublicKey,
  { isOwnOrigin, challengeKey, now }: AssertionRules,
): Promise<Assertion> {
  const { input, header, claims, signature } = split(assertion)
  const verifying = parsePublicKey(key)
  const algorithm = verifying.algorithm === 'ed25519' ? 'EdDSA' : 'ES256'
  const isGenuine =
    header['alg'] === algorithm &&
    header['crit'] === undefined &&
    (await isJwsBy(verifying, input, signature))
  if (!isGenuine) {
    throw new Refusal<DeviceRefusal>(
      'assertion_signature_invalid',
      'the assertion is not signed by the key of the device',
    )
  }
  const { iss, sub, aud, iat, exp, jti, nonce } = claims
  if (typeof iss !== 'string' || iss !== sub) throw invalid('sub')
  if (!isSeconds(iat) || !isSeconds(exp)) throw invalid('iat or exp')
  if (exp <= iat || exp - iat > lifetimeSecondsMax) throw invalid('a lifetime of more than 300 s')
  if (typeof jti !== 'string' || !/^[A-Za-z0-9_-]{16,64}$/.test(jti)) throw invalid('jti')
  if (typeof aud !== 'string' || !isOwnOrigin(aud)) {
    throw new Refusal<DeviceRefusal>(
      'assertion_audience_wrong',
      'the assertion is for a server of another name: compare `server` in agent.json with the names of this server',
    )
  }
  const nowSeconds = Math.floor(now.getTime() / 1000)
  const offset = Math.max(-int32Max, Math.min(int32Max, iat - nowSeconds))
  const refuse = (code: ConstructorParameters<typeof ClockRefusal>[0], message: string) =>
    new ClockRefusal(code, message, {
      challenge: makeChallenge(challengeKey, iss, nowSeconds),
      clockOffsetSeconds: offset,
    })
  const verified = { deviceId: iss, jti, clockOffsetSeconds: offset }
  if (nonce !== undefined) {
    const isOurs =
      typeof nonce === 'string' &&
      openToken(challengeKey, challengeAudience, nonce, now)?.['sub'] === iss
    if (!isOurs)
      throw refuse('assertion_challenge_invalid', 'the challenge is not valid, or no longer')
    return { ...verified, expiresAt: new Date((nowSeconds + lifetimeSecondsMax) * 1000) }
  }
  if (exp <= nowSeconds) {
    throw refuse(
      'assertion_expired',
      `the assertion expired ${nowSeconds - exp} s ago by the clock of this server`,
    )
  }
  if (iat > nowSeconds + skewSeconds) {
    throw refuse(
      'assertion_too_early',
      `the assertion was made ${iat - nowSeconds} s from now by the clock of this server`,
    )
  }
  return { ...verified, expiresAt: new Date(exp * 1000) }
}

/**
 * Nothing is stored for a challenge: a device that answers it within its lifetime must have asked
 * this server, or a replica, just before.
 */
function makeChallenge(key: Uint8Array, deviceId: string, nowSeconds: number): string {
  return signToken(key, challengeAudience, { sub: deviceId, exp: nowSeconds + lifetimeSecondsMax })
}

/**
 * Whether an origin such as `https://ship.example:8443` names the holder of this certificate, at
 * any port.
 */
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
  const value: unknown = parseAnyJson(base64UrlDecode(part))
  if (typeof value !== 'object' || value === null) throw invalid('an object')
  return value as Record<string, unknown>
}

/** A JWS holds an ECDSA signature as r and s in a row, where TUF uses DER. */
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
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

const invalid = refusalAs<DeviceRefusal>('assertion_invalid', 'the assertion is not valid: ')
