/** Vulnerabilities as text. */
import { ProblemError } from '@seaworthy/api/problems'
import type { FoundView, SbomStateView } from '@seaworthy/api/vulnerabilities'
import type { ComponentVerdict } from '@seaworthy/response/matching'
import type { Context } from '../../context.ts'
import { formatCount } from '../../output/format.ts'

export function describeVerdict(verdict: ComponentVerdict): string {
  switch (verdict.verdict) {
    case 'affected': {
      const how = verdict.confidence === 'low' ? 'perhaps affected' : 'affected'
      return verdict.fixed === undefined
        ? `${how}, no fix known`
        : `${how}, fixed in ${verdict.fixed}`
    }
    case 'unknown':
      return `unknown: ${verdict.reason.replaceAll('_', ' ')}`
    case 'fixed':
    case 'not_affected':
      return verdict.verdict.replaceAll('_', ' ')
  }
}

function describeFoundVerdict({ verdict, fixed, confidence, reason }: FoundView): string {
  if (verdict === 'unknown') return `unknown: ${reason?.replaceAll('_', ' ') ?? 'no reason'}`
  const affected = { verdict, fixed: fixed ?? undefined, confidence: confidence ?? 'full' }
  return describeVerdict(affected)
}

/** One line for each component of a release that has something. */
export function describeFound(
  context: Context,
  { found, foundCount }: { readonly found: readonly FoundView[]; readonly foundCount: number },
  whenEmpty: string,
): string[] {
  const left = foundCount - found.length
  return [
    ...context.table<FoundView>(
      [
        { title: 'release', text: ({ product, version }) => `${product} ${version}` },
        { title: 'platform', text: ({ platform }) => platform, isDroppable: true },
        { title: 'component', text: ({ component: one }) => `${one.name} ${one.version}` },
        { title: 'record', text: ({ vulnerability }) => vulnerability },
        { title: 'also', text: ({ aliases }) => aliases[0] ?? '', isDroppable: true },
        { title: 'verdict', text: describeFoundVerdict },
        { title: 'what', text: ({ summary }) => summary, isShrinkable: true, isDroppable: true },
      ],
      found,
      whenEmpty,
    ),
    ...(left > 0 ? [`… and ${formatCount(left, 'more', 'more')}.`] : []),
  ]
}

/** Devices of which nothing can be told, with the reasons. */
export function describeUntold(
  untold: readonly { readonly reason: string; readonly count: number }[],
): string[] {
  return untold.map(
    ({ reason, count }) =>
      `Nothing can be told of ${formatCount(count, 'device')}: ${untoldReasons[reason] ?? reason.replaceAll('_', ' ')}.`,
  )
}

const untoldReasons: Readonly<Record<string, string>> = {
  nothing_reported: 'they have not said what they run',
  release_unknown: 'they run what is no release of this server, or one that it has not read yet',
  platform_unknown: 'their release has nothing for their platform',
  sbom_missing: 'their release has no bill of materials',
  sbom_unusable: 'the bill of materials of their release cannot be used',
}

interface Known {
  readonly found: readonly FoundView[]
  readonly foundCount: number
  /** One for each platform of a release; empty where the server has not read it yet. */
  readonly sboms?: readonly SbomStateView[]
  /** The one of the release that a device runs. */
  readonly sbom?: SbomStateView | null
}

/** What was found, by its verdict; nothing for whoever may not see it. */
export function countFound(known: Known | undefined): {
  vulnerabilities?: { affected: string[]; unknown: string[] }
} {
  if (known === undefined) return {}
  const named = (wanted: FoundView['verdict']) => [
    ...new Set(
      known.found
        .filter(({ verdict }) => verdict === wanted)
        .map(({ vulnerability }) => vulnerability),
    ),
  ]
  return { vulnerabilities: { affected: named('affected'), unknown: named('unknown') } }
}

const namedMax = 5

/** The line that a release or device has about vulnerabilities. */
export function describeCounts(known: Known | undefined): string[] {
  const { vulnerabilities } = countFound(known)
  if (known === undefined || vulnerabilities === undefined) return []
  const { affected, unknown } = vulnerabilities
  const unread = (known.sboms ?? [known.sbom ?? undefined]).flatMap((sbom) =>
    sbom === undefined ? ['nothing is known of what it is made of'] : (sbom.why ?? []),
  )
  if (known.sboms?.length === 0) unread.push('the server has not read it yet')
  const names = affected.slice(0, namedMax).join(', ')
  const more = affected.length > namedMax ? ', …' : ''
  return [
    `vulnerabilities: ${affected.length === 0 ? 'none known' : `${affected.length} (${names}${more})`}${unknown.length === 0 ? '' : `, ${unknown.length} unknown`}${unread.length === 0 ? '' : `; ${unread.join('; ')}`}`,
  ]
}

/** `undefined` where this login may not see vulnerabilities, or the server is an older one. */
export async function orDenied<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked
  } catch (error) {
    const isOther = !(error instanceof ProblemError) || ![403, 404].includes(error.problem.status)
    if (isOther) throw error
    return undefined
  }
}
