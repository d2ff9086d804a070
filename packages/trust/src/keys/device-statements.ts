/** What a device key signs; each message says by its first line what it is. */
import { concatBytes, utf8Encode } from '@seaworthy/std/bytes'

/** `report` is its canonical JSON. */
export function reportMessage(report: Uint8Array): Uint8Array<ArrayBuffer> {
  return concatBytes(utf8Encode('seaworthy-report-v1\n'), report)
}

/** What a device signs to register: the provisioning key that lets it in, and its own key. */
export function registrationMessage(
  provisioningKeyId: string,
  keyId: string,
): Uint8Array<ArrayBuffer> {
  return utf8Encode(`seaworthy-register-v1\n${provisioningKeyId}\n${keyId}`)
}
