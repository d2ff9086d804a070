/**
 * Entries of a zip archive, by its directory at the end, which is what programs that load one
 * believe. Nothing is unpacked before somebody asks for it, with the size that it may have.
 */
import { inflateRawSync } from 'node:zlib'

/** An archive or an entry that cannot be read; the message says why. */
export class ZipError extends Error {
  override readonly name = 'ZipError'
}

export interface ZipEntry {
  readonly name: string
  /** The size that the archive says it has, unpacked. */
  readonly size: number
  /** The content. Throws `ZipError`, also where it is longer than `bytesMax`. */
  read(bytesMax: number): Uint8Array
}

const endMagic = 0x06054b50
const entryMagic = 0x02014b50
const localMagic = 0x04034b50
const endBytes = 22
const entryBytes = 46
const localBytes = 30
const commentMax = 65_535
const encryptedFlag = 1
const utf8Flag = 0x800
/** Sizes and offsets that are too large for 32 bits are stored elsewhere. */
const elsewhere = 0xffff_ffff

/** Throws `ZipError` at an archive whose directory cannot be read. */
export function* zipEntries(archive: Uint8Array): Generator<ZipEntry> {
  const bytes = Buffer.from(archive.buffer, archive.byteOffset, archive.length)
  const end = findEnd(bytes)
  const directoryBytes = bytes.readUInt32LE(end + 12)
  const directoryAt = bytes.readUInt32LE(end + 16)
  if (directoryBytes === elsewhere || directoryAt === elsewhere) throw new ZipError('ZIP64')
  // Offsets count from the beginning of the archive, which may stand behind a program.
  const begin = end - directoryBytes - directoryAt
  if (begin < 0) throw new ZipError('a directory outside of the archive')
  for (let at = end - directoryBytes; at < end;) {
    if (at + entryBytes > end || bytes.readUInt32LE(at) !== entryMagic) {
      throw new ZipError('a broken directory')
    }
    const flags = bytes.readUInt16LE(at + 8)
    const method = bytes.readUInt16LE(at + 10)
    const packedBytes = bytes.readUInt32LE(at + 20)
    const size = bytes.readUInt32LE(at + 24)
    const nameBytes = bytes.readUInt16LE(at + 28)
    const localAt = begin + bytes.readUInt32LE(at + 42)
    const nameAt = at + entryBytes
    const next = nameAt + nameBytes + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32)
    if (next > end) throw new ZipError('a broken directory')
    const encoding = (flags & utf8Flag) === 0 ? 'latin1' : 'utf8'
    yield {
      name: bytes.toString(encoding, nameAt, nameAt + nameBytes),
      size,
      read(bytesMax) {
        if ((flags & encryptedFlag) !== 0) throw new ZipError('encrypted')
        const packed = findPacked(bytes, localAt, packedBytes)
        if (Math.max(size, method === 0 ? packed.length : 0) > bytesMax) {
          throw new ZipError(`longer than ${bytesMax} bytes`)
        }
        return unpack(packed, method, bytesMax)
      },
    }
    at = next
  }
}

/** The record at the end, behind which a comment may stand. */
function findEnd(bytes: Buffer): number {
  const last = bytes.length - endBytes
  for (let at = last; at >= Math.max(0, last - commentMax); at -= 1) {
    if (bytes.readUInt32LE(at) !== endMagic) continue
    if (at + endBytes + bytes.readUInt16LE(at + 20) === bytes.length) return at
  }
  throw new ZipError('no archive')
}

function findPacked(bytes: Buffer, at: number, length: number): Buffer {
  if (at + localBytes > bytes.length || bytes.readUInt32LE(at) !== localMagic) {
    throw new ZipError('an entry outside of the archive')
  }
  const begin = at + localBytes + bytes.readUInt16LE(at + 26) + bytes.readUInt16LE(at + 28)
  if (begin + length > bytes.length) throw new ZipError('an entry outside of the archive')
  return bytes.subarray(begin, begin + length)
}

function unpack(packed: Buffer, method: number, bytesMax: number): Uint8Array {
  if (method === 0) return packed
  if (method !== 8) throw new ZipError(`packed by method ${method}`)
  try {
    return inflateRawSync(packed, { maxOutputLength: Math.max(1, bytesMax) })
  } catch (cause) {
    const isTooLong = cause instanceof RangeError
    throw new ZipError(isTooLong ? `longer than ${bytesMax} bytes` : 'broken', { cause })
  }
}
