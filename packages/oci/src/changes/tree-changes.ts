/**
 * What changes on a device from one release to the next, of trees that were computed from the
 * content. Lines that begin with `!` deserve a second look: they come first and are never left out,
 * however many there are. The same holds for entries that a device can run. A long list shows some
 * of the others, and says what kind of entries the rest are.
 */
import { posix } from 'node:path'
import { formatBytes } from '@seaworthy/std/byte-words'
import { printable } from '@seaworthy/std/printable'
import type { FileEntry } from '../bundle/file-list.ts'
import { diffFileLists } from '../bundle/file-list.ts'
import { describeCommands, describeStart, listNamedPaths } from './commands.ts'
import type { ComparedTree, ImagePart, PlatformTree } from './platform-trees.ts'

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
  /** Descriptions of what deserves a second look. */
  alerts: readonly string[]
  /** Descriptions of what was not computed. */
  unchecked: readonly string[]
  /**
   * Paths on the new side that no list leaves out: what a device can run (executables, their links,
   * what seaworthy.json names), and seaworthy.json.
   */
  neverCut: readonly string[]
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
  before: ComparedTree | undefined,
  after: ComparedTree,
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
        neverCut: [],
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
      neverCut: [...listNeverCut(now)],
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
  after: PlatformTree & { kind: 'files' },
): string[] {
  const named = listNamedPaths(after)
  const executables = listExecutables(after)
  return [
    ...changed.flatMap((change) => {
      const alert = describeAlert(change)
      if (alert.length > 0) return alert
      const why = [
        ...(isExecutable(change.after) ? ['executable'] : []),
        ...(named.has(change.after.path) ? ['seaworthy.json runs it'] : []),
      ]
      return why.length === 0 ? [] : [`${describeChanged(change)}: ${why.join(', ')}`]
    }),
    ...added.flatMap((entry) => {
      const why = [
        ...(isExecutable(entry) ? ['new executable'] : []),
        ...(named.has(entry.path) ? ['seaworthy.json runs it'] : []),
        ...(isLinkTo(entry, executables) ? ['new name of an executable'] : []),
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

function listExecutables({ files }: PlatformTree & { kind: 'files' }): ReadonlySet<string> {
  return new Set(files.entries.filter(isExecutable).map(({ path }) => path))
}

function isLinkTo(entry: FileEntry, paths: ReadonlySet<string>): boolean {
  return entry.type === 'symlink' && paths.has(linkedPath(entry))
}

function listNeverCut(tree: PlatformTree & { kind: 'files' }): ReadonlySet<string> {
  const executables = listExecutables(tree)
  const links = tree.files.entries.filter((entry) => isLinkTo(entry, executables))
  return new Set([
    ...executables,
    ...links.map(({ path }) => path),
    ...listNamedPaths(tree),
    'seaworthy.json',
  ])
}

/** The path that a link leads to, when no other link is on the way. */
function linkedPath({ path, target }: FileEntry & { type: 'symlink' }): string {
  return posix.join(posix.dirname(path), target)
}

const entriesShownMax = 60

export interface DescribedChanges {
  lines: readonly string[]
  /** Content that nobody has looked at; a signature needs explicit consent to it. */
  unchecked: readonly string[]
  /**
   * Entries that a long list does not show; the signer sees them too, or says that they did not.
   */
  leftOut: LeftOut
}

export interface LeftOut {
  /** Every entry that is not among the lines. */
  readonly lines: readonly string[]
  /** One sentence for each platform that has any: how many there are of which kind. */
  readonly kinds: readonly string[]
}

export const nothingLeftOut: LeftOut = { lines: [], kinds: [] }

/**
 * Lines for people: all `!` of all platforms, then the entries of each, at most 60 unless all are
 * asked for.
 */
export function describeChanges(
  changes: readonly PlatformChange[],
  { all = false }: { all?: boolean | undefined } = {},
): DescribedChanges {
  const alerts = changes.flatMap(({ platform, alerts: own }) =>
    own.map((alert) => spelledOut(`! ${platform}  ${alert}`)),
  )
  const unchecked = changes.flatMap(({ platform, unchecked: own }) =>
    own.map((what) => `${platform}: ${what}`),
  )
  const entriesMax = all ? Infinity : entriesShownMax
  const platforms = changes.map((change) => describePlatform(change, entriesMax))
  const lines = [
    ...unchecked.map((what) => `! NOT CHECKED  ${what}`),
    ...alerts,
    ...platforms.flatMap(({ lines: own }) => own),
  ]
  const left = platforms.map(({ leftOut }) => leftOut)
  return {
    lines: lines.map(printable),
    unchecked: unchecked.map(printable),
    leftOut: {
      lines: left.flatMap((own) => own.lines).map(printable),
      kinds: left.flatMap((own) => own.kinds).map(printable),
    },
  }
}

function describePlatform(
  change: PlatformChange,
  entriesMax: number,
): Pick<DescribedChanges, 'lines' | 'leftOut'> {
  const { platform, presence, content, parts } = change
  const whole = (lines: readonly string[]) => ({ lines, leftOut: nothingLeftOut })
  if (presence === 'removed') return whole([])
  if (content === 'unchecked') {
    return whole([`${platform}: NOT CHECKED, said to have ${formatBytes(change.bytesAfter)}`])
  }
  if (content === 'image') {
    return whole([
      `${platform}: an image, ${formatBytes(change.bytesAfter)} read and hashed here; no file tree can be shown of it`,
      ...parts.map(
        ({ name, digest, size, isNew }) =>
          `  ${isNew ? '+' : '='} ${name === undefined ? '' : `${name}  `}${formatBytes(size)}  ${digest}`,
      ),
    ])
  }
  const { added, removed, changed } = change
  const entries = listEntries(change)
  const first = entries.filter(({ isFirst }) => isFirst)
  const others = entries.filter(({ isFirst }) => !isFirst)
  const othersMax = Math.max(0, entriesMax - first.length)
  const left = others.slice(othersMax)
  const kinds = left.length === 0 ? undefined : countKinds(left)
  return {
    lines: [
      `${platform}: ${added.length} added, ${removed.length} removed, ${changed.length} changed; ` +
        `${formatBytes(change.bytesBefore)} -> ${formatBytes(change.bytesAfter)}`,
      ...(change.start === undefined ? [] : [spelledOut(`  starts ${change.start}`)]),
      ...first.map(({ line }) => spelledOut(`  ${line}`)),
      ...others.slice(0, othersMax).map(({ line }) => `  ${line}`),
      ...(kinds === undefined
        ? []
        : [
            `  … and ${left.length} more (--all shows them), neither marked executable nor named by seaworthy.json; whether those load them is not known here: ${kinds}`,
          ]),
    ],
    leftOut: {
      lines: left.map(({ line }) => `${platform}  ${line}`),
      kinds: kinds === undefined ? [] : [`${platform}: ${kinds}`],
    },
  }
}

interface ShownEntry {
  readonly kind: 'changed' | 'removed' | 'added'
  readonly path: string
  readonly isFirst: boolean
  readonly line: string
}

/**
 * All entries that differ, in the order in which they are shown within what no list leaves out, and
 * within the rest.
 */
function listEntries({ added, removed, changed, neverCut }: PlatformChange): ShownEntry[] {
  const first = new Set(neverCut)
  return [
    ...changed.map((one): ShownEntry => ({
      kind: 'changed',
      path: one.after.path,
      isFirst: first.has(one.after.path),
      line: describeChanged(one),
    })),
    ...removed.map((entry): ShownEntry => ({
      kind: 'removed',
      path: entry.path,
      isFirst: false,
      line: `- ${describeEntry(entry)}`,
    })),
    ...added.map((entry): ShownEntry => ({
      kind: 'added',
      path: entry.path,
      isFirst: first.has(entry.path),
      line: `+ ${describeEntry(entry)}`,
    })),
  ]
}

const endingsShownMax = 5

/** How many entries were changed, removed and added, and which endings their names have. */
function countKinds(entries: readonly ShownEntry[]): string {
  const kinds = (['changed', 'removed', 'added'] as const).flatMap((kind) => {
    const count = entries.filter((entry) => entry.kind === kind).length
    return count === 0 ? [] : [`${count} ${kind}`]
  })
  const endings = new Map<string, number>()
  for (const { path } of entries) {
    const ending = posix.extname(path)
    endings.set(ending, (endings.get(ending) ?? 0) + 1)
  }
  const sorted = [...endings].toSorted(([, a], [, b]) => b - a)
  const named = sorted.filter(([ending]) => ending !== '').slice(0, endingsShownMax)
  const rest = entries.length - named.reduce((sum, [, count]) => sum + count, 0)
  const parts = [
    ...named.map(([ending, count]) => `${count} ${ending}`),
    ...(rest === 0 ? [] : [`${rest} ${named.length === 0 ? 'without an ending' : 'others'}`]),
  ]
  return `${kinds.join(', ')} (${parts.join(', ')})`
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

const spelledMax = 40

/**
 * The line, followed by the names of its characters that look like ASCII letters: `арр` in Cyrillic
 * letters looks like `app`. What a device runs must not be identified by its looks alone.
 */
function spelledOut(line: string): string {
  const shown = printable(line)
  const characters = [...new Set(shown.match(/[^ -~]/gu) ?? [])]
  if (characters.length === 0) return line
  const spelled = characters.slice(0, spelledMax).map((character) => {
    return `${character} is \\u{${character.codePointAt(0)!.toString(16)}}`
  })
  const rest = characters.length - spelled.length
  const more = rest > 0 ? [`and ${rest} more`] : []
  return `${line}  (not ASCII: ${[...spelled, ...more].join(', ')})`
}

/**
 * A path as it is, or in quotes where its blanks, quotes or backslashes could be mistaken for the
 * text around it.
 */
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
