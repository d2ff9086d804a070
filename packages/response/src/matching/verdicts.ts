/**
 * Whether a component has a vulnerability, by what a record says of its package. What cannot be
 * decided is `unknown` with its reason, and never counted as clean.
 */
import { compareBytes } from '@seaworthy/std/bytes'
import type { SbomComponent } from '../components/index.ts'
import { hasReleases, orderOf } from '../components/index.ts'
import type { Affected, Range, VulnerabilityRecord } from '../records/index.ts'
import type { VersionOrder } from '../versions/index.ts'
import { versionKey } from '../versions/index.ts'

export type UnknownReason =
  | 'component_without_version'
  | 'component_without_release'
  | 'record_without_release'
  | 'order_unknown'
  | 'version_unreadable'
  | 'range_unreadable'
  | 'git_only'

export type ComponentVerdict =
  | {
      readonly verdict: 'affected'
      /** The first version without it, where the record says one. */
      readonly fixed: string | undefined
      /** `low` where the version is one that only a commit has, and no release. */
      readonly confidence: 'full' | 'low'
    }
  | { readonly verdict: 'fixed' }
  | { readonly verdict: 'not_affected' }
  | { readonly verdict: 'unknown'; readonly reason: UnknownReason }

/** The verdict, or `undefined` where the record says nothing about the component. */
export function judgeComponent(
  component: SbomComponent,
  record: Pick<VulnerabilityRecord, 'withdrawn' | 'affected'>,
): ComponentVerdict | undefined {
  if (record.withdrawn !== undefined) return undefined
  const about = record.affected.filter((one) => isAbout(one, component))
  const verdicts = about.map((one) => judgeOne(component, one))
  const order: readonly ComponentVerdict['verdict'][] = [
    'affected',
    'unknown',
    'fixed',
    'not_affected',
  ]
  return verdicts.toSorted((a, b) => order.indexOf(a.verdict) - order.indexOf(b.verdict))[0]
}

/** The key under which records are looked up for a component. */
export function subjectKey({ ecosystem, name }: Pick<Affected, 'ecosystem' | 'name'>): string {
  return `${ecosystem} ${ecosystem === 'PyPI' ? normalPythonName(name) : name}`
}

/** Names an ecosystem as records do, with the release of a distribution: `npm`, `Debian:12`. */
export function ecosystemOf({
  ecosystem,
  release,
}: Pick<SbomComponent, 'ecosystem' | 'release'>): string {
  return release === '' ? ecosystem : `${ecosystem}:${release}`
}

/** The ecosystem that a record speaks of, as `ecosystemOf` names that of a component. */
export function recordEcosystemOf({
  ecosystem,
  release,
}: Pick<Affected, 'ecosystem' | 'release'>): string {
  if (!hasReleases(ecosystem)) return ecosystem
  return ecosystemOf({ ecosystem, release: releaseName(ecosystem, release) })
}

/** Whether it is about the package, in the same release or in any release. */
function isAbout(affected: Affected, component: SbomComponent): boolean {
  const { ecosystem, release } = affected
  const { name } = component.subject
  if (subjectKey(affected) !== subjectKey({ ecosystem: component.ecosystem, name })) return false
  if (release === '' || component.release === '') return true
  return releaseName(ecosystem, release) === component.release
}

function normalPythonName(name: string): string {
  return name.toLowerCase().replaceAll(/[-_.]+/g, '-')
}

/** `22.04:LTS` and `Pro:22.04:LTS` are both about 22.04, in different archives: the first alone. */
function releaseName(ecosystem: string, release: string): string {
  return ecosystem === 'Ubuntu' ? release.replace(/:LTS$/, '') : release
}

const unknown = (reason: UnknownReason): ComponentVerdict => ({ verdict: 'unknown', reason })

function judgeOne(component: SbomComponent, affected: Affected): ComponentVerdict {
  const { ecosystem, subject, release } = component
  const { version } = subject
  if (version === '') return unknown('component_without_version')
  if (hasReleases(ecosystem)) {
    if (release === '') return unknown('component_without_release')
    if (affected.release === '') return unknown('record_without_release')
  }
  const confidence = isPseudoVersion(component) ? 'low' : 'full'
  const walks = affected.ranges.filter(({ type }) => type !== 'GIT')
  const order = orderOf(ecosystem)
  const walked = walks.map((range) => walk(range, version, order))
  const inRange = walked.find(({ verdict }) => verdict === 'affected')
  if (inRange?.verdict === 'affected') return { ...inRange, confidence }
  if (affected.versions.has(version)) {
    return { verdict: 'affected', fixed: undefined, confidence }
  }
  if (walks.length === 0) {
    if (affected.ranges.length > 0 && affected.versions.size === 0) return unknown('git_only')
    return { verdict: 'not_affected' }
  }
  return (
    walked.find(({ verdict }) => verdict === 'unknown') ??
    walked.find(({ verdict }) => verdict === 'fixed') ?? { verdict: 'not_affected' }
  )
}

/** Go gives one to a commit without a tag; it says when the commit was made, not what is in it. */
function isPseudoVersion({ ecosystem, version }: SbomComponent): boolean {
  return ecosystem === 'Go' && /[.-]\d{14}-[0-9a-f]{12}(?:\+.*)?$/.test(version)
}

/** The evaluation of the OSV schema, by keys. */
function walk(
  { events }: Range,
  version: string,
  order: VersionOrder | undefined,
): ComponentVerdict {
  if (order === undefined) return unknown('order_unknown')
  const own = versionKey(order, version)
  if (own === undefined) return unknown('version_unreadable')
  const keyed = events.map((event) => ({
    ...event,
    // Zero is before every version.
    key:
      event.version === '0' && event.kind === 'introduced'
        ? new Uint8Array()
        : event.version === '*' && event.kind === 'limit'
          ? null
          : versionKey(order, event.version),
  }))
  if (keyed.some(({ key }) => key === undefined)) return unknown('range_unreadable')
  const limits = keyed.filter(({ kind }) => kind === 'limit')
  const isBelow = (key: Uint8Array | null | undefined) =>
    key === null || compareBytes(own, key!) < 0
  if (limits.length > 0 && !limits.some(({ key }) => isBelow(key))) {
    return { verdict: 'not_affected' }
  }
  const sorted = keyed
    .filter(({ kind }) => kind !== 'limit')
    .toSorted((a, b) => compareBytes(a.key!, b.key!))
  let isAffected = false
  let wasFixed = false
  for (const { kind, key } of sorted) {
    const place = compareBytes(own, key!)
    if (kind === 'introduced' && place >= 0) isAffected = true
    else if (kind === 'fixed' && place >= 0) [isAffected, wasFixed] = [false, true]
    else if (kind === 'last_affected' && place > 0) [isAffected, wasFixed] = [false, true]
  }
  if (!isAffected) return { verdict: wasFixed ? 'fixed' : 'not_affected' }
  const next = sorted.find(({ kind, key }) => kind === 'fixed' && compareBytes(own, key!) < 0)
  return { verdict: 'affected', fixed: next?.version, confidence: 'full' }
}
