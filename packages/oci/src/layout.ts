/**
 * OCI image layouts (image-spec, image-layout.md): a folder with `oci-layout`, `index.json` and
 * `blobs/<algorithm>/<hex>`.
 */
import { createReadStream } from 'node:fs'
import { open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolders } from './folders.ts'
import { hexEncode } from '@seaworthy/std/bytes'
import type { Random } from '@seaworthy/std/random'
import { Refusal } from '@seaworthy/std/refusal'
import type { ContentSource, ContentTarget } from './content.ts'
import { missing } from './content.ts'
import type { Digest, ExpectedContent } from './digests.ts'
import { createDigester, digestAlgorithm, digestHex, readVerified } from './digests.ts'
import { parseJson } from '@seaworthy/std/json'
import type { Descriptor, ImageIndex } from './manifests.ts'
import { encodeManifest, manifestSizeMax, mediaTypes, parseManifest } from './manifests.ts'
import { ifPresent } from './store/files.ts'

export type LayoutRefusal = 'layout_malformed' | 'layout_ambiguous'

const refName = 'org.opencontainers.image.ref.name'
const versionText = '{"imageLayoutVersion":"1.0.0"}'
const readBytes = 1024 * 1024

export interface ImageLayout extends ContentSource, ContentTarget {
  readonly path: string
  /** The content of `index.json`. */
  readIndex(): Promise<ImageIndex>
  /**
   * The entry with that name, or the only one when no name is given. Throws the refusal
   * `layout_ambiguous` for none or several.
   */
  resolve(name?: string): Promise<Descriptor>
  /** Replaces `index.json`; each entry may carry a name. */
  writeIndex(entries: readonly { descriptor: Descriptor; name?: string }[]): Promise<void>
  /** Stores a stream whose digest is not known before, for example a bundle while it is made. */
  putStream(
    fill: (write: (piece: Uint8Array) => Promise<void>) => Promise<void>,
  ): Promise<ExpectedContent>
}

function blobPath(path: string, digest: Digest): string {
  return join(path, 'blobs', digestAlgorithm(digest), digestHex(digest))
}

/** Makes an empty layout, or opens the one that is there. */
export async function createLayout(path: string, random: Random): Promise<ImageLayout> {
  makeFolders(join(path, 'blobs', 'sha256'))
  const layout = layoutAt(path, random)
  if ((await ifPresent(stat(join(path, 'oci-layout')))) === undefined) {
    await layout.writeIndex([])
    await writeFile(join(path, 'oci-layout'), versionText)
  }
  return layout
}

/** Throws `Refusal<LayoutRefusal>` when the folder is no layout of version 1. */
export async function openLayout(path: string, random: Random): Promise<ImageLayout> {
  const text = await ifPresent(readFile(join(path, 'oci-layout')))
  const version = text && text.length < 1000 ? parseVersion(text) : undefined
  if (version === undefined || !/^1\./.test(version)) {
    throw new Refusal<LayoutRefusal>('layout_malformed', `${path} is not an OCI layout`)
  }
  return layoutAt(path, random)
}

function parseVersion(bytes: Uint8Array): string | undefined {
  try {
    const value = parseJson(bytes)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    const version = value['imageLayoutVersion']
    return typeof version === 'string' ? version : undefined
  } catch {
    return undefined
  }
}

function layoutAt(path: string, random: Random): ImageLayout {
  const newPath = () => join(path, 'blobs', `.new-${hexEncode(random.bytes(8))}`)

  /** A layout may come from anybody: a link to a device or a pipe would be read without end. */
  const sizeOf = async (file: string): Promise<number | undefined> => {
    const stats = await ifPresent(stat(file))
    if (stats === undefined || stats.isFile()) return stats?.size
    throw new Refusal<LayoutRefusal>('layout_malformed', `${file} is not a file`)
  }

  const readBounded = async (file: string): Promise<Uint8Array | undefined> => {
    const size = await sizeOf(file)
    if (size === undefined) return undefined
    if (size > manifestSizeMax) {
      throw new Refusal<LayoutRefusal>('layout_malformed', 'a manifest of the layout is too large')
    }
    return readFile(file)
  }

  const layout: ImageLayout = {
    path,
    async readIndex() {
      const bytes = await readBounded(join(path, 'index.json'))
      const index = bytes && parseManifest(bytes, mediaTypes.index)
      if (index?.kind !== 'index') {
        throw new Refusal<LayoutRefusal>('layout_malformed', 'the layout has no index.json')
      }
      return index
    },
    async resolve(name) {
      const { manifests } = await layout.readIndex()
      const found = manifests.filter(
        (entry) => name === undefined || entry.annotations?.[refName] === name,
      )
      const [only] = found
      if (only === undefined || found.some((entry) => entry.digest !== only.digest)) {
        throw new Refusal<LayoutRefusal>(
          'layout_ambiguous',
          `the layout has not exactly one entry${name === undefined ? '' : ` named ${name}`}`,
        )
      }
      return only
    },
    async writeIndex(entries) {
      const manifests = entries.map(({ descriptor, name }) =>
        name === undefined
          ? descriptor
          : { ...descriptor, annotations: { ...descriptor.annotations, [refName]: name } },
      )
      const index = encodeManifest({ kind: 'index', mediaType: mediaTypes.index, manifests })
      const temporary = newPath()
      await writeFile(temporary, index.bytes)
      await rename(temporary, join(path, 'index.json'))
    },

    async readManifest(digest) {
      const bytes = (await readBounded(blobPath(path, digest))) ?? missing(digest)
      return { bytes, mediaType: manifestType(bytes) }
    },
    async *readBlob({ digest }) {
      const file = blobPath(path, digest)
      if ((await sizeOf(file)) === undefined) missing(digest)
      for await (const piece of createReadStream(file, { highWaterMark: readBytes })) {
        yield piece as Uint8Array
      }
    },
    async hasBlob({ digest, size }) {
      return (await ifPresent(stat(blobPath(path, digest))))?.size === size
    },
    async putBlob(expected, source) {
      await put(async (write) => {
        await readVerified(source(), expected, write)
        return expected.digest
      })
    },
    async putStream(fill) {
      const digester = createDigester()
      const digest = await put(async (write) => {
        await fill(async (piece) => {
          digester.update(piece)
          await write(piece)
        })
        return digester.finish()
      })
      return { digest, size: digester.byteCount }
    },
    async putManifest({ bytes, digest, mediaType, tag }) {
      await put(async (write) => {
        await write(bytes)
        return digest
      })
      if (tag === undefined) return
      const { manifests } = await layout.readIndex()
      const others = manifests.filter((entry) => entry.annotations?.[refName] !== tag)
      await layout.writeIndex([
        ...others.map((descriptor) => ({ descriptor })),
        { descriptor: { mediaType, digest, size: bytes.length }, name: tag },
      ])
    },
  }

  /** Writes a file under a temporary name, and renames it after the digest that `fill` returns. */
  async function put(
    fill: (write: (piece: Uint8Array) => Promise<void>) => Promise<Digest>,
  ): Promise<Digest> {
    const temporary = newPath()
    const file = await open(temporary, 'wx')
    try {
      const written = await fill(async (piece) => {
        await file.writeFile(piece)
      })
      await file.close()
      makeFolders(join(path, 'blobs', digestAlgorithm(written)))
      await rename(temporary, blobPath(path, written))
      return written
    } catch (error) {
      await file.close()
      await rm(temporary, { force: true })
      throw error
    }
  }
  return layout
}

/**
 * The media type that a manifest of a layout states; documents that state none are told apart by
 * their members.
 */
export function manifestType(bytes: Uint8Array): string {
  const value = parseJson(bytes)
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return mediaTypes.manifest
  const own = value['mediaType']
  if (typeof own === 'string') return own
  return value['manifests'] === undefined ? mediaTypes.manifest : mediaTypes.index
}
