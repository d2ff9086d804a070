/**
 * What `cargo auditable` wrote into a program about its crates: a section of it that is a JSON text
 * packed by zlib. Every place that looks like one is tried while the program is streamed; the table
 * of sections, which stands at the end, says which of them is a section.
 */
import { inflateSync, constants } from 'node:zlib'
import { createByteCollector } from '@seaworthy/std/bytes'
import type { Json } from '@seaworthy/std/json'
import { openJson, parseJson } from '@seaworthy/std/json'
import type { Found } from './components.ts'

/** What the programs of one tree may cost: a builder may have filled them with such places. */
export interface CrateBudget {
  attempts: number
}

export function createCrateBudget(): CrateBudget {
  return { attempts: 50_000 }
}

export interface CrateScan {
  write(piece: Uint8Array): void
  /** The crates, or why there may be some that could not be read. */
  finish(path: string): Found[] | { readonly why: string }
}

const zlibMethod = 0x78
const textBegin = Buffer.from('{"packages":[', 'latin1')
/** This many bytes hold the tables of a packed text and its beginning. */
const probeBytes = 512
const packedBytesMax = 1024 * 1024
const textBytesMax = 8 * 1024 * 1024
const placesMax = 8
const headBytes = 64
const sectionsBytesMax = 4 * 1024 * 1024

interface Place {
  readonly offset: number
  readonly packed: ReturnType<typeof createByteCollector>
}

export function createCrateScan(budget: CrateBudget): CrateScan {
  /** Bytes of the file before `kept`. */
  let offset = 0
  let kept: Buffer = Buffer.alloc(0)
  let head: Buffer = Buffer.alloc(0)
  let sections: ReturnType<typeof createByteCollector> | undefined
  let sectionsAt: number | undefined
  const places: Place[] = []
  let why: string | undefined

  const takeSections = (piece: Uint8Array, at: number) => {
    if (sectionsAt === undefined) return
    sections ??= createByteCollector()
    const begin = Math.max(0, sectionsAt - at)
    const room = sectionsBytesMax - sections.length
    if (begin < piece.length && room > 0) sections.add(piece.subarray(begin, begin + room))
  }
  const lookThrough = (bytes: Buffer, end: number) => {
    for (let at = bytes.indexOf(zlibMethod); at !== -1; at = bytes.indexOf(zlibMethod, at + 1)) {
      if (at >= end) return
      if (!isZlibHeader(bytes, at)) continue
      budget.attempts -= 1
      if (budget.attempts < 0) {
        why = 'the tree has more places that look like lists of crates than are tried'
        return
      }
      if (!beginsAsList(bytes.subarray(at, at + probeBytes))) continue
      if (places.length === placesMax) {
        why = 'it has too many lists of crates'
        return
      }
      const packed = createByteCollector()
      packed.add(bytes.subarray(at, at + packedBytesMax))
      places.push({ offset: offset + at, packed })
    }
  }
  return {
    write(piece) {
      const at = offset + kept.length
      if (head.length < headBytes) {
        head = Buffer.concat([head, piece.subarray(0, headBytes - head.length)])
        // The first pieces may be short, but no section stands within the head.
        if (head.length === headBytes) sectionsAt = readSectionsAt(head)
      }
      takeSections(piece, at)
      for (const { packed } of places) {
        const room = packedBytesMax - packed.length
        if (room > 0) packed.add(piece.subarray(0, room))
      }
      const bytes = Buffer.concat([kept, piece])
      const end = Math.max(0, bytes.length - probeBytes)
      if (why === undefined) lookThrough(bytes, end)
      offset += end
      kept = Buffer.from(bytes.subarray(end))
    },
    finish(path) {
      if (why === undefined) lookThrough(kept, kept.length)
      if (why !== undefined) return { why }
      const isSection = readSections(head, sections?.take())
      for (const place of places) {
        if (!isSection(place.offset)) continue
        const crates = readCrates(place.packed.take(), path)
        return crates ?? { why: 'its list of crates cannot be read' }
      }
      return []
    },
  }
}

/** Method, window and a check of both (RFC 1950), before a block of the packed text. */
function isZlibHeader(bytes: Buffer, at: number): boolean {
  const flags = bytes[at + 1]
  if (flags === undefined || bytes[at + 2] === undefined) return false
  const isDictionary = (flags & 0x20) !== 0
  return !isDictionary && (zlibMethod * 256 + flags) % 31 === 0 && isBlock(bytes, at + 2)
}

/** A cheap check of the first block (RFC 1951), which rules out most false positions. */
function isBlock(bytes: Buffer, at: number): boolean {
  const kind = (bytes[at]! >> 1) & 0b11
  if (kind === 3) return false
  if (kind === 0) {
    if (at + 5 > bytes.length) return false
    return (bytes.readUInt16LE(at + 1) ^ bytes.readUInt16LE(at + 3)) === 0xffff
  }
  let bit = 3
  const take = (length: number) => {
    let value = 0
    for (let i = 0; i < length; i += 1, bit += 1) {
      value |= (((bytes[at + (bit >> 3)] ?? 0) >> (bit & 7)) & 1) << i
    }
    return value
  }
  // The bits of `{` in the fixed code, the highest first.
  if (kind === 1) return take(8) === 0b1101_0101
  const [literals, distances] = [take(5), take(5)]
  if (literals > 29 || distances > 29) return false
  // The lengths of the code that tells the other lengths use up all of its words.
  const count = take(4) + 4
  let words = 0
  for (let i = 0; i < count; i += 1) {
    const length = take(3)
    if (length > 0) words += 2 ** (7 - length)
  }
  return words === 2 ** 7
}

function beginsAsList(packed: Uint8Array): boolean {
  try {
    const text = inflateSync(packed, {
      finishFlush: constants.Z_SYNC_FLUSH,
      chunkSize: 1024,
    })
    return text.subarray(0, textBegin.length).equals(textBegin)
  } catch {
    // Most positions that look like packed text are not.
    return false
  }
}

/** Where the table of sections begins, by the head of the program (elf(5)). */
function readSectionsAt(head: Buffer): number | undefined {
  const { isWide, read } = createReader(head)
  const at = isWide ? read(head, 40, 8) : read(head, 32, 4)
  return at === 0 ? undefined : at
}

/** Whether a section begins at an offset of the file. */
function readSections(head: Buffer, table: Uint8Array | undefined): (offset: number) => boolean {
  if (table === undefined || head.length < headBytes) return () => false
  const { isWide, read } = createReader(head)
  const bytes = Buffer.from(table.buffer, table.byteOffset, table.length)
  const entryBytes = read(head, isWide ? 58 : 46, 2)
  const [offsetAt, offsetBytes, least] = isWide ? [24, 8, 64] : [16, 4, 40]
  if (entryBytes < least) return () => false
  const count = read(head, isWide ? 60 : 48, 2)
  const offsets = new Set<number>()
  for (let i = 0; i < (count === 0 ? Infinity : count); i += 1) {
    const at = i * entryBytes
    if (at + entryBytes > bytes.length) break
    offsets.add(read(bytes, at + offsetAt, offsetBytes))
  }
  return (offset) => offsets.has(offset)
}

function createReader(head: Buffer) {
  const isWide = head[4] === 2
  const isLittle = head[5] === 1
  const read = (bytes: Buffer, at: number, length: number): number => {
    if (length !== 8) return isLittle ? bytes.readUIntLE(at, length) : bytes.readUIntBE(at, length)
    // No file has an offset above 2^53, so that rounding cannot make a valid one.
    return Number(isLittle ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at))
  }
  return { isWide, read }
}

const limits = { ...openJson, valuesMax: 500_000 }

/** Dependencies needed only for the build are not in the program. */
function readCrates(packed: Uint8Array, path: string): Found[] | undefined {
  let root: Json
  try {
    root = parseJson(inflateSync(packed, { maxOutputLength: textBytesMax }), limits)
  } catch {
    return undefined
  }
  const packages = isObject(root) ? root['packages'] : undefined
  if (!Array.isArray(packages)) return undefined
  const found: Found[] = []
  for (const one of packages) {
    if (!isObject(one)) return undefined
    const { name, version, kind } = one
    if (typeof name !== 'string' || typeof version !== 'string') return undefined
    if (kind === undefined || kind === 'runtime') found.push({ type: 'cargo', name, version, path })
  }
  return found
}

function isObject(value: Json | undefined): value is { [name: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
