/**
 * What `seaworthy.json` makes a device run, and what it declares besides, read from the content of
 * a bundle.
 */
import { posix } from 'node:path'
import type { FileEntry } from '@seaworthy/oci/bundle/file-list'
import { utf8Decode } from '@seaworthy/std/bytes'
import type { PlatformTree } from './release-trees.ts'

type Members = Readonly<Record<string, unknown>>

/** Members that decide neither what runs nor with which rights. */
const plain = ['health.http', 'health.windowSeconds', 'stopSeconds']
/**
 * Members that every release has. Any other declared member is an exception, even in a first
 * release.
 */
const usual = ['start', 'health.exec', ...plain]

/**
 * Describes what deserves a second look: another command to start or to check health, and
 * everything that is declared besides. `before` is `undefined` when there is nothing to compare
 * with; then only exceptions are described.
 */
export function describeCommands(
  before: Uint8Array | undefined,
  { files, manifest }: PlatformTree & { kind: 'files' },
): string[] {
  const entry = files.entries.find(({ path }) => path === 'seaworthy.json')
  if (manifest === undefined) {
    return entry === undefined
      ? before === undefined
        ? []
        : ['has no seaworthy.json any more']
      : ['seaworthy.json is no plain file of at most 64 KiB']
  }
  const now = readMembers(manifest)
  if (now === undefined) return ['seaworthy.json is not an object in JSON']
  const old = before === undefined ? undefined : (readMembers(before) ?? new Map<string, string>())
  const told: string[] = []
  for (const [name, value] of now) {
    const was = old?.get(name)
    if (was === value || plain.includes(name)) continue
    if (was !== undefined) told.push(`seaworthy.json: ${name} was ${was}, is ${value}`)
    else if (old !== undefined || !usual.includes(name)) {
      told.push(`seaworthy.json: new ${name} ${value}`)
    }
  }
  for (const name of old?.keys() ?? []) {
    if (!now.has(name) && !plain.includes(name)) told.push(`seaworthy.json: ${name} is gone`)
  }
  return told
}

/** The command that starts the application, as the bundle says it. */
export function describeStart(manifest: Uint8Array | undefined): string | undefined {
  return manifest === undefined ? undefined : readMembers(manifest)?.get('start')
}

/**
 * Characters between two paths in one word of a command: `--import=./a.mjs`, `. ./run.sh`.
 */
const betweenPaths = /[\s=:;,'"()&|]+/
const linksMax = 40

/**
 * Paths in the bundle that its commands name: programs, and scripts for an interpreter, which need
 * no execute bit. Links are followed, also those of folders on the way. A folder stands for
 * everything below it, and a name without its ending for every file that has one. What these files
 * load in turn is not known here.
 */
export function listNamedPaths({
  files,
  manifest,
}: PlatformTree & { kind: 'files' }): ReadonlySet<string> {
  const entries = new Map(files.entries.map((entry) => [entry.path, entry]))
  const named = new Set<string>()
  for (const word of listCommandWords(manifest)) {
    const path = posix.normalize(word)
    if (path === '.' || path === '/' || path.startsWith('..')) continue
    for (const step of followLinks(path, entries)) named.add(step)
    const end = followLinks(path, entries).at(-1)!
    for (const { path: other } of files.entries) {
      if (other.startsWith(`${end}/`) || other.startsWith(`${end}.`)) named.add(other)
    }
  }
  return named
}

function listCommandWords(manifest: Uint8Array | undefined): string[] {
  const members = manifest === undefined ? undefined : readMembers(manifest)
  return ['start', 'health.exec'].flatMap((name) => {
    const value: unknown = JSON.parse(members?.get(name) ?? '[]')
    if (!Array.isArray(value)) return []
    return value
      .filter((word) => typeof word === 'string')
      .flatMap((word) => [word, ...word.split(betweenPaths)])
      .filter((word) => word !== '')
  })
}

/** The path, each link on the way, and where they lead in the end. */
function followLinks(path: string, entries: ReadonlyMap<string, FileEntry>): string[] {
  const steps = [path]
  let current = path
  for (let links = 0; links < linksMax; links++) {
    const parts = current.split('/')
    const at = parts.findIndex((_, i) => {
      return entries.get(parts.slice(0, i + 1).join('/'))?.type === 'symlink'
    })
    if (at === -1) break
    const link = parts.slice(0, at + 1).join('/')
    const entry = entries.get(link)
    if (entry?.type !== 'symlink') break
    current = posix.join(posix.dirname(link), entry.target, ...parts.slice(at + 1))
    steps.push(link, current)
  }
  return steps
}

/**
 * Names and values as text, the members of `health` one by one. The bytes are read as devices read
 * them; `undefined` when they are no JSON object.
 */
function readMembers(bytes: Uint8Array): Map<string, string> | undefined {
  let root: unknown
  try {
    root = JSON.parse(utf8Decode(bytes))
  } catch {
    return undefined
  }
  if (!isMembers(root)) return undefined
  const { health, ...others } = root
  const named = isMembers(health)
    ? Object.entries(health).map(([name, value]) => [`health.${name}`, value] as const)
    : health === undefined
      ? []
      : [['health', health] as const]
  return new Map(
    [...Object.entries(others), ...named].map(([name, value]) => [name, JSON.stringify(value)]),
  )
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
