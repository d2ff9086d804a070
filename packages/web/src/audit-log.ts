/**
 * The audit log, checked in the browser by the code that the command line checks it with: the
 * signature of its checkpoint, that it continues the one that this browser remembers, and that each
 * entry shown is under it. Whoever owns the server can change these pages too: the command line,
 * which the server does not bring, proves the same.
 */
import { base64Decode, base64Encode } from '@seaworthy/std/bytes'
import { parseAnyJsonText } from '@seaworthy/std/json'
import type { Checkpoint, LogContact, LogPolicy, LogTrustCode } from '@seaworthy/trust/tlog'
import {
  LogError,
  noteBytesMax,
  parseNoteKey,
  readEntries,
  tileWidth,
  verifyCheckpoint,
  verifyLog,
} from '@seaworthy/trust/tlog'
import { z } from 'zod'
import { showJsonText } from './browser-transport.ts'
import type { LogFiles } from './log-files.ts'
import { LogReadError } from './log-files.ts'
import { sha256 } from './sha256.ts'

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

/** What this browser keeps of its last visit. */
const memoryForm = z.object({ key: z.string(), note: z.string() })
type Remembered = z.output<typeof memoryForm>

export interface LogPart {
  readonly size: number
  /** The bundle that holds the entries, and the newest one. */
  readonly bundle: number
  readonly newest: number
  /** The newest first; all of them are under the checkpoint. */
  readonly entries: readonly ShownEntry[]
  /** How many entries the log had when this browser saw it last; `undefined` at the first visit. */
  readonly rememberedSize: number | undefined
}

/** What contradicts what was signed or seen before, with both checkpoints as evidence. */
export interface BrokenLog {
  readonly code: LogTrustCode
  readonly why: string
  readonly evidence: string
}

export type CheckedLog =
  | { readonly kind: 'genuine'; readonly part: LogPart }
  | { readonly kind: 'broken'; readonly broken: BrokenLog }

/**
 * Reads the entries of a bundle, or of the newest one, and checks them. What was remembered is
 * replaced only by what continues it.
 */
export async function readLog(
  files: LogFiles,
  wanted: { readonly verifierKey: string; readonly bundle: number | undefined },
  signal: AbortSignal,
): Promise<CheckedLog> {
  const remembered = readMemory(files)
  const note = await files.read('checkpoint', noteBytesMax, signal)
  if (note === undefined) throw new LogReadError('the server serves no log')
  const served: Remembered = { key: wanted.verifierKey, note: base64Encode(note) }
  try {
    if (remembered !== undefined && remembered.key !== served.key) {
      throw new LogError('checkpoint_signature', 'the log has another key than the one remembered')
    }
    const current = await openNote(served)
    const before = remembered && (await openNote(remembered))
    const contact: LogContact = {
      ...(before === undefined ? {} : { remembered: before }),
      ...{ current, sha256 },
      fetch: (path, bytesMax) => files.read(path, bytesMax, signal),
    }
    await verifyLog(contact)
    const part = await readPart(contact, wanted.bundle)
    files.memory.write(JSON.stringify(served))
    return { kind: 'genuine', part: { ...part, rememberedSize: before?.size } }
  } catch (error) {
    if (!(error instanceof LogError)) throw error
    const evidence = JSON.stringify({ remembered: remembered ?? null, served }, null, 2)
    return { kind: 'broken', broken: { code: error.code, why: error.message, evidence } }
  }
}

/** Lets the next visit be the first one. */
export function forgetLog(files: LogFiles): void {
  files.memory.write(undefined)
}

function readMemory({ memory }: LogFiles): Remembered | undefined {
  const text = memory.read()
  if (text === undefined) return undefined
  try {
    return memoryForm.parse(parseAnyJsonText(text))
  } catch (cause) {
    if (!(cause instanceof SyntaxError || cause instanceof z.ZodError)) throw cause
    return undefined
  }
}

async function openNote({ key, note }: Remembered): Promise<Checkpoint> {
  const logKey = await parseNoteKey(key)
  const policy: LogPolicy = {
    ...{ origin: logKey.name, logKeys: [logKey] },
    ...{ witnesses: [], witnessesMin: 0 },
  }
  return verifyCheckpoint(base64Decode(note), policy)
}

async function readPart(
  { current, fetch }: LogContact,
  asked: number | undefined,
): Promise<Omit<LogPart, 'rememberedSize'>> {
  const { size, root } = current
  const newest = newestBundle(size)
  const bundle = Math.min(asked ?? newest, newest)
  const end = Math.min(size, (bundle + 1) * tileWidth)
  const entries: ShownEntry[] = []
  if (size > 0) {
    for await (const { index, bytes } of readEntries(
      { size, root, fetch, sha256 },
      bundle * tileWidth,
    )) {
      entries.push(readEntry(bytes, index))
      if (index + 1 >= end) break
    }
  }
  return { size, bundle, newest, entries: entries.toReversed() }
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
