/** What `seaworthy.json` makes a device run, and what it declares besides, read from the content of a bundle. */
import { posix } from 'node:path'
import { utf8Decode } from '@seaworthy/std/bytes'
import type { PlatformTree } from './release-trees.ts'

type Members = Readonly<Record<string, unknown>>

/** Members that decide neither what runs nor with which rights. */
const plain = ['health.http', 'health.windowSeconds', 'stopSeconds']
/** Members that every release has. What else is declared is an exception, in a first release too. */
const usual = ['start', 'health.exec', ...plain]

/**
 * What deserves a second look, in words: another command to start or to ask for health, and everything that is declared besides.
 * `before` is left out when nothing is there to compare with; then only exceptions are told.
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

/** Paths in the bundle that its commands name: programs, and scripts for an interpreter, which need no execute bit. */
export function listNamedPaths(manifest: Uint8Array | undefined): ReadonlySet<string> {
  const named = new Set<string>()
  const members = manifest === undefined ? undefined : readMembers(manifest)
  for (const name of ['start', 'health.exec']) {
    const value: unknown = JSON.parse(members?.get(name) ?? '[]')
    if (!Array.isArray(value)) continue
    for (const word of value) if (typeof word === 'string') named.add(posix.normalize(word))
  }
  return named
}

/** Names and values as text, those of `health` by themselves. Read as devices read it; `undefined` when it is no JSON object. */
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
