/**
 * What changes on a device from one release to the next, of trees that were computed from the content. Lines that begin with `!`
 * deserve a second look: they come first and are never left out, however many there are.
 */
import { posix } from 'node:path'
import type { FileEntry } from '@seaworthy/oci/bundle/file-list'
import { diffFileLists } from '@seaworthy/oci/bundle/file-list'
import { describeCommands, describeStart, listNamedPaths } from './bundle-commands.ts'
import { formatBytes, formatCount, harmless } from './output/format.ts'
import type { ImagePart, PlatformTree, ReleaseTree } from './release-trees.ts'

export interface PlatformChange {
  platform: string
  /** New, gone, or on both sides. */
  presence: 'added' | 'removed' | 'kept'
  /** `unchecked`: the content could not be looked at, and nothing else here says anything. */
  content: 'files' | 'image' | 'unchecked'
  bytesBefore: number
  bytesAfter: number
  added: readonly FileEntry[]
  removed: readonly FileEntry[]
  changed: readonly { before: FileEntry; after: FileEntry }[]
  /** What deserves a second look, in words. */
  alerts: readonly string[]
  /** What was not computed, in words. */
  unchecked: readonly string[]
  /** The command that starts the application of a bundle, as JSON. */
  start: string | undefined
  /** Files of an image. */
  parts: readonly (ImagePart & { isNew: boolean })[]
}

const nothing: PlatformTree & { kind: 'files' } = {
  kind: 'files',
  files: { entries: [] },
  bytes: 0,
  manifest: undefined,
}

/** Platform by platform; `before` is left out for the first release of a channel. */
export function compareTrees(
  before: ReleaseTree | undefined,
  after: ReleaseTree,
): PlatformChange[] {
  const platforms = new Set([...(before?.platforms.keys() ?? []), ...after.platforms.keys()])
  return [...platforms].toSorted().map((platform) => {
    const old = before?.platforms.get(platform)
    const now = after.platforms.get(platform)
    const isFirst = before === undefined
    const base = {
      platform,
      bytesBefore: old?.bytes ?? 0,
      bytesAfter: now?.bytes ?? 0,
      ...{
        added: [],
        removed: [],
        changed: [],
        alerts: [],
        unchecked: [],
        parts: [],
        start: undefined,
      },
    }
    if (now === undefined) {
      return {
        ...base,
        presence: 'removed',
        content: 'files',
        alerts: ['no longer in the release'],
      }
    }
    const presence = old === undefined ? 'added' : 'kept'
    const alerts = presence === 'added' && !isFirst ? ['is new in the release'] : []
    if (now.kind === 'unchecked') {
      return { ...base, presence, content: 'unchecked', alerts, unchecked: [now.reason] }
    }
    const jump = presence === 'kept' ? describeJump(base) : []
    if (now.kind === 'image') {
      if (old?.kind === 'files') alerts.push('was a bundle of files, is an image')
      const oldDigests = new Set(old?.kind === 'image' ? old.parts.map(({ digest }) => digest) : [])
      const parts = now.parts.map((part) => ({ ...part, isNew: !oldDigests.has(part.digest) }))
      return { ...base, presence, content: 'image', alerts: [...alerts, ...jump], parts }
    }
    if (old?.kind === 'image') alerts.push('was an image, is a bundle of files')
    const compared = old?.kind === 'files' ? old : nothing
    const difference = diffFileLists(compared.files, now.files)
    return {
      ...base,
      presence,
      content: 'files',
      ...difference,
      start: describeStart(now.manifest),
      alerts: [
        ...alerts,
        ...jump,
        ...describeCommands(isFirst ? undefined : compared.manifest, now),
        ...(isFirst ? [] : describeEntries(difference, now)),
      ],
      unchecked:
        old?.kind === 'unchecked'
          ? [
              `what it is compared with could not be computed: ${old.reason}. All of it is shown as new`,
            ]
          : [],
    }
  })
}

/** A release that grows by more than this share, and by more than a mebibyte, is marked. */
const jumpShare = 0.5
const jumpBytesMin = 1024 * 1024

function describeJump({ bytesBefore, bytesAfter }: { bytesBefore: number; bytesAfter: number }) {
  const grownBytes = bytesAfter - bytesBefore
  const isJump = grownBytes > jumpBytesMin && grownBytes > bytesBefore * jumpShare
  return isJump ? [`${formatBytes(grownBytes)} more than before`] : []
}

function describeEntries(
  { added, changed }: Pick<PlatformChange, 'added' | 'changed'>,
  { files: after, manifest }: PlatformTree & { kind: 'files' },
): string[] {
  const named = listNamedPaths(manifest)
  const executables = new Set(after.entries.filter(isExecutable).map(({ path }) => path))
  return [
    ...changed.flatMap((change) => {
      const alert = describeAlert(change)
      return alert.length === 0 && named.has(change.after.path)
        ? [`${describeChanged(change)}: seaworthy.json runs it`]
        : alert
    }),
    ...added.flatMap((entry) => {
      const why = [
        ...(isExecutable(entry) ? ['new executable'] : []),
        ...(named.has(entry.path) ? ['seaworthy.json runs it'] : []),
        ...(entry.type === 'symlink' && executables.has(linkedPath(entry))
          ? ['new name of an executable']
          : []),
        ...(entry.path.includes('/') ? [] : ['new at the root']),
      ]
      return why.length === 0 ? [] : [`+ ${describeEntry(entry)}: ${why.join(', ')}`]
    }),
  ]
}

function describeAlert({ before, after }: PlatformChange['changed'][number]): string[] {
  if (before.type !== after.type) {
    return [`~ ${showPath(after.path)}: was a ${before.type}, is a ${after.type}`]
  }
  if (before.type === 'file' && after.type === 'file' && before.mode !== after.mode) {
    return [`${describeChanged({ before, after })}: mode ${before.mode} -> ${after.mode}`]
  }
  if (before.type === 'symlink' && after.type === 'symlink') {
    return [
      `~ ${showPath(after.path)}: leads to ${showPath(after.target)} instead of ${showPath(before.target)}`,
    ]
  }
  return []
}

function isExecutable(entry: FileEntry): boolean {
  return entry.type === 'file' && entry.mode === '0755'
}

/** Where a link leads, when no other link is on the way. */
function linkedPath({ path, target }: FileEntry & { type: 'symlink' }): string {
  return posix.join(posix.dirname(path), target)
}

const entriesShownMax = 60

export interface DescribedChanges {
  lines: readonly string[]
  /** What nobody has looked at; a signature needs a word about it. */
  unchecked: readonly string[]
}

/** Lines for people: all `!` of all platforms, then the entries of each, at most 60 where not all are asked for. */
export function describeChanges(
  changes: readonly PlatformChange[],
  { all = false }: { all?: boolean | undefined } = {},
): DescribedChanges {
  const alerts = changes.flatMap(({ platform, alerts: own }) =>
    own.map((alert) => `! ${platform}  ${alert}`),
  )
  const unchecked = changes.flatMap(({ platform, unchecked: own }) =>
    own.map((what) => `${platform}: ${what}`),
  )
  const lines = [
    ...unchecked.map((what) => `! NOT CHECKED  ${what}`),
    ...alerts,
    ...changes.flatMap((change) => describePlatform(change, all ? Infinity : entriesShownMax)),
  ]
  return { lines: lines.map(harmless), unchecked: unchecked.map(harmless) }
}

function describePlatform(change: PlatformChange, entriesMax: number): string[] {
  const { platform, presence, content, added, removed, changed, parts } = change
  if (presence === 'removed') return []
  if (content === 'unchecked') {
    return [`${platform}: NOT CHECKED, said to have ${formatBytes(change.bytesAfter)}`]
  }
  if (content === 'image') {
    return [
      `${platform}: an image, ${formatBytes(change.bytesAfter)} read and hashed here; no file tree can be shown of it`,
      ...parts.map(
        ({ name, digest, size, isNew }) =>
          `  ${isNew ? '+' : '='} ${name === undefined ? '' : `${name}  `}${formatBytes(size)}  ${digest}`,
      ),
    ]
  }
  const describe = (one: PlatformChange['changed'][number]) => `  ${describeChanged(one)}`
  const runs = ({ after }: PlatformChange['changed'][number]) => isExecutable(after)
  // What can run comes first and is never cut, new or changed.
  const executables = [
    ...added.filter(isExecutable).map((entry) => `  + ${describeEntry(entry)}`),
    ...changed.filter(runs).map(describe),
  ]
  const entries = [
    ...executables,
    ...changed.filter((one) => !runs(one)).map(describe),
    ...removed.map((entry) => `  - ${describeEntry(entry)}`),
    ...added.filter((entry) => !isExecutable(entry)).map((entry) => `  + ${describeEntry(entry)}`),
  ]
  const shownMax = Math.max(entriesMax, executables.length)
  const left = entries.length - shownMax
  return [
    `${platform}: ${added.length} added, ${removed.length} removed, ${changed.length} changed; ` +
      `${formatBytes(change.bytesBefore)} -> ${formatBytes(change.bytesAfter)}`,
    ...(change.start === undefined ? [] : [`  starts ${change.start}`]),
    ...entries.slice(0, shownMax),
    ...(left > 0 ? [`  … and ${left} more (--all shows them)`] : []),
  ]
}

function describeChanged({ before, after }: PlatformChange['changed'][number]): string {
  if (before.type === 'file' && after.type === 'file') {
    const size =
      before.size === after.size
        ? formatBytes(after.size)
        : `${formatBytes(before.size)} -> ${formatBytes(after.size)}`
    return `~ ${showPath(after.path)}  ${size}`
  }
  return `~ ${describeEntry(after)}`
}

/** A path as it is, or in quotes where blanks, quotes or backslashes could pass for what stands around it. */
function showPath(path: string): string {
  return /[\s"\\]|[:!]$/.test(path) ? JSON.stringify(path) : path
}

function describeEntry(entry: FileEntry): string {
  switch (entry.type) {
    case 'file':
      return `${showPath(entry.path)}  ${formatBytes(entry.size)}${entry.mode === '0755' ? '  executable' : ''}`
    case 'directory':
      return `${showPath(entry.path)}/`
    case 'symlink':
      return `${showPath(entry.path)} -> ${showPath(entry.target)}`
  }
}

/** What a release carries that no device looks at, and what the release before said wrongly about itself. */
export function describeRest(before: ReleaseTree | undefined, after: ReleaseTree): string[] {
  const { others } = after
  const lies = before?.lies ?? []
  return [
    ...lies.map(
      (lie) => `! ${before!.version}, with which it is compared, lies about its content: ${lie}`,
    ),
    ...(others.length === 0
      ? []
      : [
          `It also carries ${formatCount(others.length, 'document')} that no device looks at and nobody has checked:`,
          ...others
            .slice(0, entriesShownMax)
            .map(
              ({ artifactType, mediaType, size, digest }) =>
                `  ${artifactType ?? mediaType}  ${formatBytes(size)}  ${digest}`,
            ),
        ]),
  ].map(harmless)
}
