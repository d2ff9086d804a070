/** `seaworthy.json` at the root of a bundle: it is signed, and is read strictly all the same. */
import type { Stats } from 'node:fs'
import { constants } from 'node:fs'
import { open, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { normalize } from 'node:path/posix'
import { parseAnyJson } from '@seaworthy/std/json'
import { describeKnown } from '@seaworthy/std/nearest'
import type { Refuse } from '@seaworthy/std/refusal'
import { Refusal, refuseAs } from '@seaworthy/std/refusal'
import type { FileEntry } from './file-list.ts'
import {
  bundleManifestMembers,
  commandItemLengthMax,
  commandItemsMax,
  defaultLengthMax,
  defaultsMax,
  secondsMax,
  stopSecondsDefault,
  variableNameForm,
  windowSecondsDefault,
} from './manifest-schema.ts'

export type BundleManifestRefusal = 'bundle_manifest_malformed' | 'environment_missing'

export type HealthCheck =
  | { kind: 'http'; url: string }
  | { kind: 'exec'; command: readonly string[] }
  /** No check was declared: being alive is all that can be asked for. */
  | { kind: 'alive' }

export interface BundleManifest {
  /** Program and arguments; a path that starts with `./` lies in the release. */
  start: readonly string[]
  health: HealthCheck
  windowSeconds: number
  stopSeconds: number
  /** What is done to a running application whose variables or secrets have changed. */
  onChange: 'restart' | 'signal'
  /** Variables that the application has where nobody set another value. */
  defaults: ReadonlyMap<string, string>
}

export const bundleManifestName = 'seaworthy.json'
export const bundleManifestBytesMax = 64 * 1024

const refuse: Refuse = refuseAs<BundleManifestRefusal>(
  'bundle_manifest_malformed',
  `${bundleManifestName}: `,
)

type Members = Record<string, unknown>

function members(value: unknown, name: string, known: readonly string[]): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refuse(`${name} is not an object`)
  }
  for (const member of Object.keys(value)) {
    if (known.includes(member)) continue
    refuse(
      `${name}: unknown member ${JSON.stringify(member.slice(0, 64))}; ${describeKnown(member, known)}`,
    )
  }
  return value as Members
}

function command(value: unknown, name: string): string[] {
  const fits =
    Array.isArray(value) &&
    value.length >= 1 &&
    value.length <= commandItemsMax &&
    value.every(
      (item) =>
        typeof item === 'string' && item.length <= commandItemLengthMax && !item.includes('\0'),
    )
  if (!fits) {
    return refuse(`${name}: expected 1 to ${commandItemsMax} texts, such as ["./bin/app"]`)
  }
  const [program] = value as string[]
  if (program === '' || program!.includes('=')) return refuse(`${name}: not a program`)
  return value as string[]
}

function seconds(value: unknown, name: string, preset: number): number {
  if (value === undefined) return preset
  if (typeof value !== 'number' || !(value > 0) || value > secondsMax) {
    return refuse(`${name}: expected seconds, more than 0 and at most ${secondsMax}`)
  }
  return value
}

/**
 * Longest text with its values filled in: a value may be long and be named often. The system
 * accepts little more than that.
 */
const filledLengthMax = 64 * 1024

/** Values by name; `undefined` where nobody knows them yet, because no device is asked. */
type Environment = Readonly<Record<string, string>> | undefined

/**
 * `${NAME}` becomes the value from the agent's configuration; a name without one refuses the
 * release.
 */
function substitute(text: string, environment: Environment): string {
  let length = text.length
  let filled = ''
  let at = 0
  for (const { begin, end } of placeholders(text)) {
    const value = valueOf(text.slice(begin + 2, end - 1), environment)
    if (environment !== undefined) length += value.length
    if (length > filledLengthMax) refuse('a text is too long once its values are filled in')
    filled += text.slice(at, begin) + value
    at = end
  }
  return filled + text.slice(at)
}

/** The place of each `${NAME}`. A builder chooses the text, so each character is read only once. */
function* placeholders(text: string): Generator<{ begin: number; end: number }> {
  for (let at = 0; ;) {
    const begin = text.indexOf('${', at)
    const brace = begin < 0 ? -1 : text.indexOf('}', begin)
    if (brace < 0) return
    at = brace + 1
    yield { begin, end: at }
  }
}

function hasPlaceholder(text: string): boolean {
  return placeholders(text).next().done !== true
}

function valueOf(name: string, environment: Environment): string {
  if (environment === undefined) return '1'
  if (Object.hasOwn(environment, name)) return environment[name]!
  throw new Refusal<BundleManifestRefusal>(
    'environment_missing',
    `seaworthy.json needs ${JSON.stringify(name.slice(0, 64))}, which the configuration does not set`,
  )
}

function parseHealth(value: unknown, environment: Environment) {
  if (value === undefined) {
    return { check: { kind: 'alive' } as const, windowSeconds: windowSecondsDefault }
  }
  const { http, exec, windowSeconds } = members(value, 'health', bundleManifestMembers.health)
  const window = seconds(windowSeconds, 'health.windowSeconds', windowSecondsDefault)
  if (http !== undefined && exec !== undefined) return refuse('health: http or exec, not both')
  if (exec !== undefined) {
    return {
      check: { kind: 'exec', command: command(exec, 'health.exec') } as const,
      windowSeconds: window,
    }
  }
  if (http === undefined) return { check: { kind: 'alive' } as const, windowSeconds: window }
  if (typeof http !== 'string') return refuse('health.http: expected a URL')
  const url = URL.parse(substitute(http, environment))
  // Only the device can say whether its own values make this a URL.
  if (url === null && environment === undefined && hasPlaceholder(http)) {
    return { check: { kind: 'http', url: http } as const, windowSeconds: window }
  }
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    return refuse('health.http: expected http://… or https://…')
  }
  return { check: { kind: 'http', url: url.href } as const, windowSeconds: window }
}

/**
 * Throws `Refusal<BundleManifestRefusal>`. A `sandbox` this version cannot enforce is refused,
 * never ignored.
 */
export function parseBundleManifest(bytes: Uint8Array, environment: Environment): BundleManifest {
  let value: unknown
  try {
    value = parseAnyJson(bytes)
  } catch (cause) {
    return refuse('not JSON', cause)
  }
  const root = members(value, 'the file', bundleManifestMembers.root)
  if (root['sandbox'] !== undefined) {
    members(root['sandbox'], 'sandbox', bundleManifestMembers.sandbox)
  }
  const { check, windowSeconds } = parseHealth(root['health'], environment)
  return {
    start: command(root['start'], 'start').map((item) => substitute(item, environment)),
    health: check,
    windowSeconds,
    stopSeconds: seconds(root['stopSeconds'], 'stopSeconds', stopSecondsDefault),
    ...parseVariables(root['variables']),
  }
}

function parseVariables(value: unknown): Pick<BundleManifest, 'onChange' | 'defaults'> {
  if (value === undefined) return { onChange: 'restart', defaults: new Map() }
  const { onChange = 'restart', defaults = {} } = members(
    value,
    'variables',
    bundleManifestMembers.variables,
  )
  if (onChange !== 'restart' && onChange !== 'signal') {
    return refuse('variables.onChange: expected "restart" or "signal"')
  }
  return { onChange, defaults: parseDefaults(defaults) }
}

const variableName = new RegExp(variableNameForm)

function parseDefaults(value: unknown): BundleManifest['defaults'] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refuse('variables.defaults is not an object')
  }
  const entries = Object.entries(value)
  if (entries.length > defaultsMax) refuse(`variables.defaults: at most ${defaultsMax}`)
  for (const [name, text] of entries) {
    if (!variableName.test(name)) {
      refuse(`variables.defaults: ${JSON.stringify(name.slice(0, 64))} is no name (A-Z, 0-9, _)`)
    }
    const isFit = typeof text === 'string' && text.length <= defaultLengthMax && text.isWellFormed()
    if (!isFit) {
      refuse(`variables.defaults: ${name} is no text of at most ${defaultLengthMax} characters`)
    }
  }
  return new Map(entries as [string, string][])
}

const missingFile = (name: string, path: string) => `${name}: the bundle has no ${path}`
const noFile = (name: string, path: string) => `${name}: ${path} is no file of the bundle`
const notExecutable = (name: string, path: string) =>
  `${name}: ${path} is not executable (chmod +x), and no interpreter is named`

/** Programs that read the file that they are given. */
const interpreter = /^(?:.*\/)?(?:sh|bash|dash|node|perl|php|python[0-9.]*|ruby)$/

/**
 * What a command needs of the bundle: a program that can be executed, and the file that an
 * interpreter reads.
 */
function listNeeded([program = '', first = '']: readonly string[]): {
  readonly path: string
  readonly isProgram: boolean
}[] {
  return [
    { path: program, isProgram: true },
    ...(interpreter.test(program) ? [{ path: first, isProgram: false }] : []),
  ].filter(
    ({ path, isProgram }) =>
      // What the device finds by itself, or names with its own values, is not checked here.
      !hasPlaceholder(path) &&
      !path.startsWith('/') &&
      (isProgram ? path.includes('/') : path.startsWith('./')),
  )
}

/**
 * The commands of a `seaworthy.json` that `parseBundleManifest` has accepted, as they are written:
 * only the device knows which names its values make of them.
 */
function listCommands(
  bytes: Uint8Array,
): readonly { readonly name: string; readonly command: readonly string[] }[] {
  const { start, health } = parseAnyJson(bytes) as {
    start: string[]
    health?: { exec?: string[] }
  }
  return [
    { name: 'start', command: start },
    ...(health?.exec === undefined ? [] : [{ name: 'health.exec', command: health.exec }]),
  ]
}

/**
 * Throws `Refusal<'bundle_manifest_malformed'>` for a command that ends at once on every device.
 */
async function requireRunnable(folder: string, name: string, command: readonly string[]) {
  const root = await realpath(folder)
  for (const { path, isProgram } of listNeeded(command)) {
    let real: string
    let stats: Stats
    try {
      real = await realpath(join(root, path))
      stats = await stat(real)
    } catch (cause) {
      return refuse(missingFile(name, path), cause)
    }
    if (!real.startsWith(`${root}/`) || !stats.isFile()) {
      return refuse(noFile(name, path))
    }
    if (isProgram && (stats.mode & 0o111) === 0) {
      return refuse(notExecutable(name, path))
    }
  }
}

/**
 * `requireRunnable` for a bundle that was packed elsewhere, by the entries of its layer. What lies
 * behind a link is left to the device. Throws `Refusal<'bundle_manifest_malformed'>`.
 */
export function requireRunnableEntries(
  manifest: Uint8Array,
  entries: ReadonlyMap<string, FileEntry>,
): void {
  for (const { name, command: needed } of listCommands(manifest)) {
    for (const { path, isProgram } of listNeeded(needed)) {
      const real = normalize(path)
      const above = real.split('/').map((_, i, parts) => parts.slice(0, i + 1).join('/'))
      if (above.some((one) => entries.get(one)?.type === 'symlink')) continue
      const entry = entries.get(real)
      if (entry === undefined) refuse(missingFile(name, path))
      else if (entry.type !== 'file') refuse(noFile(name, path))
      else if (isProgram && entry.mode !== '0755') refuse(notExecutable(name, path))
    }
  }
}

/**
 * Checks, before a folder is packed, that a device can follow its `seaworthy.json`, and that the
 * files that its commands need are there. A folder without one is fine: devices then unpack the
 * bundle and start nothing. Throws `Refusal<'bundle_manifest_malformed'>`. Nobody knows here which
 * values a device has for `${NAME}`.
 */
export async function checkFolderManifest(folder: string): Promise<void> {
  let file
  try {
    file = await open(
      `${folder}/${bundleManifestName}`,
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
    )
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return
    return refuse(code === 'ELOOP' ? 'a link, not a file' : `cannot be read (${code})`, error)
  }
  try {
    const stats = await file.stat()
    if (!stats.isFile()) refuse('not a file')
    if (stats.size > bundleManifestBytesMax) refuse(`longer than ${bundleManifestBytesMax} bytes`)
    const bytes = await file.readFile()
    parseBundleManifest(bytes, undefined)
    for (const { name, command: needed } of listCommands(bytes)) {
      await requireRunnable(folder, name, needed)
    }
  } finally {
    await file.close()
  }
}
