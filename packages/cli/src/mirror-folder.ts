/**
 * A static mirror: a folder that any web server can serve to devices as it is, at the addresses
 * that they ask of a server.
 *
 * - `tuf/`: the signed metadata, and the release indexes under `tuf/targets/`
 * - `v2/PRODUCT/manifests/DIGEST` and `v2/PRODUCT/blobs/DIGEST`: what the releases consist of
 * - `mirror.json`: which of these files the last run wanted
 *
 * Content comes before the metadata that lists it, and the timestamp last, so a device that asks in
 * between gets a whole repository. A file goes only when two runs in a row have not wanted it: a
 * device that began with the metadata of the run before still finds everything.
 */
import { createReadStream } from 'node:fs'
import { readdir, stat, unlink } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import type { ContentTarget } from '@seaworthy/oci/content'
import type { ExpectedContent } from '@seaworthy/oci/digests'
import { verifyStream } from '@seaworthy/oci/digests'
import { makeFolders } from '@seaworthy/oci/folders'
import { parseJson } from '@seaworthy/std/json'
import type { Random } from '@seaworthy/std/random'
import { TrustError } from '@seaworthy/std/refusal'
import type { KeptFile } from './state/kept-files.ts'
import { readKept } from './state/kept-files.ts'
import { fileBelow } from './state/file-below.ts'
import { isMissing, replaceDurably, writeDurably } from './state/files.ts'

/** Everybody may read what is served. */
const mode = 0o644

export interface MirrorFolder {
  /** The manifests and blobs of a product. */
  content(product: string): ContentTarget
  /** Writes a file of the repository, replaced in one step. */
  putMetadata(bytes: Uint8Array, ...names: string[]): Promise<void>
  /**
   * Notes what this run has written, beside what the one before wanted. It comes before the
   * timestamp: a run that is killed after it has been noted, and the next removes none of it.
   */
  note(): Promise<void>
  /** Ends the run: removes what neither it nor the one before wanted. Gives how many files went. */
  finish(): Promise<number>
}

/** A blob that is there counts by its length, or by each of its bytes with `isRead`. */
export async function openMirrorFolder(
  folder: string,
  { random, isRead }: { readonly random: Random; readonly isRead: boolean },
): Promise<MirrorFolder> {
  makeFolders(folder)
  const record: KeptFile = {
    path: join(folder, 'mirror.json'),
    bytesMax: 64 * 1024 * 1024,
    wayOut: 'Remove it: the next run then keeps every file that is there.',
  }
  const before = await readRecord(record)
  const wanted = new Set<string>()
  const place = (...names: string[]) => {
    const path = fileBelow(folder, ...names)
    makeFolders(dirname(path))
    wanted.add(relative(folder, path))
    return path
  }
  return {
    content: (product) => ({
      async hasBlob(expected) {
        const path = place('v2', product, 'blobs', expected.digest)
        try {
          const stats = await stat(path)
          if (!stats.isFile() || stats.size !== expected.size) return false
          return !isRead || (await isGenuine(path, expected))
        } catch (error) {
          if (isMissing(error)) return false
          throw error
        }
      },
      putBlob: ({ digest }, open) =>
        replaceDurably(place('v2', product, 'blobs', digest), { random, mode }, async (file) => {
          for await (const piece of open()) await file.writeFile(piece)
        }),
      putManifest: ({ digest, bytes }) =>
        writeDurably(place('v2', product, 'manifests', digest), bytes, { random, mode }),
    }),
    putMetadata: (bytes, ...names) => writeDurably(place('tuf', ...names), bytes, { random, mode }),
    note: () =>
      writeDurably(record.path, formatRecord(new Set([...wanted, ...(before ?? [])])), {
        ...{ random, mode },
      }),
    async finish() {
      let removedCount = 0
      for (const top of before === undefined ? [] : ['tuf', 'v2']) {
        for (const path of await listFiles(join(folder, top))) {
          const name = relative(folder, path)
          if (wanted.has(name) || before?.has(name) === true) continue
          await unlink(path)
          removedCount++
        }
      }
      await writeDurably(record.path, formatRecord(wanted), { random, mode })
      return removedCount
    },
  }
}

/** Whether the file has exactly this content: a disk, or whoever owns the mirror, may change it. */
async function isGenuine(path: string, expected: ExpectedContent): Promise<boolean> {
  try {
    for await (const _ of verifyStream(createReadStream(path), expected));
    return true
  } catch (error) {
    if (error instanceof TrustError) return false
    throw error
  }
}

const format = 'seaworthy-mirror-v1'

function formatRecord(wanted: ReadonlySet<string>): string {
  return `${JSON.stringify({ format, wanted: [...wanted].toSorted() })}\n`
}

/** `undefined` where there is none that says anything: nothing is removed then. */
async function readRecord(record: KeptFile): Promise<ReadonlySet<string> | undefined> {
  const bytes = await readKept(record)
  if (bytes === undefined) return undefined
  try {
    const value = parseJson(bytes)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    const { wanted } = value
    if (value['format'] !== format || !Array.isArray(wanted)) return undefined
    return new Set(wanted.filter((name) => typeof name === 'string'))
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

async function listFiles(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true })
    return entries
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name))
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}
