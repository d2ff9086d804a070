/**
 * The audit log as the server serves it: its size, and its entries in bundles of 256. Nothing is
 * verified here; the command line remembers what it saw, and proves that nothing was changed.
 */
import type { Transport } from '@seaworthy/std/http'
import { readBody } from '@seaworthy/std/http'
import { parseAnyJsonText } from '@seaworthy/std/json'
import {
  entryBundleBytesMax,
  formatTilePath,
  noteBytesMax,
  parseEntryBundle,
  tileWidth,
} from '@seaworthy/trust/tlog'
import { z } from 'zod'
import { showJsonText } from './browser-transport.ts'

const entryForm = z.object({
  at: z.string(),
  actor: z.string(),
  action: z.string(),
  subject: z.string(),
  outcome: z.enum(['done', 'refused', 'alarm']),
  detail: z.record(z.string(), z.unknown()),
})

export interface ShownEntry extends z.output<typeof entryForm> {
  readonly index: number
}

/** The server did not serve a file of the log, or what it served was not understood. */
export class LogReadError extends Error {
  override readonly name = 'LogReadError'
}

export interface LogReader {
  readonly readSize: (signal: AbortSignal) => Promise<number>
  /** Entries of a bundle in a log of that size, the newest first. */
  readonly readBundle: (
    bundle: number,
    size: number,
    signal: AbortSignal,
  ) => Promise<readonly ShownEntry[]>
}

export function createLogReader(origin: string, transport: Transport): LogReader {
  const read = async (path: string, bytesMax: number, signal: AbortSignal) => {
    const reply = await transport({ method: 'GET', url: `${origin}/log/${path}`, signal })
    const bytes = await readBody(reply, bytesMax)
    if (reply.status !== 200) throw new LogReadError(`the log answered with ${reply.status}`)
    return bytes
  }
  return {
    async readSize(signal) {
      const text = new TextDecoder().decode(await read('checkpoint', noteBytesMax, signal))
      const size = /^[^\n]+\n(\d{1,15})\n/.exec(text)?.[1]
      if (size === undefined) throw new LogReadError('the checkpoint was not understood')
      return Number(size)
    },
    async readBundle(bundle, size, signal) {
      const first = bundle * tileWidth
      const width = Math.min(tileWidth, size - first)
      if (width <= 0) return []
      const path = formatTilePath({ level: 'entries', index: bundle, width })
      const entries = parseEntryBundle(await read(path, entryBundleBytesMax, signal), width)
      return entries.map((bytes, offset) => readEntry(bytes, first + offset)).toReversed()
    },
  }
}

/** The bundle with the newest entry; 0 for a log without any. */
export const newestBundle = (size: number) => Math.max(0, Math.ceil(size / tileWidth) - 1)

export function readEntry(bytes: Uint8Array, index: number): ShownEntry {
  const text = showJsonText(new TextDecoder().decode(bytes))
  const parsed = entryForm.safeParse(parseAnyJsonText(text))
  if (!parsed.success) throw new LogReadError(`entry ${index} was not understood`)
  return { index, ...parsed.data }
}

/** Whether the text stands anywhere in the entry, in letters of either case. */
export function isFound(entry: ShownEntry, text: string): boolean {
  return JSON.stringify(entry).toLowerCase().includes(text.trim().toLowerCase())
}
