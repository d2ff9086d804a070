/** What people see of vulnerabilities, and of the releases and devices that have them. */
import type {
  ExposuresView,
  FoundView,
  PatchingView,
  RecordImportView,
  SbomStateView,
  VulnerabilityDetail,
} from '@seaworthy/api/vulnerabilities'
import { Refusal } from '@seaworthy/std/refusal'
import { formatInstant, secondMs } from '@seaworthy/std/time'
import { countUnread } from '../../db/components.ts'
import type { ReadTx } from '../../db/connection.ts'
import type { ExposureScope, FoundRow, SbomRead, VulnerabilityRow } from '../../db/exposure.ts'
import type { ExposedDevices } from '../../db/exposed-devices.ts'
import {
  countExposed,
  countExposedLately,
  listConcerned,
  measurePatching,
} from '../../db/exposed-devices.ts'
import * as db from '../../db/exposure.ts'
import type { RecordImport } from '../../db/record-imports.ts'
import { listRecordImports } from '../../db/record-imports.ts'
import { isStatedOf } from '../../db/vex.ts'
import { listSetAside } from '../../db/vulnerabilities.ts'
import type { Actor } from '../access/index.ts'
import { grantOf } from '../access/index.ts'
import type { App } from '../app.ts'
import { findDevice } from '../devices/index.ts'
import type { Page, PageQuery } from '../paging.ts'
import { readPage } from '../paging.ts'
import type { VulnerabilityRefusal } from '../refusals.ts'
import { findRelease } from '../trust/index.ts'
import { instantOrNull } from '../views.ts'

const limits = { records: 200, found: 1000, groups: 1000, exposures: 1000, setAside: 1000 } as const

function scopeOf(actor: Actor): ExposureScope {
  const { fleets, products } = grantOf(actor)
  return { fleets, products }
}

function viewVulnerability(row: VulnerabilityRow) {
  const { name, aliases, summary, faults } = row
  return {
    ...{ name, aliases: [...aliases], summary, faults: [...faults] },
    modifiedAt: formatInstant(row.modifiedAt),
    withdrawnAt: instantOrNull(row.withdrawnAt),
    importedAt: formatInstant(row.importedAt),
  }
}

function viewFound({ rows, count }: { rows: readonly FoundRow[]; count: number }): {
  found: FoundView[]
  foundCount: number
} {
  const found = rows.map(({ componentName, componentVersion, purl, statement, ...row }) => ({
    ...row,
    aliases: [...row.aliases],
    component: { purl, name: componentName, version: componentVersion },
    foundAt: formatInstant(row.foundAt),
    statement: statement && { ...statement, expiresAt: instantOrNull(statement.expiresAt) },
  }))
  return { found, foundCount: count }
}

/** Lists records that concern releases in the actor's scope, by name. */
export async function listVulnerabilities(
  tx: ReadTx,
  actor: Actor,
  query: PageQuery,
  now: Date,
): Promise<
  Page<
    ReturnType<typeof viewVulnerability> & {
      affectedReleasesCount: number
      unknownReleasesCount: number
      clearedReleasesCount: number
    }
  >
> {
  const page = await readPage(
    query,
    (limit) => db.listVulnerabilities(tx, scopeOf(actor), { after: query.after ?? '', limit, now }),
    ({ name }) => name,
  )
  const items = page.items.map((row) => ({
    ...viewVulnerability(row),
    affectedReleasesCount: row.affectedCount,
    unknownReleasesCount: row.unknownCount,
    clearedReleasesCount: row.clearedCount,
  }))
  return { items, next: page.next }
}

/** The records about a flaw. Throws `vulnerability_not_found`. */
async function findRecords(tx: ReadTx, name: string): Promise<VulnerabilityRow[]> {
  const records = await db.findVulnerabilities(tx, [name, name.toUpperCase()], limits.records)
  if (records.length > 0) return records
  throw new Refusal<VulnerabilityRefusal>(
    'vulnerability_not_found',
    `no record of ${name} was imported: bring it in with \`seaworthy vulnerability import\``,
  )
}

/** Throws `vulnerability_not_found`. */
export async function showVulnerability(
  tx: ReadTx,
  actor: Actor,
  wanted: { name: string; at: Date | undefined; tag: string | undefined },
  now: Date,
): Promise<VulnerabilityDetail> {
  const { name, at = null, tag = null } = wanted
  const records = await findRecords(tx, name)
  const ids = records.map(({ id }) => id)
  const scope = scopeOf(actor)
  const [found, devices, untold, pending] = await Promise.all([
    db.listFoundOf(tx, ids, scope, { limit: limits.found, now }),
    countDevices(tx, ids, scope, { at, now, tag }),
    db.countUntold(tx, scope),
    countUnread(tx, scope),
  ])
  return {
    records: records.map(viewVulnerability),
    ...viewFound(found),
    devices: { at: instantOrNull(at), ...devices, untold },
    pending,
  }
}

/**
 * More devices than this are taken from what was counted within the last half minute, as long as
 * that is what is asked for.
 */
const countedMax = 5000
/** Two counts that failed. */
const countedAgeMs = 90 * secondMs

async function countDevices(
  tx: ReadTx,
  ids: readonly number[],
  scope: ExposureScope,
  { at, now, tag }: { readonly at: Date | null; readonly now: Date; readonly tag: string | null },
): Promise<Omit<VulnerabilityDetail['devices'], 'at' | 'untold'>> {
  const isNone = !(await isStatedOf(tx, ids))
  const list = await listConcerned(tx, ids, { at, now, isNone })
  if (at === null && tag === null) {
    const lately = await countExposedLately(tx, list, scope, limits.groups)
    if (
      lately !== undefined &&
      isLarge(lately.total) &&
      now.getTime() - lately.countedAt.getTime() < countedAgeMs
    ) {
      return { ...viewDevices(lately), countedAt: formatInstant(lately.countedAt) }
    }
  }
  const exact = await countExposed(tx, list, scope, { at, now, tag, limit: limits.groups })
  return { ...viewDevices(exact), countedAt: null }
}

function isLarge({
  confirmedCount,
  lastKnownCount,
  unknownCount,
  clearedCount,
}: ExposedDevices['total']): boolean {
  return confirmedCount + lastKnownCount + unknownCount + clearedCount > countedMax
}

function viewDevices({ total, groups }: ExposedDevices) {
  return { total: { ...total }, groups: groups.map((group) => ({ ...group })) }
}

/** Throws `vulnerability_not_found`. */
export async function showPatching(
  tx: ReadTx,
  actor: Actor,
  name: string,
  now: Date,
): Promise<PatchingView> {
  const ids = (await findRecords(tx, name)).map(({ id }) => id)
  const isNone = !(await isStatedOf(tx, ids))
  const list = await listConcerned(tx, ids, { at: null, now, isNone })
  const { foundAt, zeroSince, ...times } = await measurePatching(tx, list, scopeOf(actor))
  return { ...times, foundAt: instantOrNull(foundAt), zeroSince: instantOrNull(zeroSince) }
}

export async function listExposures(tx: ReadTx, actor: Actor, now: Date): Promise<ExposuresView> {
  const scope = scopeOf(actor)
  const [rows, untold, pending, imports] = await Promise.all([
    db.listOpenExposures(tx, scope, { limit: limits.exposures, now }),
    db.countUntold(tx, scope),
    countUnread(tx, scope),
    listRecordImports(tx),
  ])
  const items = rows.map(({ name, aliases, foundAt, ...row }) => ({
    ...{ ...row, vulnerability: name, aliases: [...aliases] },
    foundAt: formatInstant(foundAt),
  }))
  return { items, untold, pending, records: imports.map(viewImport) }
}

export async function listSetAsideRecords(tx: ReadTx) {
  const rows = await listSetAside(tx, limits.setAside)
  return { items: rows.map(({ label, why, at }) => ({ label, why, at: formatInstant(at) })) }
}

function viewImport({ ecosystem, importedAt, newestAt }: RecordImport) {
  return { ecosystem, importedAt: formatInstant(importedAt), newestAt: formatInstant(newestAt) }
}

/** A bill of materials that was read is clean only of what it was compared with. */
function viewSbom(row: SbomRead, imports: readonly RecordImport[]): SbomStateView {
  const { state: _, id: _id, product: _product, ecosystems, ...rest } = row
  const records = ecosystems.map((ecosystem): RecordImportView => {
    const known = imports.find((one) => one.ecosystem === ecosystem)
    return known === undefined ? { ecosystem, importedAt: null, newestAt: null } : viewImport(known)
  })
  return { ...rest, state: stateOf(row), records }
}

function stateOf({ state, uncomparedCount }: SbomRead): SbomStateView['state'] {
  if (state !== 'read') return state
  return uncomparedCount === 0 ? 'compared' : 'not_compared'
}

/** Throws `product_not_found`, `out_of_scope`, `release_not_found`. */
export async function showReleaseExposure(
  app: Pick<App, 'db' | 'trust'>,
  actor: Actor,
  { product, version }: { product: string; version: string },
  now: Date,
): Promise<{ sboms: SbomStateView[]; found: FoundView[]; foundCount: number }> {
  await findRelease(app, actor, product, version)
  const tx = app.db.reader
  // What is not compared yet must be asked first: it may be when the findings are asked for.
  const [sboms, imports] = await Promise.all([
    db.listSboms(tx, product, version),
    listRecordImports(tx),
  ])
  const found = await db.listFoundIn(tx, { product, version }, { limit: limits.found, now })
  return { sboms: sboms.map((row) => viewSbom(row, imports)), ...viewFound(found) }
}

/** Throws `device_not_found`, `out_of_scope`. */
export async function showDeviceExposure(
  tx: ReadTx,
  actor: Actor,
  deviceId: string,
  now: Date,
): Promise<{ sbom: SbomStateView | null; found: FoundView[]; foundCount: number }> {
  const { id } = await findDevice(tx, actor, deviceId)
  const [sbom, imports] = await Promise.all([db.findSbomOn(tx, id), listRecordImports(tx)])
  if (sbom === undefined) return { sbom: null, found: [], foundCount: 0 }
  const found = await db.listFoundBy(tx, sbom, { limit: limits.found, now })
  return { sbom: viewSbom(sbom, imports), ...viewFound(found) }
}

/** Counts what devices run, and stores the figures for whoever asks before the next count. */
export async function countRunningReleases(app: Pick<App, 'clock' | 'db'>): Promise<void> {
  const now = app.clock.now()
  await app.db.write((tx) => db.countReleases(tx, now))
}
