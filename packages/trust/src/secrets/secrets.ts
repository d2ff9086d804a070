/**
 * Secrets of applications: sealed to one device, and to the person who set them, who can then seal
 * them to further devices. Each is bound to who may open it, to its scope, name and version.
 */
import { base64Encode, utf8Encode } from '@seaworthy/std/bytes'
import type { ReceivingKey, SealingPlatform } from '../hpke/index.ts'
import { createEnvelope } from '../hpke/index.ts'
import { canonicalJson } from '../tuf/json.ts'

/** The longest secret. */
export const secretBytesMax = 16_384

/** The whole fleet of that name, or the device alone. */
export type SecretScope = { readonly fleet: string } | 'device'

export interface SecretBinding {
  readonly scope: SecretScope
  readonly name: string
  readonly version: number
  /** The id of the device's signing key; `undefined` for the copy of whoever set the secret. */
  readonly deviceKeyId: string | undefined
}

export interface SecretEnvelope {
  /** Throws `TrustError<HpkeCode>` for a key to which nothing can be sealed. */
  seal(
    recipient: Uint8Array<ArrayBuffer>,
    binding: SecretBinding,
    secret: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer>>
  /** Throws `TrustError<HpkeCode>` for what was sealed to another key or as something else. */
  open(
    recipient: ReceivingKey,
    binding: SecretBinding,
    sealed: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer>>
}

/** `platform` seals; without one, WebCrypto does. */
export async function createSecretEnvelope(platform?: SealingPlatform): Promise<SecretEnvelope> {
  const envelope = await createEnvelope(
    utf8Encode('seaworthy-secret-v1'),
    platform === undefined ? {} : { platform },
  )
  return {
    seal: (recipient, binding, secret) =>
      envelope.seal(recipient, bind(recipient, binding), secret),
    open: (recipient, binding, sealed) =>
      envelope.open(recipient, bind(recipient.publicKey, binding), sealed),
  }
}

function bind(
  recipient: Uint8Array,
  { scope, name, version, deviceKeyId }: SecretBinding,
): Uint8Array<ArrayBuffer> {
  return canonicalJson({
    recipient: base64Encode(recipient),
    device: deviceKeyId ?? null,
    fleet: scope === 'device' ? null : scope.fleet,
    name,
    version,
  })
}
