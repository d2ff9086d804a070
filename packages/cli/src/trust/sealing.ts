/**
 * Seals a secret to devices whose enrolment was verified here, and whom people accepted. Which they
 * are is in `readers/choose.ts`.
 */
import type { SecretView } from '@seaworthy/api/secrets'
import { sealSecret } from '@seaworthy/api/secrets'
import { base64Decode, base64Encode } from '@seaworthy/std/bytes'
import type { SecretEnvelope, SecretScope } from '@seaworthy/trust/secrets'
import type { Connection } from '../connection.ts'
import type { SettingTarget } from '../setting-scope.ts'
import type { EnrolledDevice } from '../readers/verdicts.ts'

/** How many go to the server at once: fewer for long secrets, whose bodies would be too large. */
const batchMax = 100

function scopeOf({ fleet, deviceId }: SettingTarget): SecretScope {
  return deviceId === undefined ? { fleet } : 'device'
}

/** Seals it to each of them, and brings the server what was sealed. */
export async function sealToDevices(
  { client }: Connection,
  envelope: SecretEnvelope,
  target: SettingTarget,
  secret: Pick<SecretView, 'name' | 'version'> & { readonly value: Uint8Array<ArrayBuffer> },
  devices: readonly EnrolledDevice[],
): Promise<void> {
  const { name, version, value } = secret
  for (let i = 0; i < devices.length; i += batchMax) {
    const seals = await Promise.all(
      devices.slice(i, i + batchMax).map(async ({ deviceId, keyId, enrolled }) => {
        const binding = { scope: scopeOf(target), name, version, deviceKeyId: keyId }
        const sealed = await envelope.seal(enrolled.receivingKey, binding, value)
        return { deviceId, sealed: base64Encode(sealed) }
      }),
    )
    await client.call(sealSecret, {
      params: { fleet: target.fleet, secret: name },
      body: { ...target.ofDevice, version, seals },
    })
  }
}

/** The binding of the copy for whoever set the secret. */
export function copyBinding(
  target: SettingTarget,
  { name, version }: { name: string; version: number },
) {
  return { scope: scopeOf(target), name, version, deviceKeyId: undefined }
}

/** A secret that whoever set it can open, and not the server. */
export interface HolderSecret extends SecretView {
  readonly holderKey: string
  readonly holderCopy: string
}

export function isOfHolder(secret: SecretView): secret is HolderSecret {
  return secret.holderKey !== null && secret.holderCopy !== null
}

export function copyOf({ holderCopy }: Pick<HolderSecret, 'holderCopy'>): Uint8Array<ArrayBuffer> {
  return base64Decode(holderCopy)
}
