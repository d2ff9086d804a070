/**
 * What the command line, the environment and the settings file say, each setting with its origin.
 * The one table `upOptions` names them all; nothing is checked here beyond its form.
 */
import { parseArgs } from 'node:util'
import type { UpOption, UpOptionName } from '@seaworthy/api/up-options'
import { upOptions } from '@seaworthy/api/up-options'
import type { Json } from '@seaworthy/std/json'
import { parseJson } from '@seaworthy/std/json'
import { findNearest } from '@seaworthy/std/nearest'
import { printable, quoted } from '@seaworthy/std/printable'

/** The command line or the settings file cannot be meant; the message says what is accepted. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

export type SettingValue = string | true | readonly string[]

export interface Setting {
  readonly name: UpOptionName
  /** `undefined` where nobody says anything. */
  readonly value: SettingValue | undefined
  /** `--listen`, `SEAWORTHY_LISTEN`, the path of the file, or `default`. */
  readonly origin: string
}

export interface SettingSources {
  readonly argv: readonly string[]
  readonly variables: Readonly<Record<string, string | undefined>>
  /** Reads the settings file; throws `UsageError` where it cannot be read or is too long. */
  readonly readFile: (file: string) => Uint8Array
}

/** A settings file is at most this long. */
export const settingsBytesMax = 64 * 1024

const options: readonly (UpOption & { readonly name: UpOptionName })[] = upOptions

/**
 * Options stand above variables, and those above the file. A list is taken from one of them, never
 * joined. Throws `UsageError`.
 */
export function readSettings({ argv, variables, readFile }: SettingSources): Setting[] {
  const given = parseOptions(argv)
  const file = textOf(given['config']) ?? variables['SEAWORTHY_CONFIG']
  const kept =
    file === undefined ? new Map<UpOptionName, SettingValue>() : parseFile(file, readFile)
  return options.map(({ name, variable, isRepeatable }) => {
    const own = given[name]
    if (own !== undefined) return { name, value: own, origin: `--${name}` }
    const text = variable === undefined ? undefined : variables[variable]
    // An empty list in a variable says nothing.
    const listed = isRepeatable === true ? (text ?? '').split(',').filter(Boolean) : []
    const value = isRepeatable === true ? (listed.length > 0 ? listed : undefined) : text
    if (value !== undefined) return { name, value, origin: variable! }
    if (kept.has(name)) return { name, value: kept.get(name), origin: file! }
    return { name, value: undefined, origin: 'default' }
  })
}

function textOf(value: SettingValue | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function parseOptions(argv: readonly string[]): Readonly<Record<string, SettingValue | undefined>> {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        ...Object.fromEntries(
          options.map(({ name, value, isRepeatable = false }) => [
            name,
            { type: value === undefined ? 'boolean' : 'string', multiple: isRepeatable } as const,
          ]),
        ),
        // Says only how a failure is told (`report-failure.ts`), or the settings.
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
      strict: true,
      allowPositionals: false,
    })
    return values as Record<string, SettingValue | undefined>
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : 'wrong options', { cause })
  }
}

function parseFile(
  file: string,
  readFile: SettingSources['readFile'],
): ReadonlyMap<UpOptionName, SettingValue> {
  const bytes = readFile(file)
  let members: Json
  try {
    members = parseJson(bytes)
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause
    throw new UsageError(`${file} is not JSON: ${cause.message}`, { cause })
  }
  if (typeof members !== 'object' || members === null || Array.isArray(members)) {
    throw new UsageError(`${file} is not an object of settings, such as {"workers": "2"}`)
  }
  const settings = new Map<UpOptionName, SettingValue>()
  for (const [name, value] of Object.entries(members)) {
    const option = options.find((one) => one.name === name)
    if (option === undefined) throw new UsageError(`${file}: ${unknownText(name)}`)
    if (option.isNotInFile === true) {
      throw new UsageError(`${file}: ${quoted(name)} is for the command line alone: --${name}`)
    }
    if (value === false && option.value === undefined) continue
    settings.set(option.name, checkValue(value, option, file))
  }
  return settings
}

function unknownText(name: string): string {
  const known = options.filter(({ isNotInFile }) => isNotInFile !== true).map((one) => one.name)
  const nearest = findNearest(name, known)
  const meant = nearest === undefined ? '' : `; did you mean ${quoted(nearest)}?`
  return `there is no setting ${quoted(name)}${meant}`
}

function checkValue(value: Json, option: UpOption, file: string): SettingValue {
  const refuse = (what: string): never => {
    throw new UsageError(`${file}: ${quoted(option.name)} takes ${what}`)
  }
  if (option.value === undefined) return value === true ? true : refuse('true or false')
  if (option.isRepeatable === true) {
    const isList = Array.isArray(value) && value.every((one) => typeof one === 'string')
    return isList ? value : refuse('a list of texts, such as ["updates.example.org"]')
  }
  return typeof value === 'string' ? value : refuse(`a text: ${option.value}`)
}

/** What `--print-config` shows of a value: without the password of the database. */
export function shownValue({ name, value }: Setting): string {
  const { standard }: UpOption = options.find((one) => one.name === name)!
  if (value === undefined) return standard ?? 'none'
  if (typeof value !== 'string') return value === true ? 'on' : value.join(', ')
  const url = name === 'database-url' || name === 'otlp-endpoint' ? URL.parse(value) : null
  if (url === null || url.password === '') return value
  url.password = 'not-shown'
  return url.href
}

/** A line for each setting, in columns. */
export function formatSettings(settings: readonly Setting[]): string[] {
  const rows = settings.map((one) => [one.name, shownValue(one), one.origin].map(printable))
  const widthOf = (column: number) =>
    rows.reduce((width, row) => Math.max(width, row[column]!.length), 0)
  const widths = [widthOf(0), widthOf(1), 0]
  return rows.map((row) => row.map((cell, i) => cell.padEnd(widths[i]!)).join('  '))
}
