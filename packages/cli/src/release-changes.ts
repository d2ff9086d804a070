/** What changes on a device from one release to the next, read from file lists that the signed digests cover. */
import type { FileEntry, FileList } from '@seaworthy/oci/bundle/file-list'
import { diffFileLists } from '@seaworthy/oci/bundle/file-list'
import type { ContentSource } from '@seaworthy/oci/content'
import type { Digest } from '@seaworthy/oci/digests'
import { verifyBytes } from '@seaworthy/oci/digests'
import type { Release } from '@seaworthy/oci/release'
import { parseRelease, readFileList } from '@seaworthy/oci/release'
import { formatBytes, harmless } from './output/format.ts'

export interface PlatformChange {
  platform: string
  /** New, gone, or on both sides. */
  presence: 'added' | 'removed' | 'kept'
  /** False for images and containers, which have no file list: then nothing is compared. */
  hasFileList: boolean
  bytesBefore: number
  bytesAfter: number
  added: readonly FileEntry[]
  removed: readonly FileEntry[]
  changed: readonly { before: FileEntry; after: FileEntry }[]
}

/** The index of a release by its digest, verified. */
export async function readRelease(source: ContentSource, digest: Digest): Promise<Release> {
  const { bytes } = await source.readManifest(digest)
  verifyBytes(bytes, { digest, size: bytes.length })
  return parseRelease(bytes)
}

/** Platform by platform; `before` is left out for the first release of a channel. */
export async function compareReleases(
  source: ContentSource,
  before: Release | undefined,
  after: Release,
): Promise<PlatformChange[]> {
  const platforms = new Set([...(before?.platforms.keys() ?? []), ...after.platforms.keys()])
  const changes: PlatformChange[] = []
  for (const platform of [...platforms].toSorted()) {
    const [old, now] = [before, after].map((release) => release?.fileLists.get(platform))
    const oldFiles = await readFiles(source, old)
    const newFiles = await readFiles(source, now)
    const difference =
      now === undefined
        ? { added: [], removed: [], changed: [] }
        : diffFileLists(oldFiles, newFiles)
    const wasThere = before?.platforms.has(platform) ?? false
    changes.push({
      platform,
      presence: !after.platforms.has(platform) ? 'removed' : wasThere ? 'kept' : 'added',
      hasFileList: now !== undefined,
      bytesBefore: totalBytes(oldFiles),
      bytesAfter: totalBytes(newFiles),
      ...difference,
    })
  }
  return changes
}

async function readFiles(
  source: ContentSource,
  artifact: Parameters<typeof readFileList>[1] | undefined,
): Promise<FileList> {
  return artifact === undefined ? { entries: [] } : await readFileList(source, artifact)
}

function totalBytes({ entries }: FileList): number {
  return entries.reduce((sum, entry) => sum + (entry.type === 'file' ? entry.size : 0), 0)
}

const entriesShownMax = 60
/** A release that grows by more than this share, and by more than a mebibyte, is marked. */
const jumpShare = 0.5
const jumpBytesMin = 1024 * 1024

/** Lines for people; `!` marks what deserves a second look. */
export function describeChanges(
  changes: readonly PlatformChange[],
  entriesMax = entriesShownMax,
): string[] {
  return changes.flatMap((change) => describePlatform(change, entriesMax))
}

function describePlatform(change: PlatformChange, entriesMax: number): string[] {
  const { platform, presence, added, removed, changed } = change
  if (presence === 'removed') return [`! ${platform}: no longer in the release`]
  if (!change.hasFileList) return [`${platform}: an image, whose content has no file list`]
  const grownBytes = change.bytesAfter - change.bytesBefore
  const isJump =
    presence === 'kept' && grownBytes > jumpBytesMin && grownBytes > change.bytesBefore * jumpShare
  const lines = [
    `${platform}: ${added.length} added, ${removed.length} removed, ${changed.length} changed; ` +
      `${formatBytes(change.bytesBefore)} -> ${formatBytes(change.bytesAfter)}`,
    ...(isJump ? [`  ! ${formatBytes(grownBytes)} more than before`] : []),
  ]
  const entries = [
    ...changed.map(describeChanged),
    ...removed.map((entry) => `  - ${describeEntry(entry)}`),
    ...added.map(
      (entry) =>
        `  + ${describeEntry(entry)}${isExecutable(entry) && presence === 'kept' ? '  ! new executable' : ''}`,
    ),
  ]
  lines.push(...entries.slice(0, entriesMax))
  if (entries.length > entriesMax) lines.push(`  … and ${entries.length - entriesMax} more`)
  return lines.map(harmless)
}

function isExecutable(entry: FileEntry): boolean {
  return entry.type === 'file' && entry.mode === '0755'
}

function describeChanged({ before, after }: { before: FileEntry; after: FileEntry }): string {
  if (before.type !== after.type) {
    return `  ! ${after.path}: was a ${before.type}, is a ${after.type}`
  }
  if (before.type === 'file' && after.type === 'file') {
    const mode = before.mode === after.mode ? '' : `  ! mode ${before.mode} -> ${after.mode}`
    const size =
      before.size === after.size
        ? formatBytes(after.size)
        : `${formatBytes(before.size)} -> ${formatBytes(after.size)}`
    return `  ~ ${after.path}  ${size}${mode}`
  }
  return `  ~ ${describeEntry(after)}`
}

function describeEntry(entry: FileEntry): string {
  switch (entry.type) {
    case 'file':
      return `${entry.path}  ${formatBytes(entry.size)}${entry.mode === '0755' ? '  executable' : ''}`
    case 'directory':
      return `${entry.path}/`
    case 'symlink':
      return `${entry.path} -> ${entry.target}`
  }
}
