/**
 * What `seaworthy.json` makes a device run, and what else it declares, read from the content of a
 * bundle.
 */
import { parseAnyJson, parseAnyJsonText } from '@seaworthy/std/json'
import { readLinks } from '../tar/links.ts'
import type { PlatformTree } from './platform-trees.ts'

type Members = Readonly<Record<string, unknown>>

/** Members that affect neither what runs nor its rights. */
const plain = ['health.http', 'health.windowSeconds', 'stopSeconds']
/**
 * Members that every release has. Any other declared member is an exception, even in a first
 * release.
 */
const usual = ['start', 'health.exec', ...plain]

/**
 * Describes what deserves a second look: another command to start or to check health, and
 * everything else that is declared. `before` is `undefined` when there is nothing to compare with;
 * then only exceptions are described.
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

/**
 * Paths in the bundle that its commands name: programs, and scripts for an interpreter, which need
 * no execute bit. Links are followed as a kernel does, also those of folders on the way. A folder
 * stands for everything below it, and a name without its ending for every file that has one. What
 * these files load in turn is not known here.
 */
export function listNamedPaths({
  files,
  manifest,
}: PlatformTree & { kind: 'files' }): ReadonlySet<string> {
  const links = readLinks(
    new Map(files.entries.map((e) => [e.path, e.type === 'symlink' ? e.target : undefined])),
  )
  const paths = files.entries.map(({ path }) => path).toSorted(compareText)
  const named = new Set<string>()
  const ends = new Set<string>()
  for (const word of new Set(listCommandWords(manifest))) {
    const steps = word.startsWith('/') ? undefined : links.follow(word)
    const end = steps?.pop()
    if (end === undefined || end === '') continue
    for (const step of steps!) named.add(step)
    named.add(end)
    ends.add(`${end}/`).add(`${end}.`)
  }
  // In sorted order, a prefix that begins with the one before it finds nothing new.
  let covering: string | undefined
  for (const prefix of [...ends].toSorted(compareText)) {
    if (covering !== undefined && prefix.startsWith(covering)) continue
    covering = prefix
    for (let i = findFirst(paths, prefix); paths[i]?.startsWith(prefix); i++) named.add(paths[i]!)
  }
  return named
}

const compareText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)

/** Index of the first text that does not sort before `text`. */
function findFirst(sorted: readonly string[], text: string): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sorted[middle]! < text) low = middle + 1
    else high = middle
  }
  return low
}

function listCommandWords(manifest: Uint8Array | undefined): string[] {
  const members = manifest === undefined ? undefined : readMembers(manifest)
  return ['start', 'health.exec'].flatMap((name) => {
    const value: unknown = parseAnyJsonText(members?.get(name) ?? '[]')
    if (!Array.isArray(value)) return []
    return value
      .filter((word) => typeof word === 'string')
      .flatMap((word) => [word, ...word.split(betweenPaths)])
      .filter((word) => word !== '')
  })
}

/**
 * Names and values as text, the members of `health` one by one. The bytes are read as devices read
 * them; `undefined` when they are not a JSON object.
 */
function readMembers(bytes: Uint8Array): Map<string, string> | undefined {
  let root: unknown
  try {
    root = parseAnyJson(bytes)
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
