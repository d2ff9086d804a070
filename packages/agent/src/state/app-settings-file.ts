/**
 * Variables and secrets of the application as the server sent them, in two files: one for those
 * that are confirmed, one for those on trial. Secrets stay sealed on the disk; they
 * are opened at every start.
 */
import { utf8Encode } from '@seaworthy/std/bytes'
import { parseAnyJson } from '@seaworthy/std/json'
import type { FetcherReplies } from '../handover/messages.ts'
import { messageBytesMax, parseReply } from '../handover/messages.ts'
import type { Disk } from '../ports.ts'
import type { AppSettingsFile } from './device-state.ts'
import type { Layout } from './layout.ts'
import { replaceFile } from './replace-file.ts'

type Received = FetcherReplies['configuration']

export interface KeptAppSettings {
  /** The identity that it was sent to. */
  readonly deviceId: string
  readonly received: Received
}

/** The file that is not this one. */
export function otherFile(file: AppSettingsFile): AppSettingsFile {
  return file === 'configuration.json' ? 'configuration-2.json' : 'configuration.json'
}

export async function keepAppSettings(
  disk: Disk,
  layout: Pick<Layout, 'trust'>,
  file: AppSettingsFile,
  kept: KeptAppSettings,
): Promise<void> {
  await replaceFile(disk, `${layout.trust}/${file}`, utf8Encode(JSON.stringify(kept)), 0o600)
}

/** `undefined` where there is none, or none that can be read: it is then fetched again. */
export async function findAppSettings(
  disk: Disk,
  layout: Pick<Layout, 'trust'>,
  file: AppSettingsFile,
): Promise<KeptAppSettings | undefined> {
  try {
    const bytes = await disk.read(`${layout.trust}/${file}`, 2 * messageBytesMax)
    if (bytes === undefined) return undefined
    const { deviceId, received } = parseAnyJson(bytes) as { deviceId: string; received: unknown }
    return { deviceId: String(deviceId), received: parseReply('configuration', received) }
  } catch {
    // The file is of no use, and the server has the same content.
    return undefined
  }
}
