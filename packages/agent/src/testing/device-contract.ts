/**
 * What every fake server checks of a device, whatever it then answers: the proof of a registration,
 * an assertion and a signed report, all in the words of the contract. Used in tests and simulations
 * only.
 */
import type { checkIn, registerDevice } from '@seaworthy/api/device-self'
import type { BodyOf } from '@seaworthy/api/route'
import {
  base64Decode,
  base64UrlDecode,
  hexEncode,
  utf8Decode,
  utf8Encode,
} from '@seaworthy/std/bytes'
import type { PublicKey } from '@seaworthy/trust/keys'
import {
  isSignedBy,
  keyId,
  parsePublicKey,
  registrationMessage,
  reportMessage,
} from '@seaworthy/trust/keys'
import { canonicalJson } from '@seaworthy/trust/tuf'

export interface FakeReply {
  readonly status: number
  readonly reply: unknown
}

/** A refusal, as the problem that the contract has for it. */
export function refuseCall(
  status: number,
  code: string,
  more: { readonly challenge?: string } = {},
): FakeReply {
  return {
    status,
    reply: { type: 'about:blank', title: code, status, code, detail: code, ...more },
  }
}

/** The key that registers; `undefined` where the device did not prove that it has it. */
export async function readRegistration(
  { publicKey, proof }: Pick<BodyOf<typeof registerDevice>, 'publicKey' | 'proof'>,
  provisioningKey: string,
): Promise<{ key: PublicKey; keyId: string } | undefined> {
  const verifying = parsePublicKey(publicKey)
  const id = await keyId(verifying.key)
  const message = registrationMessage(`provisioning_${provisioningKey.split('_')[1]}`, id)
  const isProved = await isSignedBy(verifying, message, hexEncode(base64Decode(proof)))
  return isProved ? { key: verifying.key, keyId: id } : undefined
}

export interface AssertionClaims {
  readonly sub: string
  readonly aud: string
  readonly iat: number
  readonly exp: number
  readonly nonce?: string
}

/** An assertion that some device made; text that is no token at all is `undefined`, too. */
export function readAssertion(
  assertion: string,
): { claims: AssertionClaims; isBy: (key: PublicKey) => Promise<boolean> } | undefined {
  const [head, claims, signature, ...rest] = assertion.split('.')
  if (!head || !claims || !signature || rest.length > 0) return undefined
  try {
    const signed = hexEncode(base64UrlDecode(signature))
    return {
      claims: JSON.parse(utf8Decode(base64UrlDecode(claims))) as AssertionClaims,
      isBy: (key) => isSignedBy(parsePublicKey(key), utf8Encode(`${head}.${claims}`), signed),
    }
  } catch {
    // Such text is answered like a wrong token.
    return undefined
  }
}

/** Whether the report's signature, where it has one, is of this key. */
export async function isGenuineReport(
  key: PublicKey,
  { report, signature }: BodyOf<typeof checkIn>,
): Promise<boolean> {
  if (signature === undefined) return true
  const message = reportMessage(canonicalJson(report))
  return isSignedBy(parsePublicKey(key), message, hexEncode(base64Decode(signature)))
}
