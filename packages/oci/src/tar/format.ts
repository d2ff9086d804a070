/**
 * The one tar form of a bundle: POSIX ustar with pax headers where a name or size does not fit.
 * Owner 0, time 0, no names, mode 0644 or 0755, entries in the order of the bytes of their paths,
 * folders before what is in them. Writer and reader share this file: the reader encodes what it
 * understood and refuses a header that is not byte for byte the same, so no two readers can
 * disagree about an entry.
 */
import { utf8Decode } from '@seaworthy/std/bytes'
import { pathBytesMax } from './paths.ts'

export const blockBytes = 512
/** A pax header holds a path, a link target and a size at most. */
export const paxBytesMax = 2 * pathBytesMax + 64
const ustarSizeMax = 0o77777777777

export type TarEntry =
  | { kind: 'directory'; path: string }
  | { kind: 'file'; path: string; size: number; isExecutable: boolean }
  | { kind: 'symlink'; path: string; target: string }

const printable = /^[\u0020-\u007e]*$/

/**
 * Header blocks of an entry: the pax header first, where one is needed. The entry's path and target
 * must be faultless.
 */
export function encodeEntry(entry: TarEntry): Buffer<ArrayBuffer> {
  const path = entry.kind === 'directory' ? `${entry.path}/` : entry.path
  const target = entry.kind === 'symlink' ? entry.target : ''
  const size = entry.kind === 'file' ? entry.size : 0
  const split = printable.test(path) ? splitPath(path) : undefined
  const isTargetPlain = printable.test(target) && target.length <= 100
  let records = ''
  if (!isTargetPlain) records += paxRecord('linkpath', target)
  if (!split) records += paxRecord('path', path)
  if (size > ustarSizeMax) records += paxRecord('size', String(size))
  const header = encodeHeader({
    name: split?.name ?? '@pax',
    prefix: split?.prefix ?? '',
    mode:
      entry.kind === 'directory' || (entry.kind === 'file' && entry.isExecutable) ? 0o755 : 0o644,
    size: size > ustarSizeMax ? 0 : size,
    type: { directory: '5', file: '0', symlink: '2' }[entry.kind],
    target: isTargetPlain ? target : '@pax',
  })
  if (records === '') return header
  const body = Buffer.from(records)
  const paxHeader = encodeHeader({
    name: '@pax',
    prefix: '',
    mode: 0o644,
    size: body.length,
    type: 'x',
    target: '',
  })
  return Buffer.concat([paxHeader, body, Buffer.alloc(paddingAfter(body.length)), header])
}

/** Number of zero bytes after a content of `size` bytes. */
export function paddingAfter(size: number): number {
  return (blockBytes - (size % blockBytes)) % blockBytes
}

/** Bytes of an entry in the archive, content and padding included. */
export function entryBytes(entry: TarEntry): number {
  const size = entry.kind === 'file' ? entry.size : 0
  return encodeEntry(entry).length + size + paddingAfter(size)
}

/** Two blocks of zeros. */
export const endBytes = 2 * blockBytes

function splitPath(path: string): { name: string; prefix: string } | undefined {
  if (path.length <= 100) return { name: path, prefix: '' }
  const slash = path.indexOf('/', path.length - 101)
  if (slash <= 0 || slash > 155 || slash === path.length - 1) return undefined
  return { name: path.slice(slash + 1), prefix: path.slice(0, slash) }
}

function paxRecord(key: string, value: string): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`)
  let length = rest + String(rest).length
  if (rest + String(length).length !== length) length = rest + String(length).length
  return `${length} ${key}=${value}\n`
}

interface Header {
  name: string
  prefix: string
  mode: number
  size: number
  type: string
  target: string
}

function encodeHeader(header: Header): Buffer<ArrayBuffer> {
  const block = Buffer.alloc(blockBytes)
  const octal = (value: number, length: number) => value.toString(8).padStart(length - 1, '0')
  block.write(header.name, 0, 'latin1')
  block.write(octal(header.mode, 8), 100, 'latin1')
  block.write('0000000\x000000000', 108, 'latin1')
  block.write(octal(header.size, 12), 124, 'latin1')
  block.write('00000000000', 136, 'latin1')
  block.write('        ', 148, 'latin1')
  block.write(header.type, 156, 'latin1')
  block.write(header.target, 157, 'latin1')
  block.write('ustar\x0000', 257, 'latin1')
  block.write('0000000\x000000000', 329, 'latin1')
  block.write(header.prefix, 345, 'latin1')
  let sum = 0
  for (const byte of block) sum += byte
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return block
}

/** The fields of a header block, before it is compared with the one form. */
export interface RawHeader {
  type: string
  name: string
  target: string
  mode: number
  size: number
}

/** The fields; `undefined` when the block is no ustar header or a field is not what it must be. */
export function decodeHeader(block: Uint8Array): RawHeader | undefined {
  const text = Buffer.from(block.buffer, block.byteOffset, block.length).toString('latin1')
  if (text.slice(257, 265) !== 'ustar\x0000') return undefined
  const octal = (start: number, length: number) => {
    const field = text.slice(start, start + length)
    return /^[0-7]+\0$/.test(field) ? Number.parseInt(field, 8) : Number.NaN
  }
  const cut = (start: number, length: number) => {
    const field = text.slice(start, start + length)
    const end = field.indexOf('\0')
    return end < 0 ? field : field.slice(0, end)
  }
  const mode = octal(100, 8)
  const size = octal(124, 12)
  if (Number.isNaN(mode) || Number.isNaN(size)) return undefined
  const prefix = cut(345, 155)
  return {
    type: text.charAt(156),
    name: prefix === '' ? cut(0, 100) : `${prefix}/${cut(0, 100)}`,
    target: cut(157, 100),
    mode,
    size,
  }
}

export interface PaxRecords {
  path?: string
  linkpath?: string
  size?: number
}

/**
 * The records; `undefined` for any other than one path, one linkpath and one size, and for any form
 * but the shortest.
 */
export function decodePax(bytes: Uint8Array): PaxRecords | undefined {
  let rest: string
  try {
    rest = utf8Decode(bytes)
  } catch {
    return undefined
  }
  const records: PaxRecords = {}
  let isEmpty = true
  while (rest !== '') {
    const match = /^[1-9][0-9]{0,4} (path|linkpath|size)=([^\n]*)\n/.exec(rest)
    if (!match) return undefined
    const [whole, key, value] = match as unknown as [string, keyof PaxRecords, string]
    if (records[key] !== undefined || paxRecord(key, value) !== whole) return undefined
    if (key === 'size') {
      const size = Number(value)
      if (!/^[1-9][0-9]{0,15}$/.test(value) || !Number.isSafeInteger(size)) return undefined
      records.size = size
    } else records[key] = value
    isEmpty = false
    rest = rest.slice(whole.length)
  }
  return isEmpty ? undefined : records
}
