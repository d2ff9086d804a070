/**
 * What the Go linker wrote into a program about its modules (`go version -m`, debug/buildinfo): a
 * block that begins with a magic number at an address that 16 divides, and holds two texts with
 * their lengths. It is found in a stream, so that a program of any size needs little memory.
 */
import { createByteCollector, utf8Decode } from '@seaworthy/std/bytes'
import type { Found } from './components.ts'

const magic = Buffer.from('\u00ff Go buildinf:', 'latin1')
/** Where the texts begin, behind the magic number. */
const textsAt = 32
/** The flag of blocks that hold their texts themselves, which Go 1.18 and later write. */
const inlineFlag = 2
const blockBytesMax = 1024 * 1024
const waitBytes = 256 * 1024
const alignment = 16
/** Module data stands between two marks of 16 bytes. */
const markBytes = 16

export interface GoScan {
  write(piece: Uint8Array): void
  /** The modules, or `undefined` when the file holds no such block. */
  finish(path: string): Found[] | undefined
}

export function createGoScan(): GoScan {
  /** Bytes of the file before `kept`. */
  let offset = 0
  /** What may be the beginning of a block. */
  let kept: Buffer = Buffer.alloc(0)
  const arrived = createByteCollector()
  /** Whether `kept` begins with a block of which more is needed. */
  let isWaiting = false
  let texts: readonly [string, string] | undefined

  /**
   * A program may hold the magic number for other reasons, and somebody may have put it there to
   * hide the block: each place is tried, as soon as all that it says is its own is there.
   */
  const look = (bytes: Buffer, isEnd: boolean) => {
    isWaiting = false
    for (let at = bytes.indexOf(magic); at !== -1; at = bytes.indexOf(magic, at + 1)) {
      if ((offset + at) % alignment !== 0) continue
      const block = bytes.subarray(at, at + blockBytesMax)
      const read = readBlock(block)
      if (typeof read === 'object') {
        texts = read
        return
      }
      if (read === 'cut' && block.length < blockBytesMax && !isEnd) {
        isWaiting = true
        keepFrom(bytes, at)
        return
      }
    }
    keepFrom(bytes, Math.max(0, bytes.length - magic.length + 1))
  }
  const keepFrom = (bytes: Buffer, at: number) => {
    offset += at
    kept = Buffer.from(bytes.subarray(at))
  }
  return {
    write(piece) {
      if (texts !== undefined) return
      if (!isWaiting) {
        look(Buffer.concat([kept, piece]), false)
        return
      }
      // What is kept is copied once for so many bytes, however small the pieces are.
      arrived.add(piece)
      if (arrived.length >= waitBytes) look(Buffer.concat([kept, arrived.take()]), false)
    },
    finish(path) {
      if (texts === undefined && isWaiting) look(Buffer.concat([kept, arrived.take()]), true)
      return texts && readModules(texts[0], texts[1], path)
    },
  }
}

/**
 * Go's version and the module data; `cut` for a block of which more is needed, `undefined` for one
 * of another form.
 */
function readBlock(block: Buffer): readonly [string, string] | 'cut' | undefined {
  const flags = block[15]
  if (flags === undefined) return 'cut'
  if ((flags & inlineFlag) === 0) return undefined
  const version = readText(block, textsAt)
  if (version === undefined || version === 'cut') return version
  const modules = readText(block, version.end)
  if (modules === undefined || modules === 'cut') return modules
  if (modules.bytes.length < 2 * markBytes) return undefined
  const lines = modules.bytes.subarray(markBytes, -markBytes)
  // No text holds this byte, with which every other magic number begins: most places fail here.
  if (lines.includes(magic[0]!)) return undefined
  try {
    return [utf8Decode(version.bytes), utf8Decode(lines)]
  } catch {
    return undefined
  }
}

/** A text behind its length, which is a varint. */
function readText(block: Buffer, at: number): { bytes: Buffer; end: number } | 'cut' | undefined {
  let length = 0
  for (let i = 0; i < 4; i++) {
    const byte = block[at + i]
    if (byte === undefined) return 'cut'
    length += (byte & 0x7f) * 2 ** (7 * i)
    if (byte >= 0x80) continue
    const begin = at + i + 1
    const end = begin + length
    if (end > blockBytesMax) return undefined
    return end > block.length ? 'cut' : { bytes: block.subarray(begin, end), end }
  }
  return undefined
}

/** Lines `mod`, `dep` and, below one, `=>` for what was taken in its place. */
function readModules(goVersion: string, lines: string, path: string): Found[] {
  const found: Found[] = []
  const version = /^go(\d\S*)/.exec(goVersion)?.[1]
  if (version !== undefined) found.push({ type: 'golang', name: 'stdlib', version, path })
  for (const line of lines.split('\n')) {
    const [kind, name, moduleVersion = ''] = line.split('\t')
    if (name === undefined || name === '') continue
    // A module that was built where it lies has no version of its own.
    const known = moduleVersion === '(devel)' ? '' : moduleVersion
    if (kind === 'mod' || kind === 'dep') {
      found.push({ type: 'golang', name, version: known, path })
    } else if (kind === '=>' && found.length > 0) {
      // A folder on the builder's machine has neither name nor version that means anything here.
      const isFolder = /^\.{0,2}\//.test(name)
      const replaced = isFolder ? found.at(-1)!.name : name
      found[found.length - 1] = {
        ...{ type: 'golang', name: replaced, path },
        version: isFolder ? '' : known,
      }
    }
  }
  return found
}
