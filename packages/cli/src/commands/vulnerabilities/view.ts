/** Vulnerabilities as text. */
import { ProblemError } from '@seaworthy/api/problems'
import type {
  ExposuresView,
  FoundView,
  RecordImportView,
  SbomStateView,
} from '@seaworthy/api/vulnerabilities'
import type { ComponentVerdict } from '@seaworthy/response/matching'
import { dayMs } from '@seaworthy/std/time'
import type { Context } from '../../context.ts'
import { formatAgo, formatCount, harmless } from '../../output/format.ts'

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

function describeFoundVerdict(found: FoundView): string {
  const { statement } = found
  const verdict = describeOwnVerdict(found)
  if (statement === null) return verdict
  const { status, justification, author, reviewer } = statement
  const why = justification === null ? '' : ` (${words(justification)})`
  return `${words(status)}${why}, as ${harmless(author ?? reviewer)} states; the record says ${verdict}`
}

const words = (code: string) => code.replaceAll('_', ' ')

function describeOwnVerdict({ verdict, fixed, confidence, reason }: FoundView): string {
  if (verdict === 'unknown') return `unknown: ${reason?.replaceAll('_', ' ') ?? 'no reason'}`
  const affected = { verdict, fixed: fixed ?? undefined, confidence: confidence ?? 'full' }
  return describeVerdict(affected)
}

/** One line for each component of a release that a finding is about. */
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
  not_compared: 'their release is not compared with the records yet',
  no_records: 'no records were imported about what their release is made of',
  sbom_unusable: 'the bill of materials of their release cannot be used',
}

interface Known {
  readonly found: readonly FoundView[]
  readonly foundCount: number
  /** One for each platform of a release; empty where the server has not read it yet. */
  readonly sboms?: readonly SbomStateView[]
  /** The one line about the release that a device runs. */
  readonly sbom?: SbomStateView | null
}

/** What was found, by what counts, and what cannot be told; nothing for whoever may not see it. */
export function countFound(
  known: Known | undefined,
  now: Date,
): {
  vulnerabilities?: {
    affected: string[]
    unknown: string[]
    cleared: string[]
    untold: string[]
    remarks: string[]
  }
} {
  if (known === undefined) return {}
  const named = (wanted: FoundView['outcome']) => [
    ...new Set(
      known.found
        .filter(({ outcome }) => outcome === wanted)
        .map(({ vulnerability }) => vulnerability),
    ),
  ]
  const sboms = known.sboms ?? (known.sbom ? [known.sbom] : [])
  const untold = sboms.flatMap(describeUncompared)
  if (sboms.length === 0) {
    untold.push(
      known.sboms === undefined
        ? 'nothing is known of what it runs'
        : 'the server has not read it yet',
    )
  }
  return {
    vulnerabilities: {
      ...{ affected: named('affected'), unknown: named('unknown'), cleared: named('cleared') },
      untold: [...new Set(untold)],
      remarks: [...new Set(sboms.flatMap((sbom) => describeLimits(sbom, now)))],
    },
  }
}

/** Why finding nothing would not mean that there is nothing. */
function describeUncompared(sbom: SbomStateView): string[] {
  switch (sbom.state) {
    case 'missing':
      return ['it has no bill of materials']
    case 'unusable':
      return [`its bill of materials cannot be used: ${sbom.why ?? 'no reason'}`]
    case 'not_compared':
      return [
        `${formatCount(sbom.uncomparedCount, 'component')} of ${sbom.componentsCount} not compared yet`,
      ]
    case 'compared': {
      const bare = sbom.records.filter(({ importedAt }) => importedAt === null)
      const names = bare.map(({ ecosystem }) => ecosystem).join(', ')
      return bare.length === 0 ? [] : [`no records about packages of ${names} were imported`]
    }
  }
}

/** Records that nobody has renewed for longer are likely to lack what is known by now. */
const recordsFreshMs = 7 * dayMs

/** What the records that there are do not speak of. */
function describeLimits(
  { isIncomplete, othersCount, records }: SbomStateView,
  now: Date,
): string[] {
  const old = records.flatMap(({ ecosystem, importedAt }) =>
    importedAt !== null && now.getTime() - Date.parse(importedAt) > recordsFreshMs
      ? [`records about ${ecosystem} were last imported ${formatAgo(importedAt, now)}`]
      : [],
  )
  return [
    ...old,
    ...(isIncomplete ? ['its bill of materials says that it is incomplete'] : []),
    ...(othersCount === 0
      ? []
      : [`no record can be about ${formatCount(othersCount, 'component')} of another kind`]),
  ]
}

const namedMax = 5

/** The line that a release or device has about vulnerabilities. */
export function describeCounts(known: Known | undefined, now: Date): string[] {
  const { vulnerabilities } = countFound(known, now)
  if (vulnerabilities === undefined) return []
  const { affected, unknown, cleared, untold, remarks } = vulnerabilities
  const names = affected.slice(0, namedMax).join(', ')
  const more = affected.length > namedMax ? ', …' : ''
  const nothing = untold.length === 0 ? 'none known' : 'cannot be told'
  const counted = affected.length === 0 ? nothing : `${affected.length} (${names}${more})`
  return [
    `vulnerabilities: ${[`${counted}${unknown.length === 0 ? '' : `, ${unknown.length} unknown`}${cleared.length === 0 ? '' : `, ${cleared.length} cleared by statements`}`, ...untold, ...remarks].join('; ')}`,
  ]
}

/** What the server has not looked at yet. */
export function describePending({
  releasesCount,
  componentsCount,
}: ExposuresView['pending']): string[] {
  if (releasesCount + componentsCount === 0) return []
  return [
    `Not looked at yet: ${formatCount(releasesCount, 'release')}, ${formatCount(componentsCount, 'component')}.`,
  ]
}

/** What came after the newest record, or is of another ecosystem, is not known. */
export function describeRecords(records: readonly RecordImportView[], now: Date): string[] {
  if (records.length === 0) {
    return [
      'No records were ever imported: nothing is known until `seaworthy vulnerability import`.',
    ]
  }
  const ago = (at: string | null) => (at === null ? 'never' : formatAgo(at, now))
  const shown = records
    .slice(0, recordsShownMax)
    .map((one) => `${one.ecosystem} ${ago(one.importedAt)} (newest ${ago(one.newestAt)})`)
  const left = records.length - shown.length
  return [`Records imported: ${shown.join(', ')}${left === 0 ? '' : `, and ${left} more`}.`]
}

const recordsShownMax = 12

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
