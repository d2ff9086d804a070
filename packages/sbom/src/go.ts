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
  let kept: Buffer = Buffer.alloc(0)
  let block: ReturnType<typeof createByteCollector> | undefined
  let blockLength = 0
  let texts: string[] | undefined

  /** A program may hold the magic number for other reasons: each place is tried. */
  const endBlock = () => {
    const bytes = Buffer.from(block!.take())
    block = undefined
    blockLength = 0
    for (let at = 0; at !== -1 && texts === undefined; at = bytes.indexOf(magic, at + 1)) {
      if (at % alignment === 0) texts = readBlock(bytes.subarray(at))
    }
    keepEnd(bytes)
  }
  const keepEnd = (bytes: Buffer) => {
    const left = Math.min(bytes.length, magic.length - 1)
    offset += bytes.length - left
    kept = Buffer.from(bytes.subarray(bytes.length - left))
  }
  return {
    write(piece) {
      if (texts !== undefined) return
      if (block !== undefined) {
        const room = blockBytesMax - blockLength
        block.add(piece.subarray(0, room))
        blockLength += Math.min(room, piece.length)
        if (blockLength === blockBytesMax) endBlock()
        return
      }
      const bytes = Buffer.concat([kept, piece])
      for (let at = bytes.indexOf(magic); at !== -1; at = bytes.indexOf(magic, at + 1)) {
        if ((offset + at) % alignment !== 0) continue
        offset += at
        block = createByteCollector()
        block.add(bytes.subarray(at))
        blockLength = bytes.length - at
        if (blockLength >= blockBytesMax) endBlock()
        return
      }
      keepEnd(bytes)
    },
    finish(path) {
      if (block !== undefined) endBlock()
      return texts && readModules(texts[0]!, texts[1]!, path)
    },
  }
}

/** Go's version and the module data, or `undefined` for a block of another form. */
function readBlock(block: Buffer): [string, string] | undefined {
  const flags = block[15]
  if (flags === undefined || (flags & inlineFlag) === 0) return undefined
  const version = readText(block, textsAt)
  const modules = version && readText(block, version.end)
  if (!modules || modules.bytes.length < 2 * markBytes) return undefined
  try {
    return [utf8Decode(version.bytes), utf8Decode(modules.bytes.subarray(markBytes, -markBytes))]
  } catch {
    return undefined
  }
}

/** A text behind its length, which is a varint. */
function readText(block: Buffer, at: number): { bytes: Buffer; end: number } | undefined {
  let length = 0
  for (let i = 0; i < 4; i++) {
    const byte = block[at + i]
    if (byte === undefined) return undefined
    length += (byte & 0x7f) * 2 ** (7 * i)
    if (byte >= 0x80) continue
    const begin = at + i + 1
    const end = begin + length
    return end > block.length ? undefined : { bytes: block.subarray(begin, end), end }
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
