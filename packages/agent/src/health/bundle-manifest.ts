/** `seaworthy.json` at the root of a bundle (INTERFACES.md, "Release content"): signed, and yet read strictly. */
import { utf8Decode } from '@seaworthy/std/bytes'
import { Refusal } from '@seaworthy/std/refusal'
import type { Disk, HealthCheck } from '../ports.ts'
import { DiskError } from '../ports.ts'
import type { ContentFailure } from '../refusals.ts'

export interface BundleManifest {
  /** Program and arguments; a path that starts with `./` lies in the release. */
  start: readonly string[]
  health: HealthCheck
  windowSeconds: number
  stopSeconds: number
}

const bundleManifestBytesMax = 64 * 1024
const windowSecondsDefault = 120
const stopSecondsDefault = 20

function refuse(what: string, cause?: unknown): never {
  throw new Refusal<ContentFailure>('manifest_malformed', `seaworthy.json: ${what}`, { cause })
}

type Members = Record<string, unknown>

function members(value: unknown, name: string, known: readonly string[]): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refuse(`${name} is not an object`)
  }
  for (const member of Object.keys(value)) {
    if (!known.includes(member)) refuse(`${name}: unknown member ${JSON.stringify(member)}`)
  }
  return value as Members
}

function command(value: unknown, name: string): string[] {
  const fits =
    Array.isArray(value) &&
    value.length >= 1 &&
    value.length <= 256 &&
    value.every((item) => typeof item === 'string' && item.length <= 8192 && !item.includes('\0'))
  if (!fits) return refuse(`${name}: expected 1 to 256 texts`)
  const [program] = value as string[]
  if (program === '' || program!.includes('=')) return refuse(`${name}: not a program`)
  return value as string[]
}

function seconds(value: unknown, name: string, preset: number): number {
  if (value === undefined) return preset
  if (typeof value !== 'number' || !(value > 0) || value > 86_400) {
    return refuse(`${name}: expected seconds, more than 0 and at most 86400`)
  }
  return value
}

const placeholder = /\$\{([^}]*)\}/g

/** Of one text with its values filled in: a value may be long and be named often. What the system takes at once is not much more. */
const filledLengthMax = 64 * 1024

/** `${NAME}` becomes the value from the agent's configuration; a name without one refuses the release. */
function substitute(text: string, environment: Readonly<Record<string, string>>): string {
  let length = text.length
  return text.replace(placeholder, (_all, name: string) => {
    if (!Object.hasOwn(environment, name)) {
      throw new Refusal<ContentFailure>(
        'environment_missing',
        `seaworthy.json needs ${JSON.stringify(name.slice(0, 64))}, which the configuration does not set`,
      )
    }
    length += environment[name]!.length
    if (length > filledLengthMax) refuse('a text is too long once its values are filled in')
    return environment[name]!
  })
}

function parseHealth(value: unknown, environment: Readonly<Record<string, string>>) {
  if (value === undefined) {
    return { check: { kind: 'alive' } as const, windowSeconds: windowSecondsDefault }
  }
  const { http, exec, windowSeconds } = members(value, 'health', ['http', 'exec', 'windowSeconds'])
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
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    return refuse('health.http: expected http://… or https://…')
  }
  return { check: { kind: 'http', url: url.href } as const, windowSeconds: window }
}

/** Throws `Refusal<'manifest_malformed' | 'environment_missing'>`. A `sandbox` this version cannot enforce is refused, never ignored. */
export function parseBundleManifest(
  bytes: Uint8Array,
  environment: Readonly<Record<string, string>>,
): BundleManifest {
  let value: unknown
  try {
    value = JSON.parse(utf8Decode(bytes))
  } catch (cause) {
    return refuse('not JSON', cause)
  }
  const root = members(value, 'the file', ['start', 'health', 'stopSeconds', 'sandbox'])
  if (root['sandbox'] !== undefined) members(root['sandbox'], 'sandbox', [])
  const { check, windowSeconds } = parseHealth(root['health'], environment)
  return {
    start: command(root['start'], 'start').map((item) => substitute(item, environment)),
    health: check,
    windowSeconds,
    stopSeconds: seconds(root['stopSeconds'], 'stopSeconds', stopSecondsDefault),
  }
}

/**
 * The one of a release's folder; `undefined` where the release brings none. Throws what `parseBundleManifest` throws: a link, a folder
 * or a file that is too long in its place is a malformed one.
 */
export async function readBundleManifest(
  disk: Disk,
  folder: string,
  environment: Readonly<Record<string, string>>,
): Promise<BundleManifest | undefined> {
  let bytes: Uint8Array | undefined
  try {
    bytes = await disk.read(`${folder}/seaworthy.json`, bundleManifestBytesMax)
  } catch (error) {
    if (error instanceof DiskError && error.code === 'too_long') {
      return refuse(`longer than ${bundleManifestBytesMax} bytes`, error)
    }
    if (error instanceof DiskError && error.code === 'not_regular') {
      return refuse('not a file', error)
    }
    throw error
  }
  return bytes === undefined ? undefined : parseBundleManifest(bytes, environment)
}
