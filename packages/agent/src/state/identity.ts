/**
 * The device's identity at its server, kept apart from the state: a device needs it to say that its
 * state is lost.
 */
import { utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import type { Disk } from '../ports.ts'
import type { Layout } from './layout.ts'
import { replaceFile } from './replace-file.ts'

const keyFiles = ['device.key', 'device.key.2', 'device.key.3'] as const
export type KeyFile = (typeof keyFiles)[number]

export interface Identity {
  readonly deviceId: string
  /** Name of the file of its key, in the trust folder. */
  readonly keyFile: KeyFile
}

const identityForm = /^(device_[0-9a-hjkmnp-tv-z]{26})(?:\n(device\.key(?:\.[23])?))?$/

export function isKeyFile(value: unknown): value is KeyFile {
  return (keyFiles as readonly unknown[]).includes(value)
}

/**
 * Three take turns: a device that registers anew keeps the key that it has and the one before,
 * until the new one is registered.
 */
export function freeKeyFile(taken: readonly (KeyFile | undefined)[]): KeyFile {
  return keyFiles.find((keyFile) => !taken.includes(keyFile))!
}

export async function writeIdentity(
  disk: Disk,
  layout: Layout,
  { deviceId, keyFile }: Identity,
): Promise<void> {
  const text = keyFile === 'device.key' ? deviceId : `${deviceId}\n${keyFile}`
  await replaceFile(disk, `${layout.trust}/identity`, utf8Encode(text))
}

/** The identity; `undefined` when there is none, or none that can be read. */
export async function readIdentity(disk: Disk, layout: Layout): Promise<Identity | undefined> {
  try {
    const bytes = await disk.read(`${layout.trust}/identity`, 64)
    const match = bytes && identityForm.exec(utf8Decode(bytes))
    if (match === undefined || match === null) return undefined
    return { deviceId: match[1]!, keyFile: isKeyFile(match[2]) ? match[2] : 'device.key' }
  } catch {
    // This is read only after something worse has been found.
    return undefined
  }
}
