/**
 * Where a database need not look: the keys between which every version lies that a record can say
 * something of. It finds candidates; the verdict is `judgeComponent`'s alone.
 */
import { compareBytes } from '@seaworthy/std/bytes'
import type { SbomComponent } from '../components/index.ts'
import { hasReleases, orderOf } from '../components/index.ts'
import type { Affected } from '../records/index.ts'
import { versionKey } from '../versions/index.ts'

export interface Bounds {
  readonly lowest: Uint8Array
  /** `undefined` where there is no highest. */
  readonly highest: Uint8Array | undefined
}

/**
 * A component outside these is not affected, whatever else it is; all of `affected` is about one
 * subject. `undefined` where every version must be judged.
 */
export function boundsOf(affected: readonly Affected[]): Bounds | undefined {
  let lowest: Uint8Array | undefined
  let highest: Uint8Array | undefined = new Uint8Array()
  for (const one of affected) {
    const keys = keysOf(one)
    if (keys === undefined) return undefined
    for (const { from, to } of keys) {
      if (lowest === undefined || compareBytes(from, lowest) < 0) lowest = from
      if (to === undefined) highest = undefined
      else if (highest !== undefined && compareBytes(to, highest) > 0) highest = to
    }
  }
  return lowest === undefined ? undefined : { lowest, highest }
}

/** The key by which bounds are compared; `undefined` where every record must be judged. */
export function placeOf({ ecosystem, release, subject }: SbomComponent): Uint8Array | undefined {
  const order = orderOf(ecosystem)
  if (order === undefined || (hasReleases(ecosystem) && release === '')) return undefined
  return subject.version === '' ? undefined : versionKey(order, subject.version)
}

interface Span {
  readonly from: Uint8Array
  readonly to: Uint8Array | undefined
}

function keysOf({ ecosystem, release, versions, ranges }: Affected): Span[] | undefined {
  const order = orderOf(ecosystem)
  if (order === undefined || (hasReleases(ecosystem) && release === '')) return undefined
  const walks = ranges.filter(({ type }) => type !== 'GIT')
  if (walks.length === 0 && versions.size === 0) return undefined
  const spans: Span[] = []
  for (const version of versions) {
    const key = versionKey(order, version)
    if (key === undefined) return undefined
    spans.push({ from: key, to: key })
  }
  for (const { events } of walks) {
    const keyed: { kind: string; key: Uint8Array }[] = []
    for (const { kind, version } of events) {
      if (kind === 'limit' && version === '*') continue
      const isZero = kind === 'introduced' && version === '0'
      const key = isZero ? new Uint8Array() : versionKey(order, version)
      if (key === undefined) return undefined
      if (kind !== 'limit') keyed.push({ kind, key })
    }
    keyed.sort((a, b) => compareBytes(a.key, b.key))
    const [first, last] = [keyed.find(({ kind }) => kind === 'introduced'), keyed.at(-1)]
    if (first === undefined || last === undefined) return undefined
    spans.push({ from: first.key, to: last.kind === 'introduced' ? undefined : last.key })
  }
  return spans
}
