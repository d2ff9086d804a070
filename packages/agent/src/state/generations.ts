/**
 * A document kept in two files, written in turn, each with its number, length and SHA-256 behind
 * it. A file that is torn, altered or cannot be read is passed over for the other; when neither can
 * be read although one exists, that is `state_unreadable` and never the same as an empty start.
 *
 * The other file is one write older, as if the power had failed before the last write, which the
 * device must survive anyway: floors and counters of all writes before are in it. The next write
 * replaces the damaged file, never the whole one.
 */
import { concatBytes, hexEncode, utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import type { Disk } from '../ports.ts'
import { isStateUnreadable, readStateFile, stateUnreadable } from './read-state.ts'
import { replaceFile } from './replace-file.ts'

const trailerForm = /\nseaworthy-state-v1 ([0-9]{1,15}) ([0-9]{1,9}) ([0-9a-f]{64})\n$/
const trailerBytesMax = 128

export interface Generation {
  /** The generation's number, one more with every write. */
  number: number
  content: Uint8Array
  /** Whether the other file was there and could not be read. */
  otherDamaged: boolean
}

/** The checksum of number and content, so that neither can be changed without the other. */
async function sha256Hex(number: number, content: Uint8Array): Promise<string> {
  const bytes = concatBytes(utf8Encode(`${number}\n`), content)
  return hexEncode(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)))
}

export async function encodeGeneration(number: number, content: Uint8Array): Promise<Uint8Array> {
  const trailer = `\nseaworthy-state-v1 ${number} ${content.length} ${await sha256Hex(number, content)}\n`
  return concatBytes(content, utf8Encode(trailer))
}

/** The generation, or `undefined` for anything that is not exactly one whole generation. */
export async function decodeGeneration(
  bytes: Uint8Array,
): Promise<{ number: number; content: Uint8Array } | undefined> {
  let tail: string
  const tailStart = Math.max(0, bytes.length - trailerBytesMax)
  try {
    tail = utf8Decode(bytes.subarray(bytes.lastIndexOf(0x0a, bytes.length - 2)))
  } catch {
    return undefined
  }
  const match = trailerForm.exec(tail)
  if (match === null || bytes.length - tail.length < tailStart) return undefined
  const content = bytes.subarray(0, bytes.length - tail.length)
  if (
    content.length !== Number(match[2]) ||
    (await sha256Hex(Number(match[1]), content)) !== match[3]
  )
    return undefined
  return { number: Number(match[1]), content }
}

/**
 * The newest whole generation, `undefined` when there never was one. Throws
 * `TrustError<'state_unreadable'>`.
 */
export async function readGenerations(
  disk: Disk,
  path: string,
  bytesMax: number,
): Promise<Generation | undefined> {
  const found: { number: number; content: Uint8Array }[] = []
  const damaged: unknown[] = []
  for (const suffix of ['0', '1']) {
    const file = `${path}.${suffix}`
    try {
      const bytes = await readStateFile(disk, file, bytesMax + trailerBytesMax)
      if (bytes === undefined) continue
      const generation = await decodeGeneration(bytes)
      if (generation === undefined) throw stateUnreadable(`${file} is damaged`)
      found.push(generation)
    } catch (error) {
      if (!isStateUnreadable(error)) throw error
      damaged.push(error)
    }
  }
  const newest = found.toSorted((a, b) => b.number - a.number)[0]
  if (newest !== undefined) return { ...newest, otherDamaged: damaged.length > 0 }
  if (damaged.length === 0) return undefined
  throw stateUnreadable(`${path}.0 and ${path}.1: neither can be read`, damaged[0])
}

/** Overwrites the older of the two; durable when it resolves. */
export async function writeGeneration(
  disk: Disk,
  path: string,
  number: number,
  content: Uint8Array,
): Promise<void> {
  await replaceFile(disk, `${path}.${number % 2}`, await encodeGeneration(number, content))
}
