/**
 * Stores the components of bills of materials, and compares those that are new with the records
 * that there are.
 */
import { createHash } from 'node:crypto'
import type { ReadSbom, SbomComponent, SbomRefusal } from '@seaworthy/response/components'
import { readCycloneDx } from '@seaworthy/response/components'
import { ecosystemOf, placeOf, subjectKey } from '@seaworthy/response/matching'
import { hexEncode } from '@seaworthy/std/bytes'
import { Refusal } from '@seaworthy/std/refusal'
import type { NewComponent, SbomRow } from '../../db/components.ts'
import { insertSbom, listNewComponents, lockComparison, markCompared } from '../../db/components.ts'
import { findRecordCandidates, writeFindings } from '../../db/vulnerabilities.ts'
import type { App } from '../app.ts'
import { judge, parseAffected } from './comparing.ts'

const limits = {
  componentsMax: 50_000,
  /**
   * A real tree has a few versions of one package; each is compared with every record of the
   * package.
   */
  versionsOfOneMax: 100,
  /** Each release of a distribution is an ecosystem of its own. */
  ecosystemsMax: 100,
  textMax: 500,
} as const
const componentsPage = 200

/** The reason that is stored for a release without any bill of materials. */
export const absent = 'the release has none'

/** Stores a bill of materials, or why there is none. */
export async function storeSbom(
  { db }: Pick<App, 'db'>,
  release: Pick<SbomRow, 'product' | 'version' | 'platform' | 'sha256'>,
  sbom: ReadSbom | string,
): Promise<void> {
  const row: SbomRow = {
    ...release,
    ...(typeof sbom === 'string'
      ? { state: sbom === absent ? ('missing' as const) : ('unusable' as const), why: sbom }
      : { state: 'read' as const, why: null }),
    componentsCount: typeof sbom === 'string' ? 0 : sbom.components.length,
    othersCount: typeof sbom === 'string' ? 0 : sbom.others.length,
    isIncomplete: typeof sbom !== 'string' && sbom.isIncomplete,
    ecosystems: typeof sbom === 'string' ? [] : ecosystemsOf(sbom),
  }
  const components = typeof sbom === 'string' ? [] : sbom.components.map(takeComponent)
  await db.write(async (tx) => insertSbom(tx, row, components, await tx.now()))
}

/** Throws `sbom_malformed`, also for a document that lists too much. */
export function readSbom(document: Uint8Array): ReadSbom {
  return bounded(readCycloneDx(document))
}

function ecosystemsOf({ components }: ReadSbom): string[] {
  return [...new Set(components.map(ecosystemOf))].toSorted()
}

/** Throws `sbom_malformed`. */
function bounded(sbom: ReadSbom): ReadSbom {
  const components: SbomComponent[] = []
  const others = [...sbom.others]
  const versions = new Map<string, number>()
  for (const component of sbom.components) {
    if (!isStorable(component)) {
      others.push(component.name)
      continue
    }
    components.push(component)
    const key = keyOf(component)
    const count = (versions.get(key) ?? 0) + 1
    versions.set(key, count)
    if (count > limits.versionsOfOneMax) {
      throw tooMuch(`${limits.versionsOfOneMax} versions of one package`)
    }
  }
  if (components.length > limits.componentsMax) {
    throw tooMuch(`${limits.componentsMax} components`)
  }
  if (ecosystemsOf({ ...sbom, components }).length > limits.ecosystemsMax) {
    throw tooMuch(`${limits.ecosystemsMax} ecosystems`)
  }
  return { ...sbom, components, others }
}

function tooMuch(what: string): Refusal<SbomRefusal> {
  return new Refusal<SbomRefusal>('sbom_malformed', `the document lists more than ${what}`)
}

function isStorable(component: SbomComponent): boolean {
  return textsOf(component).every((text) => text.length <= limits.textMax && !text.includes('\0'))
}

function textsOf({ purl, name, version, ecosystem, release, subject }: SbomComponent): string[] {
  return [purl, name, version, ecosystem, release, subject.name, subject.version]
}

function keyOf({ ecosystem, subject }: SbomComponent): string {
  return subjectKey({ ecosystem, name: subject.name })
}

function takeComponent(component: SbomComponent): NewComponent {
  const { purl, name, version, ecosystem, release, subject } = component
  const place = placeOf(component)
  return {
    sha256: createHash('sha256')
      .update(JSON.stringify(textsOf(component)))
      .digest('hex'),
    ...{ purl, name, version, ecosystem, release },
    ...{ subjectName: subject.name, subjectVersion: subject.version },
    subjectKey: keyOf(component),
    versionKey: place === undefined ? null : hexEncode(place),
  }
}

/** Compares some components, and answers whether more may remain. */
export async function compareNew({ db }: Pick<App, 'db'>): Promise<boolean> {
  // Where nothing is new, an import that has the lock keeps nobody from reading releases.
  if ((await listNewComponents(db.reader, 1)).length === 0) return false
  return db.write(async (tx) => {
    await lockComparison(tx)
    const rows = await listNewComponents(tx, componentsPage)
    if (rows.length === 0) return false
    const byId = new Map(rows.map((row) => [row.id, row]))
    const ids = [...byId.keys()]
    const { candidates, affected } = await findRecordCandidates(tx, ids)
    const parsed = new Map([...affected].map(([id, stored]) => [id, parseAffected(stored)]))
    const found = candidates.flatMap((candidate) =>
      judge(candidate, byId.get(candidate.component)!, parsed.get(candidate.vulnerability) ?? []),
    )
    await writeFindings(tx, found, await tx.now())
    await markCompared(tx, ids)
    return rows.length === componentsPage
  })
}
