/** Checks of what a device signs with its own key. */
import type { DeviceRefusal } from '@seaworthy/fleet/devices'
import { base64Decode, hexEncode } from '@seaworthy/std/bytes'
import { Refusal } from '@seaworthy/std/refusal'
import type { VerifyingKey } from '@seaworthy/trust/keys'
import { isSignedBy } from '@seaworthy/trust/keys'

/** Throws `code` unless the base64 text is a signature of the message by the key. */
export async function requireSignature(
  key: VerifyingKey,
  message: Uint8Array<ArrayBuffer>,
  signature: string,
  code: DeviceRefusal,
): Promise<void> {
  let bytes: Uint8Array
  try {
    bytes = base64Decode(signature)
  } catch (cause) {
    throw new Refusal<DeviceRefusal>(code, 'the signature is not base64', { cause })
  }
  if (await isSignedBy(key, message, hexEncode(bytes))) return
  throw new Refusal<DeviceRefusal>(code, 'the signature is not by the device key over this content')
}
