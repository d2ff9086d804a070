/**
 * The list of what is in a bundle, as an artifact of the release, for people, for differences and
 * for `sha256sum -c`. It has one byte form, so that one digest tells anybody who has the bundle
 * whether the list is exactly what the bundle holds.
 */
import { createHash } from 'node:crypto'
import type { Refuse } from '@seaworthy/std/refusal'
import { Refusal, refuseAs } from '@seaworthy/std/refusal'
import type { ExpectedContent } from '../digests.ts'
import type { Json } from '@seaworthy/std/json'
import { parseJson } from '@seaworthy/std/json'
import type { Descriptor, ImageIndex } from '../manifests.ts'
import { mediaTypes, parseManifest } from '../manifests.ts'
import { comparePaths, findPathFault, findTargetFault } from '../tar/paths.ts'

export const fileListMediaType = 'application/vnd.seaworthy.files.v1+json'
export const fileListBytesMax = 128 * 1024 * 1024
const entriesMax = 200_000

export type FileEntry =
  | { type: 'file'; path: string; size: number; mode: '0644' | '0755'; sha256: string }
  | { type: 'directory'; path: string; mode: '0755' }
  | { type: 'symlink'; path: string; target: string }

export interface FileList {
  /** The entries in the order of the bytes of their paths. */
  entries: readonly FileEntry[]
}

export type FileListRefusal =
  | 'file_list_malformed'
  | 'file_list_too_large'
  /**
   * A bundle has no file list, or one that is not exactly what its layer holds, or a list belongs
   * to no platform.
   */
  | 'file_list_mismatch'

const refuse: Refuse = refuseAs<FileListRefusal>('file_list_malformed')

const listHead = '{"format":"seaworthy-files-v1","entries":['
const listTail = '\n]}\n'

/** An entry's line, which is preceded by a comma where it is not the first. */
function formatEntry(entry: FileEntry, isFirst: boolean): string {
  return `${isFirst ? '' : ','}\n${JSON.stringify(orderEntry(entry))}`
}

/** One entry a line, so that ordinary tools can search and compare it. */
export function encodeFileList({ entries }: FileList): Uint8Array<ArrayBuffer> {
  const lines = entries.map((entry, i) => formatEntry(entry, i === 0))
  return new TextEncoder().encode(`${listHead}${lines.join('')}${listTail}`)
}

/** Digest and size of `encodeFileList` of entries that come one by one, without keeping them. */
export interface FileListDigester {
  add(entry: FileEntry): void
  /** May be called once. */
  finish(): ExpectedContent
}

/** Makes a digester. Entries must come in the order of the list. */
export function createFileListDigester(): FileListDigester {
  const state = createHash('sha256')
  let size = 0
  let isFirst = true
  const update = (text: string) => {
    const bytes = Buffer.from(text)
    size += bytes.length
    state.update(bytes)
  }
  update(listHead)
  return {
    add(entry) {
      update(formatEntry(entry, isFirst))
      isFirst = false
    },
    finish() {
      update(listTail)
      return { digest: `sha256:${state.digest('hex')}`, size }
    },
  }
}

function orderEntry(entry: FileEntry): FileEntry {
  const { path } = entry
  switch (entry.type) {
    case 'file':
      return { path, type: 'file', size: entry.size, mode: entry.mode, sha256: entry.sha256 }
    case 'directory':
      return { path, type: 'directory', mode: '0755' }
    case 'symlink':
      return { path, type: 'symlink', target: entry.target }
  }
}

/** Throws `Refusal<FileListRefusal>` for everything that `encodeFileList` would not write. */
export function parseFileList(bytes: Uint8Array): FileList {
  if (bytes.length > fileListBytesMax) {
    throw new Refusal<FileListRefusal>('file_list_too_large', 'the file list is too large')
  }
  let root: Json
  try {
    root = parseJson(bytes)
  } catch (cause) {
    throw new Refusal<FileListRefusal>('file_list_malformed', 'not strict JSON', { cause })
  }
  const { format, entries } = asObject(root)
  if (format !== 'seaworthy-files-v1') return refuse('not a file list of version 1')
  if (!Array.isArray(entries) || entries.length > entriesMax) return refuse('entries is not a list')
  const parsed = entries.map(parseEntry)
  for (let i = 1; i < parsed.length; i++) {
    if (comparePaths(parsed[i - 1]!.path, parsed[i]!.path) >= 0) return refuse('not in order')
  }
  return { entries: parsed }
}

function asObject(value: Json | undefined): { [name: string]: Json } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refuse('not an object')
  }
  return value
}

function parseEntry(value: Json): FileEntry {
  const { path, type, size, mode, sha256, target } = asObject(value)
  if (typeof path !== 'string' || findPathFault(path)) return refuse('an entry has no safe path')
  if (type === 'file') {
    if (typeof size !== 'number' || size < 0) return refuse(`${path} has no size`)
    if (mode !== '0644' && mode !== '0755') return refuse(`${path} has no mode`)
    if (typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(sha256)) {
      return refuse(`${path} has no sha256`)
    }
    return { type, path, size, mode, sha256 }
  }
  if (type === 'directory' && mode === '0755') return { type, path, mode }
  if (type === 'symlink' && typeof target === 'string' && !findTargetFault(target)) {
    return { type, path, target }
  }
  return refuse(`${path} is of no known type`)
}

/**
 * The document inside a file list's own manifest, whose bytes must have been verified, and the
 * bundle that it says it describes. Throws `Refusal<FileListRefusal | ManifestRefusal>`.
 */
export function parseFileListManifest(
  bytes: Uint8Array,
  parse: typeof parseManifest = parseManifest,
): {
  list: Descriptor
  subject: Descriptor | undefined
} {
  const manifest = parse(bytes, mediaTypes.manifest)
  if (manifest.kind !== 'manifest' || manifest.artifactType !== fileListMediaType) {
    return refuse('the manifest is not one of a file list')
  }
  const [list, ...others] = manifest.layers
  if (list?.mediaType !== fileListMediaType || others.length > 0) {
    return refuse('the manifest of a file list names exactly one document')
  }
  return { list, subject: manifest.subject }
}

/** The platform that a manifest belongs to, where its descriptor has no `platform` member. */
export const platformAnnotation = 'dev.seaworthy.platform'

export interface SortedFileLists {
  /** The file lists by the platform of the release that each is filed under. */
  fileLists: ReadonlyMap<string, Descriptor>
  /** Why each other file list artifact is not among them. */
  fileListFaults: readonly string[]
}

/**
 * The file list artifacts of a release's index. Only the name of a platform leads to one: the text
 * beside it is the builder's.
 */
export function sortFileLists(
  { manifests }: ImageIndex,
  platforms: ReadonlySet<string>,
): SortedFileLists {
  const fileLists = new Map<string, Descriptor>()
  const fileListFaults: string[] = []
  for (const descriptor of manifests) {
    if (descriptor.platform !== undefined || descriptor.artifactType !== fileListMediaType) continue
    const name = descriptor.annotations?.[platformAnnotation]
    if (name === undefined || !platforms.has(name)) {
      fileListFaults.push(
        `a file list is filed under ${JSON.stringify((name ?? '').slice(0, 200))}, which is no platform of the release`,
      )
    } else if (fileLists.has(name)) {
      fileListFaults.push(`two file lists are filed under ${name}`)
    } else fileLists.set(name, descriptor)
  }
  return { fileLists, fileListFaults }
}

export interface FileListDifference {
  added: FileEntry[]
  removed: FileEntry[]
  changed: { before: FileEntry; after: FileEntry }[]
}

/** Entries in the order of their paths; one whose type changed counts as changed. */
export function diffFileLists(before: FileList, after: FileList): FileListDifference {
  const old = new Map(before.entries.map((entry) => [entry.path, entry]))
  const difference: FileListDifference = { added: [], removed: [], changed: [] }
  for (const entry of after.entries) {
    const previous = old.get(entry.path)
    old.delete(entry.path)
    if (!previous) difference.added.push(entry)
    else if (JSON.stringify(orderEntry(previous)) !== JSON.stringify(orderEntry(entry))) {
      difference.changed.push({ before: previous, after: entry })
    }
  }
  for (const entry of old.values()) difference.removed.push(entry)
  return difference
}

/** The regular files in the form that `sha256sum -c` reads. */
export function formatSha256Sums({ entries }: FileList): string {
  return entries
    .filter((entry) => entry.type === 'file')
    .map(({ path, sha256 }) =>
      path.includes('\\')
        ? `\\${sha256}  ${path.replaceAll('\\', '\\\\')}\n`
        : `${sha256}  ${path}\n`,
    )
    .join('')
}
