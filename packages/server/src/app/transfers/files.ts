/**
 * The files of an export: written one after the other, listed with their SHA-256 as `sha256sum`
 * writes it, and compared with that list before anything is read from them.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { lstat, open, readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { makeFolders } from '@seaworthy/oci/folders'
import { utf8Decode } from '@seaworthy/std/bytes'
import { refuse } from './refusals.ts'

export const manifestName = 'export.json'
const sumsName = 'SHA256SUMS'
/** The most bytes of a line of a table: more than the server ever writes. */
const lineBytesMax = 256 * 1024 * 1024
/** The most bytes of a line of the list, which has a digest and a path. */
const sumLineBytesMax = 4096

export interface Sums {
  /** The digest of the list itself. */
  readonly sha256: string
  readonly files: number
  /** All files in the list together. */
  readonly bytes: number
}

/** Makes the folder, private. Throws the refusal `folder_not_empty`. */
export async function makeEmptyFolder(folder: string): Promise<void> {
  makeFolders(folder, 0o700)
  if ((await readdir(folder)).length > 0) {
    refuse(
      'folder_not_empty',
      `${folder} is not empty: name a folder that does not exist; what an export that broke off has left can be removed`,
    )
  }
}

/** Writes a file, its folder included, from pieces. */
export async function writePieces(
  path: string,
  pieces: AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array>,
): Promise<void> {
  makeFolders(dirname(path), 0o700)
  const file = await open(path, 'wx', 0o600)
  try {
    for await (const piece of pieces) await file.writeFile(piece)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Lists all files below the folder with their sums, and answers what stands for the list. */
export async function writeSums(folder: string): Promise<Sums> {
  let files = 0
  let bytes = 0
  const whole = createHash('sha256')
  async function* lines() {
    for await (const { line, size } of sumFiles(folder)) {
      files++
      bytes += size
      whole.update(line)
      yield line
    }
  }
  await writePieces(join(folder, sumsName), lines())
  return { sha256: whole.digest('hex'), files, bytes }
}

/** Throws the refusal `export_changed`, which names the first file that is not as it was listed. */
export async function verifySums(folder: string, expected: Sums): Promise<void> {
  const path = join(folder, sumsName)
  const whole = createHash('sha256')
  const list = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    // Only this error says that the file is missing.
    if (error.code !== 'ENOENT') throw error
  })
  if (list?.isFile() !== true) refuse('export_incomplete', `${path} is missing`)
  for await (const piece of createReadStream(path)) whole.update(piece as Uint8Array)
  if (whole.digest('hex') !== expected.sha256) {
    refuse('export_changed', `${path} is not the list that ${manifestName} names`)
  }
  const listed = readLines(path, sumLineBytesMax)
  for await (const { line, path: found } of sumFiles(folder)) {
    const next = await listed.next()
    if (next.done === true) {
      return refuse('export_changed', `${found} was not there when the export was made`)
    }
    if (`${next.value}\n` === line) continue
    const wanted = next.value.slice(66)
    refuse(
      'export_changed',
      wanted === found
        ? `${found} is not as it was when the export was made`
        : `where ${wanted} was when the export was made, there is ${found}`,
    )
  }
  const missing = await listed.next()
  if (missing.done !== true) refuse('export_incomplete', `${missing.value.slice(66)} is missing`)
}

async function* sumFiles(
  folder: string,
): AsyncGenerator<{ line: string; path: string; size: number }> {
  for await (const path of walk(folder, '')) {
    if (path === sumsName || path === manifestName) continue
    const hash = createHash('sha256')
    let size = 0
    for await (const piece of createReadStream(join(folder, path))) {
      hash.update(piece as Uint8Array)
      size += (piece as Uint8Array).length
    }
    yield { line: `${hash.digest('hex')}  ${path}\n`, path, size }
  }
}

/** The files below a folder, in one order on every machine; links are not followed. */
async function* walk(folder: string, below: string): AsyncGenerator<string> {
  const entries = await readdir(join(folder, below), { withFileTypes: true })
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`
    if (entry.isDirectory()) yield* walk(folder, path)
    else if (entry.isFile() && !/\p{Cc}/u.test(path)) yield path
    else refuse('export_changed', `${JSON.stringify(path)} is no plain file`)
  }
}

/** The lines of a file, without their ends. The last one has an end too. */
export async function* readLines(path: string, bytesMax = lineBytesMax): AsyncGenerator<string> {
  let parts: Uint8Array[] = []
  let size = 0
  for await (const piece of createReadStream(path, { highWaterMark: 256 * 1024 })) {
    let rest = piece as Uint8Array
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      parts.push(rest.subarray(0, end))
      yield utf8Decode(Buffer.concat(parts))
      parts = []
      size = 0
      rest = rest.subarray(end + 1)
    }
    if (rest.length === 0) continue
    parts.push(rest)
    size += rest.length
    if (size > bytesMax) refuse('export_malformed', `${path} has a line that is too long`)
  }
  if (size > 0) refuse('export_malformed', `the last line of ${path} has no end`)
}

/** A small file whole; `undefined` without one. Throws `export_malformed` for a large one. */
export async function readSmall(path: string, bytesMax: number): Promise<Uint8Array | undefined> {
  const facts = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (facts === undefined) return undefined
  if (!facts.isFile() || facts.size > bytesMax) {
    return refuse('export_malformed', `${path} is no file of an export`)
  }
  return await readFile(path)
}
