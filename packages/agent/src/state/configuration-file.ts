/**
 * The configuration that the device has taken over, as the server sent it: secrets stay sealed on
 * the disk, and are opened anew at every start.
 */
import { utf8Encode } from '@seaworthy/std/bytes'
import { parseAnyJson } from '@seaworthy/std/json'
import type { FetcherReplies } from '../handover/messages.ts'
import { messageBytesMax, parseReply } from '../handover/messages.ts'
import type { Disk } from '../ports.ts'
import type { Layout } from './layout.ts'
import { replaceFile } from './replace-file.ts'

type Received = FetcherReplies['configuration']

export interface KeptConfiguration {
  /** The identity that it was sent to. */
  readonly deviceId: string
  readonly received: Received
}

const pathOf = (layout: Pick<Layout, 'trust'>) => `${layout.trust}/configuration.json`

export async function keepConfiguration(
  disk: Disk,
  layout: Pick<Layout, 'trust'>,
  kept: KeptConfiguration,
): Promise<void> {
  await replaceFile(disk, pathOf(layout), utf8Encode(JSON.stringify(kept)), 0o600)
}

/** `undefined` where there is none, or none that can be read: it is then fetched again. */
export async function findConfiguration(
  disk: Disk,
  layout: Pick<Layout, 'trust'>,
): Promise<KeptConfiguration | undefined> {
  try {
    const bytes = await disk.read(pathOf(layout), 2 * messageBytesMax)
    if (bytes === undefined) return undefined
    const { deviceId, received } = parseAnyJson(bytes) as { deviceId: string; received: unknown }
    return { deviceId: String(deviceId), received: parseReply('configuration', received) }
  } catch {
    // The file is of no use, and the server has the same content.
    return undefined
  }
}
