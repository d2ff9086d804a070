/** Compares components with records; what decides is `response/matching`. */
import type { SbomComponent } from '@seaworthy/response/components'
import { judgeComponent } from '@seaworthy/response/matching'
import type { Affected } from '@seaworthy/response/records'
import type { ComponentRow } from '../../db/components.ts'
import type { Candidate, FindingRow } from '../../db/vulnerabilities.ts'

/** What is stored of one finding, or nothing where the record has no say or clears it. */
export function judge(
  candidate: Candidate,
  row: ComponentRow,
  affected: readonly Affected[],
): FindingRow[] {
  const component: SbomComponent = {
    ...{ purl: row.purl, name: row.name, version: row.version, ecosystem: row.ecosystem },
    release: row.release,
    subject: { name: row.subjectName, version: row.subjectVersion },
  }
  const said = judgeComponent(component, { withdrawn: undefined, affected })
  if (said?.verdict === 'affected') {
    const { fixed = null, confidence } = said
    return [{ ...candidate, verdict: 'affected', fixed, confidence, reason: null }]
  }
  if (said?.verdict !== 'unknown') return []
  const { reason } = said
  return [{ ...candidate, verdict: 'unknown', fixed: null, confidence: null, reason }]
}

/** The form that JSON can hold. */
export function formatAffected(affected: readonly Affected[]): string {
  return JSON.stringify(affected.map((one) => ({ ...one, versions: [...one.versions] })))
}

/** Reads what `formatAffected` made. */
export function parseAffected(stored: readonly unknown[]): Affected[] {
  return (stored as readonly (Omit<Affected, 'versions'> & { versions: string[] })[]).map(
    (one) => ({ ...one, versions: new Set(one.versions) }),
  )
}
