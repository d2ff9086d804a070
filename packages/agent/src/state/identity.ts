/** Who the device is to its server, kept apart from the state: it is what a device needs to say that its state is lost. */
import { utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import type { Disk } from '../ports.ts'
import type { Layout } from './layout.ts'
import { replaceFile } from './replace-file.ts'

const deviceIdForm = /^device_[0-9a-hjkmnp-tv-z]{26}$/

export async function writeIdentity(disk: Disk, layout: Layout, deviceId: string): Promise<void> {
  await replaceFile(disk, `${layout.trust}/identity`, utf8Encode(deviceId))
}

/** `undefined` when there is none, or none that can be read. */
export async function readIdentity(disk: Disk, layout: Layout): Promise<string | undefined> {
  try {
    const bytes = await disk.read(`${layout.trust}/identity`, 64)
    const text = bytes && utf8Decode(bytes)
    return text !== undefined && deviceIdForm.test(text) ? text : undefined
  } catch {
    // what is asked for here is needed only after something worse was found
    return undefined
  }
}
