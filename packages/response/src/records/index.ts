/**
 * Records of vulnerabilities in the OSV schema (1.7). Parts of a record that cannot be used are
 * listed with the reason; nothing is dropped silently.
 */
import type { Json } from '@seaworthy/std/json'
import { openJson, parseJson } from '@seaworthy/std/json'
import { isInstant } from './instant.ts'

export { isInstant } from './instant.ts'
export { readCsaf } from './csaf.ts'
export { readEpss } from './epss.ts'
export { readKev } from './kev.ts'

export interface VulnerabilityRecord {
  readonly id: string
  readonly modified: string
  readonly withdrawn: string | undefined
  readonly aliases: readonly string[]
  /** Records that it is derived from: of a distribution's record the one of the flaw itself. */
  readonly upstream: readonly string[]
  readonly summary: string
  /** CVSS vectors of any version, as its source wrote them: the first 100. */
  readonly vectors: readonly string[]
  readonly affected: readonly Affected[]
  /** Parts of it that could not be used, with the reasons. */
  readonly faults: readonly string[]
}

/** What a record says of one package. */
export interface Affected {
  readonly ecosystem: string
  /** What follows the ecosystem's name: `12` of `Debian:12`, `22.04:LTS` of `Ubuntu:22.04:LTS`. */
  readonly release: string
  readonly name: string
  readonly versions: ReadonlySet<string>
  readonly ranges: readonly Range[]
}

export type EventKind = 'introduced' | 'fixed' | 'last_affected' | 'limit'

export interface Range {
  readonly type: 'SEMVER' | 'ECOSYSTEM' | 'GIT'
  readonly events: readonly { readonly kind: EventKind; readonly version: string }[]
}

const kinds: readonly EventKind[] = ['introduced', 'fixed', 'last_affected', 'limit']

/** The record, or why there is none. */
export function readRecord(bytes: Uint8Array): VulnerabilityRecord | { readonly why: string } {
  let root: Json
  try {
    root = parseJson(bytes, { ...openJson, valuesMax: 1_000_000 })
  } catch {
    return { why: 'not JSON' }
  }
  if (!isObject(root)) return { why: 'not an object' }
  const { id, modified, withdrawn, aliases, upstream, summary, affected } = root
  if (typeof id !== 'string' || id === '') return { why: 'without an id' }
  if (typeof modified !== 'string' || !isInstant(modified)) {
    return { why: 'without the instant of its last change' }
  }
  const faults: string[] = []
  return {
    ...{ id, modified },
    withdrawn: typeof withdrawn === 'string' ? withdrawn : undefined,
    aliases: textsOf(aliases),
    upstream: textsOf(upstream),
    summary: typeof summary === 'string' ? summary : '',
    vectors: vectorsOf(root, Array.isArray(affected) ? affected : []),
    affected: (Array.isArray(affected) ? affected : []).flatMap((one, i) => {
      const read = readAffected(one)
      if (typeof read !== 'string') {
        for (const fault of read.faults) faults.push(`affected ${i + 1}: ${fault}`)
        return [read.affected]
      }
      faults.push(`affected ${i + 1}: ${read}`)
      return []
    }),
    faults,
  }
}

function readAffected(value: Json): { affected: Affected; faults: string[] } | string {
  if (!isObject(value)) return 'not an object'
  const { package: named, versions, ranges } = value
  if (!isObject(named)) return 'it names no package'
  const { ecosystem: whole, name } = named
  if (typeof whole !== 'string' || typeof name !== 'string') return 'it names no package'
  const [, ecosystem = '', release = ''] = /^([^:]*)(?::(.*))?$/s.exec(whole) ?? []
  const faults: string[] = []
  if (ranges !== undefined && !Array.isArray(ranges)) faults.push('ranges is not a list')
  const read = (Array.isArray(ranges) ? ranges : []).flatMap((one, i) => {
    const range = readRange(one)
    if (typeof range !== 'string') return [range]
    faults.push(`range ${i + 1}: ${range}`)
    return []
  })
  const listed = Array.isArray(versions) ? versions.filter((one) => typeof one === 'string') : []
  if (read.length === 0 && listed.length === 0) {
    return [...faults, 'it has neither ranges nor versions'].join(', ')
  }
  return {
    affected: { ecosystem, release, name, versions: new Set(listed), ranges: read },
    faults,
  }
}

function readRange(value: Json): Range | string {
  if (!isObject(value)) return 'not an object'
  const { type, events } = value
  if (type !== 'SEMVER' && type !== 'ECOSYSTEM' && type !== 'GIT') return 'of no known type'
  if (!Array.isArray(events)) return 'events is not a list'
  const read: Range['events'][number][] = []
  for (const event of events) {
    if (!isObject(event)) return 'an event is not an object'
    const named = kinds.filter((kind) => typeof event[kind] === 'string')
    if (named.length !== 1) return 'an event says not exactly one thing'
    read.push({ kind: named[0]!, version: event[named[0]!] as string })
  }
  if (!read.some(({ kind }) => kind === 'introduced')) return 'no version introduced it'
  return { type, events: read }
}

const vectorsMax = 100

/** They stand in the record or beside each package. */
function vectorsOf(root: Json, affected: readonly Json[]): string[] {
  const vectors = new Set<string>()
  for (const holder of [root, ...affected]) {
    const listed = isObject(holder) ? holder['severity'] : undefined
    for (const one of Array.isArray(listed) ? listed : []) {
      if (vectors.size === vectorsMax) return [...vectors]
      const score = isObject(one) ? one['score'] : undefined
      if (typeof score === 'string' && score.startsWith('CVSS:') && score.length <= 500)
        vectors.add(score)
    }
  }
  return [...vectors]
}

function textsOf(value: Json | undefined): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : []
}

function isObject(value: Json | undefined): value is { [name: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
