/** Seals a secret to devices: only to those whose enrolment was verified here. */
import type { SecretView } from '@seaworthy/api/secrets'
import { sealSecret } from '@seaworthy/api/secrets'
import { base64Decode, base64Encode } from '@seaworthy/std/bytes'
import type { SecretEnvelope, SecretPlace } from '@seaworthy/trust/secrets'
import type { Session } from '../session.ts'
import type { SettingTarget } from '../setting-scope.ts'
import type { CheckedDevice } from './enrolments.ts'

/** So many go to the server at once: fewer for long secrets, whose bodies would be too large. */
const batchMax = 100

function placeOf({ fleet, deviceId }: SettingTarget): SecretPlace {
  return deviceId === undefined ? { fleet } : 'device'
}

/** Returns how many it was sealed to; those that are not enrolled are passed over. */
export async function sealToDevices(
  { client }: Session,
  envelope: SecretEnvelope,
  scope: SettingTarget,
  secret: Pick<SecretView, 'name' | 'version'> & { readonly value: Uint8Array<ArrayBuffer> },
  devices: readonly CheckedDevice[],
): Promise<number> {
  const { name, version, value } = secret
  let count = 0
  for (let i = 0; i < devices.length; i += batchMax) {
    const seals = await Promise.all(
      devices.slice(i, i + batchMax).flatMap(({ deviceId, keyId, receivingKey }) => {
        if (receivingKey === undefined) return []
        const binding = { place: placeOf(scope), name, version, deviceKeyId: keyId }
        return [
          envelope
            .seal(receivingKey, binding, value)
            .then((sealed) => ({ deviceId, sealed: base64Encode(sealed) })),
        ]
      }),
    )
    if (seals.length === 0) continue
    await client.call(sealSecret, {
      params: { fleet: scope.fleet, secret: name },
      body: { ...scope.ofDevice, version, seals },
    })
    count += seals.length
  }
  return count
}

/** The binding of the copy for whoever set the secret. */
export function copyBinding(
  scope: SettingTarget,
  { name, version }: { name: string; version: number },
) {
  return { place: placeOf(scope), name, version, deviceKeyId: undefined }
}

export function copyOf({ holderCopy }: Pick<SecretView, 'holderCopy'>): Uint8Array<ArrayBuffer> {
  return base64Decode(holderCopy)
}
