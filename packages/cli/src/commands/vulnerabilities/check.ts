/** `seaworthy vulnerability check`: the components of a release against records in files. */
import type { SbomComponent } from '@seaworthy/response/components'
import { readCycloneDx } from '@seaworthy/response/components'
import type { ComponentVerdict } from '@seaworthy/response/matching'
import { judgeComponent, subjectKey } from '@seaworthy/response/matching'
import type { VulnerabilityRecord } from '@seaworthy/response/records'
import { readRecord } from '@seaworthy/response/records'
import type { Context } from '../../context.ts'
import { formatCount } from '../../output/format.ts'
import { withConnection } from '../../connection.ts'
import { readBounded } from '../../state/files.ts'
import { fetchSbom } from '../releases/sbom.ts'
import { listRecords, recordBytesMax } from './record-files.ts'
import { describeVerdict } from './view.ts'

export interface CheckOptions {
  records: string[]
  platform?: string
  channel?: string
}

interface Finding {
  readonly record: VulnerabilityRecord
  readonly component: SbomComponent
  readonly verdict: ComponentVerdict
}

export async function checkRelease(
  context: Context,
  product: string,
  version: string,
  { records: paths, ...options }: CheckOptions,
): Promise<void> {
  const files = await listRecords(paths)
  const { platform, bytes } = await withConnection(context, (connection) =>
    fetchSbom(context, connection, { product, version, ...options, format: 'cyclonedx' }),
  )
  const { components, others, isIncomplete } = readCycloneDx(bytes)
  const { findings, setAside } = await matchAll(context, components, files)
  const shown = findings.filter(({ verdict: { verdict } }) =>
    ['affected', 'unknown'].includes(verdict),
  )
  const view = {
    ...{ product, version, platform, components: components.length, records: files.length },
    isIncomplete,
    findings: shown.map(viewFinding),
    setAside,
  }
  context.show(view, () => [
    ...context.table<Finding>(
      [
        { title: 'record', text: ({ record }) => record.id },
        { title: 'also', text: ({ record }) => record.aliases[0] ?? '', isDroppable: true },
        { title: 'component', text: ({ component: one }) => `${one.name} ${one.version}` },
        { title: 'verdict', text: ({ verdict }) => describeVerdict(verdict) },
        { title: 'what', text: ({ record }) => record.summary, isShrinkable: true },
      ],
      shown,
      `No record speaks of a component of ${product} ${version} for ${platform} as it is.`,
    ),
    `${formatCount(components.length, 'component')} compared with ${formatCount(files.length, 'record')}.`,
    ...(isIncomplete
      ? ['Its bill of materials says that it is incomplete: there may be more components.']
      : []),
    ...(others.length === 0
      ? []
      : [`No record can be about ${formatCount(others.length, 'component')} of another kind.`]),
    ...describeSetAside(setAside),
  ])
}

function viewFinding({ record, component, verdict }: Finding) {
  const { id, aliases, summary } = record
  const { purl, name, version } = component
  return { id, aliases, summary, component: { purl, name, version }, ...verdict }
}

export interface SetAside {
  readonly file: string
  readonly why: string
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
    for (const component of about) {
      const verdict = judgeComponent(component, record)
      if (verdict !== undefined) findings.push({ record, component, verdict })
    }
  }
  progress.finish()
  return { findings, setAside }
}
