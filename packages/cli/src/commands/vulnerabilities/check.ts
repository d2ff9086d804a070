/**
 * `seaworthy vulnerability check`: the components of a release, or of a bill of materials in a
 * file, against records in files.
 */
import type { SbomComponent } from '@seaworthy/response/components'
import { readSbom } from '@seaworthy/response/components'
import type { ComponentVerdict } from '@seaworthy/response/matching'
import { judgeComponent, subjectKey } from '@seaworthy/response/matching'
import type { VulnerabilityRecord } from '@seaworthy/response/records'
import { readRecord } from '@seaworthy/response/records'
import type { SeverityRating } from '@seaworthy/response/severity'
import { rateVectors, severityRatings } from '@seaworthy/response/severity'
import { Refusal } from '@seaworthy/std/refusal'
import type { Context } from '../../context.ts'
import { exitCodes } from '../../exit-codes.ts'
import { CliError, ExitCodeError } from '../../failure.ts'
import { formatCount } from '../../output/format.ts'
import { withConnection } from '../../connection.ts'
import { readBounded } from '../../state/files.ts'
import { fetchSbom } from '../releases/sbom.ts'
import type { SetAside } from './record-files.ts'
import { listRecords, recordBytesMax } from './record-files.ts'
import type { Threats } from './threats.ts'
import { readThreats, threatOf } from './threats.ts'
import { describeVerdict } from './view.ts'

/** The severities from which on a finding can make the command fail. */
export const failLevels = ['low', 'medium', 'high', 'critical'] as const

export interface CheckOptions {
  records: string[]
  failOn?: (typeof failLevels)[number]
  /** A catalogue of known exploited vulnerabilities. */
  kev?: string
  /** A table of scores of EPSS. */
  epss?: string
  platform?: string
  channel?: string
}

interface Finding {
  readonly record: VulnerabilityRecord
  readonly component: SbomComponent
  readonly verdict: ComponentVerdict
  /** `undefined` where the record has no score that can be read. */
  readonly severity: SeverityRating | undefined
  /** The day on which its flaw was listed as exploited; `undefined` where it is not. */
  readonly exploitedSince: string | undefined
  /** The probability that its flaw is exploited within 30 days; `undefined` where none is said. */
  readonly epss: number | undefined
}

interface Checked {
  readonly title: string
  readonly view: Readonly<Record<string, string>>
  readonly sbom: Uint8Array
}

const sbomBytesMax = 64 * 1024 * 1024

/** Compares a release or, where no version is named, the bill of materials in a file. */
export async function checkNamed(
  context: Context,
  named: string,
  version: string | undefined,
  options: CheckOptions,
): Promise<void> {
  if (version === undefined) await checkFile(context, named, options)
  else await checkRelease(context, named, version, options)
}

async function checkFile(context: Context, file: string, options: CheckOptions): Promise<void> {
  if (options.platform !== undefined || options.channel !== undefined) {
    throw new CliError('usage', '--platform and --channel choose a release of the server', {
      wayOut: `Leave them out, or name a product and a version instead of the file ${file}.`,
    })
  }
  const sbom = await readBounded(file, sbomBytesMax)
  await check(context, { title: file, view: { file }, sbom }, options)
}

async function checkRelease(
  context: Context,
  product: string,
  version: string,
  options: CheckOptions,
): Promise<void> {
  const { platform, channel } = options
  const { platform: named, bytes } = await withConnection(context, (connection) =>
    fetchSbom(context, connection, {
      ...{ product, version, format: 'cyclonedx' },
      ...(platform === undefined ? {} : { platform }),
      ...(channel === undefined ? {} : { channel }),
    }),
  )
  const view = { product, version, platform: named }
  await check(context, { title: `${product} ${version} for ${named}`, view, sbom: bytes }, options)
}

async function check(
  context: Context,
  { title, view, sbom }: Checked,
  { records, failOn, kev, epss }: CheckOptions,
): Promise<void> {
  const files = await listRecords(records)
  const threats = await readThreats({ kev, epss })
  const { components, others, isIncomplete } = readComponents(title, sbom)
  const { findings, setAside: unused } = await matchAll(context, components, files, threats)
  const setAside = [...threats.setAside, ...unused]
  const shown = findings
    .filter(({ verdict: { verdict } }) => ['affected', 'unknown'].includes(verdict))
    .toSorted(byThreat)
  const failing = failOn === undefined ? [] : shown.filter((one) => isFailing(one, failOn))
  const told = {
    ...{ ...view, components: components.length, records: files.length, isIncomplete },
    ...{ findings: shown.map(viewFinding), setAside },
    ...(failOn === undefined ? {} : { failOn, failing: failing.length }),
  }
  context.show(told, () => [
    ...context.table<Finding>(
      [
        { title: 'record', text: ({ record }) => record.id },
        { title: 'also', text: ({ record }) => record.aliases[0] ?? '', isDroppable: true },
        { title: 'component', text: ({ component: one }) => `${one.name} ${one.version}` },
        { title: 'severity', text: ({ severity }) => severity ?? 'not rated' },
        ...(kev === undefined
          ? []
          : [{ title: 'exploited', text: (one: Finding) => one.exploitedSince ?? 'not known' }]),
        ...(epss === undefined ? [] : [{ title: 'EPSS', text: describeEpss }]),
        { title: 'verdict', text: ({ verdict }) => describeVerdict(verdict) },
        { title: 'what', text: ({ record }) => record.summary, isShrinkable: true },
      ],
      shown,
      `No record speaks of a component of ${title} as it is.`,
    ),
    `${formatCount(components.length, 'component')} compared with ${formatCount(files.length, 'record')}.`,
    ...(isIncomplete
      ? ['Its bill of materials says that it is incomplete: there may be more components.']
      : []),
    ...(others.length === 0
      ? []
      : [`No record can be about ${formatCount(others.length, 'component')} of another kind.`]),
    ...describeSetAside(setAside),
    ...(failing.length === 0
      ? []
      : [
          `${formatCount(failing.length, 'finding')} of severity ${failOn!} or worse, or not rated.`,
        ]),
  ])
  if (failing.length > 0) throw new ExitCodeError(exitCodes.refused)
}

function readComponents(title: string, sbom: Uint8Array): ReturnType<typeof readSbom> {
  try {
    return readSbom(sbom)
  } catch (cause) {
    if (!(cause instanceof Refusal)) throw cause
    throw new CliError('refused', `${title}: ${cause.message}`, {
      wayOut: 'Give CycloneDX 1.2 to 1.7, or SPDX 2.2 or 2.3, as JSON.',
      cause,
    })
  }
}

/** What is not rated, or cannot be told, may be the worst. */
function isFailing({ severity }: Finding, failOn: SeverityRating): boolean {
  return (
    severity === undefined || severityRatings.indexOf(severity) >= severityRatings.indexOf(failOn)
  )
}

function describeEpss({ epss }: Finding): string {
  return epss === undefined ? '' : `${(100 * epss).toFixed(1)} %`
}

/** What is exploited comes first, then what probably will be; the rest stays in its order. */
function byThreat(a: Finding, b: Finding): number {
  const exploited = Number(b.exploitedSince !== undefined) - Number(a.exploitedSince !== undefined)
  return exploited === 0 ? (b.epss ?? 0) - (a.epss ?? 0) : exploited
}

function viewFinding({ record, component, verdict, ...rated }: Finding) {
  const { severity, exploitedSince, epss } = rated
  const { id, aliases, summary } = record
  const { purl, name, version } = component
  return {
    ...{ id, aliases, summary, severity: severity ?? null },
    ...{ exploitedSince: exploitedSince ?? null, epss: epss ?? null },
    component: { purl, name, version },
    ...verdict,
  }
}

const setAsideShownMax = 5

/** What could not be used may hold what matters: it is counted, and named. */
export function describeSetAside(setAside: readonly SetAside[]): string[] {
  if (setAside.length === 0) return []
  const left = setAside.length - setAsideShownMax
  return [
    `Set aside, in whole or in part: ${formatCount(setAside.length, 'record')}:`,
    ...setAside.slice(0, setAsideShownMax).map(({ file, why }) => `  ${file}: ${why}`),
    ...(left > 0 ? [`  … and ${left} more (all of them with --json)`] : []),
  ]
}

async function matchAll(
  context: Context,
  components: readonly SbomComponent[],
  files: readonly string[],
  threats: Threats,
): Promise<{ findings: Finding[]; setAside: SetAside[] }> {
  const bySubject = new Map<string, SbomComponent[]>()
  for (const component of components) {
    const { ecosystem, subject } = component
    const key = subjectKey({ ecosystem, name: subject.name })
    const same = bySubject.get(key)
    if (same === undefined) bySubject.set(key, [component])
    else same.push(component)
  }
  const findings: Finding[] = []
  const setAside: SetAside[] = []
  const progress = context.progress('match')
  let doneBytes = 0
  for (const file of files) {
    context.ports.signal.throwIfAborted()
    const bytes = await readBounded(file, recordBytesMax)
    progress.update((doneBytes += bytes.length))
    const record = readRecord(bytes)
    if ('why' in record) {
      setAside.push({ file, why: record.why })
      continue
    }
    if (record.faults.length > 0) setAside.push({ file, why: record.faults.join('; ') })
    const about = new Set(record.affected.flatMap((one) => bySubject.get(subjectKey(one)) ?? []))
    const severity = rateVectors(record.vectors)
    const threat = threatOf(record, threats)
    for (const component of about) {
      const verdict = judgeComponent(component, record)
      if (verdict !== undefined) findings.push({ record, component, verdict, severity, ...threat })
    }
  }
  progress.finish()
  return { findings, setAside }
}
