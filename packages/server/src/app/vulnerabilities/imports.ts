/** Records of vulnerabilities that people import, and what follows for components. */
import { createHash } from 'node:crypto'
import type { ImportReply } from '@seaworthy/api/vulnerabilities'
import { boundsOf, recordEcosystemOf, subjectKey } from '@seaworthy/response/matching'
import type { Affected, VulnerabilityRecord } from '@seaworthy/response/records'
import { isInstant, readRecord } from '@seaworthy/response/records'
import { hexEncode, utf8Encode } from '@seaworthy/std/bytes'
import { lockComparison } from '../../db/components.ts'
import { noteImports } from '../../db/record-imports.ts'
import type { NewSubject, NewVulnerability, SetAsideRecord } from '../../db/vulnerabilities.ts'
import {
  deleteOtherFindings,
  findComponentCandidates,
  findVersions,
  writeFindings,
  writeSetAside,
  writeVulnerabilities,
} from '../../db/vulnerabilities.ts'
import { endOutdatedVexStatements, listVexStatementsNamed } from '../../db/vex.ts'
import type { Actor, Current } from '../access/index.ts'
import { requireUnscoped } from '../access/index.ts'
import type { WriteTx } from '../app.ts'
import { formatAffected, judge } from './comparing.ts'

/** What of a record is kept, at most. */
const limits = {
  nameMax: 200,
  summaryMax: 500,
  namesMax: 1000,
  subjectsMax: 2000,
  faultsMax: 20,
  ecosystemMax: 100,
}

interface ReadVulnerability extends NewVulnerability {
  readonly about: ReadonlyMap<string, readonly Affected[]>
}

export interface ReadBatch {
  readonly records: readonly ReadVulnerability[]
  /** Each with its place among the documents. */
  readonly setAside: readonly (SetAsideRecord & { readonly index: number })[]
}

/**
 * Reads records, each as JSON text. The newer one of two with one id counts. Throws
 * `out_of_scope`.
 */
export function readBatch(actor: Actor, documents: readonly string[]): ReadBatch {
  requireUnscoped(actor, 'records of vulnerabilities concern')
  const records = new Map<string, ReadVulnerability>()
  const setAside: (SetAsideRecord & { index: number })[] = []
  for (const [index, document] of documents.entries()) {
    const sha256 = createHash('sha256').update(document).digest('hex')
    const record = readRecord(utf8Encode(document))
    const why = 'why' in record ? record.why : whyUnusable(record)
    if ('why' in record || why !== undefined) {
      const label = 'why' in record ? document.slice(0, 80) : record.id.slice(0, limits.nameMax)
      setAside.push({ index, sha256, label: label.replaceAll('\0', ' '), why: why! })
      continue
    }
    const read = takeRecord(record, document, sha256)
    const other = records.get(read.name)
    if (other === undefined || isNewer(read, other)) records.set(read.name, read)
  }
  return { records: [...records.values()], setAside }
}

/** Why a record that can be read is not used. */
function whyUnusable(record: VulnerabilityRecord): string | undefined {
  const { id, aliases, upstream, affected } = record
  if (id.length > limits.nameMax) return 'its id is too long'
  if (aliases.length + upstream.length > limits.namesMax) return 'it has too many aliases'
  if (affected.length > limits.subjectsMax) return 'it is about too many packages'
  const { faults: _, ...rest } = record
  const texts = JSON.stringify({ ...rest, affected: [] }) + formatAffected(affected)
  if (texts.includes(String.raw`\u0000`)) return 'it holds a NUL character'
  if (affected.some(({ ecosystem, name }) => ecosystem.length + name.length > 500)) {
    return 'the name of a package is too long'
  }
  return undefined
}

/** The same one of two records with the same time always counts, in whichever order they come. */
function isNewer(
  a: Pick<NewVulnerability, 'modifiedAt' | 'sha256'>,
  b: Pick<NewVulnerability, 'modifiedAt' | 'sha256'>,
): boolean {
  const apart = a.modifiedAt.getTime() - b.modifiedAt.getTime()
  return apart > 0 || (apart === 0 && a.sha256 > b.sha256)
}

function takeRecord(
  record: VulnerabilityRecord,
  document: string,
  sha256: string,
): ReadVulnerability {
  const about = Map.groupBy(record.affected, subjectKey)
  const names = new Map<string, 'own' | 'alias' | 'upstream'>()
  for (const name of record.upstream) names.set(name, 'upstream')
  for (const name of record.aliases) names.set(name, 'alias')
  names.set(record.id, 'own')
  const { withdrawn } = record
  return {
    name: record.id,
    modifiedAt: new Date(record.modified),
    withdrawnAt: withdrawn === undefined ? null : withdrawnAt(withdrawn, record.modified),
    summary: record.summary.slice(0, limits.summaryMax),
    faults: record.faults.slice(0, limits.faultsMax).map((fault) => fault.slice(0, 500)),
    ...{ sha256, document, about },
    names: [...names]
      .filter(([name]) => name !== '' && name.length <= limits.nameMax)
      .map(([name, kind]) => ({ name, kind })),
    subjects: [...about].map(([key, affected]) => takeSubject(key, affected)),
  }
}

/** A withdrawal counts even if its time cannot be read. */
function withdrawnAt(said: string, modified: string): Date {
  return new Date(isInstant(said) ? said : modified)
}

function takeSubject(key: string, affected: readonly Affected[]): NewSubject {
  const bounds = boundsOf(affected)
  return {
    key,
    affected: formatAffected(affected),
    lowest: bounds === undefined ? null : hexEncode(bounds.lowest),
    highest: bounds?.highest === undefined ? null : hexEncode(bounds.highest),
  }
}

/**
 * Stores the records that are newer than what is there, and compares them with all components.
 * Importing the same again changes nothing. Throws `out_of_scope`.
 */
export async function importRecords(
  tx: WriteTx,
  actor: Current,
  { records, setAside }: ReadBatch,
): Promise<ImportReply> {
  requireUnscoped(actor, 'records of vulnerabilities concern')
  await lockComparison(tx)
  const now = await tx.now()
  const known = await findVersions(
    tx,
    records.map(({ name }) => name),
  )
  const counts = { added: 0, changed: 0, unchanged: 0, older: 0, withdrawn: 0 }
  const newer = records.filter((record) => {
    const before = known.get(record.name)
    if (before === undefined) counts.added++
    else if (before.sha256 === record.sha256) counts.unchanged++
    else if (isNewer(record, before)) counts.changed++
    else counts.older++
    const isTaken = before === undefined || isNewer(record, before)
    if (isTaken && record.withdrawnAt !== null) counts.withdrawn++
    return isTaken
  })
  await noteImports(tx, newestOf(records), now)
  const setAsideNew = await writeSetAside(tx, setAside, now)
  const nothing = { findings: 0, statementsReopened: 0 }
  const stored = newer.length === 0 ? nothing : await store(tx, newer, now)
  return {
    ...counts,
    ...stored,
    setAsideNew,
    setAside: setAside.map(({ index, label, why }) => ({ index, label, why })),
    partlyUsed: records
      .filter(({ faults }) => faults.length > 0)
      .map(({ name, faults }) => ({ name, why: faults.join('; ') })),
  }
}

/** When the newest record of each ecosystem was changed by its source. */
function newestOf(records: readonly ReadVulnerability[]): Map<string, Date> {
  const newest = new Map<string, Date>()
  for (const { modifiedAt, about } of records) {
    for (const ecosystem of new Set([...about.values()].flat().map(recordEcosystemOf))) {
      const before = newest.get(ecosystem)
      const isNoted = ecosystem.length <= limits.ecosystemMax
      if (isNoted && (before === undefined || before < modifiedAt))
        newest.set(ecosystem, modifiedAt)
    }
  }
  return newest
}

async function store(
  tx: WriteTx,
  records: readonly ReadVulnerability[],
  now: Date,
): Promise<{ findings: number; statementsReopened: number }> {
  const statements = await listVexStatementsNamed(
    tx,
    records.flatMap(({ names }) => names.map(({ name }) => name)),
  )
  const ids = await writeVulnerabilities(tx, records, now)
  const about = new Map(
    records
      .filter(({ withdrawnAt: at }) => at === null)
      .map((record) => [ids.get(record.name)!, record.about]),
  )
  const { candidates, components } = await findComponentCandidates(tx, [...about.keys()])
  const found = candidates.flatMap((candidate) => {
    const row = components.get(candidate.component)!
    const key = subjectKey({ ecosystem: row.ecosystem, name: row.subjectName })
    return judge(candidate, row, about.get(candidate.vulnerability)?.get(key) ?? [])
  })
  await writeFindings(tx, found, now)
  await deleteOtherFindings(tx, [...ids.values()], found)
  const statementsReopened = await endOutdatedVexStatements(tx, statements, now)
  return { findings: found.length, statementsReopened }
}
