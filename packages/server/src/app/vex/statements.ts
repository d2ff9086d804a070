/** Statements: made, replaced, withdrawn and shown. */
import type { VexStatementBody, VexStatementView } from '@seaworthy/api/vex'
import type { VexClaim } from '@seaworthy/response/vex'
import { requireSoundClaim } from '@seaworthy/response/vex'
import { newId } from '@seaworthy/std/ids'
import { Refusal } from '@seaworthy/std/refusal'
import { formatInstant, parseInstant } from '@seaworthy/std/time'
import { lockComparison } from '../../db/components.ts'
import type { ReadTx } from '../../db/connection.ts'
import type { VexFilter, VexKey, VexRow } from '../../db/vex.ts'
import * as db from '../../db/vex.ts'
import { getRelease } from '../../db/releases.ts'
import type { Actor, Current } from '../access/index.ts'
import { grantOf, requireProduct, requireWholeProduct } from '../access/index.ts'
import type { App, WriteTx } from '../app.ts'
import type { Page, PageQuery } from '../paging.ts'
import { listById } from '../paging.ts'
import { findRelease } from '../trust/index.ts'
import type { VexRefusal } from '../refusals.ts'
import { instantOrNull } from '../views.ts'
import type { ReleaseRefusal } from '@seaworthy/fleet/releases'

export function viewVexStatement(row: VexRow, now: Date): VexStatementView {
  const { basis: _, endedWhy: _why, evidence, ...rest } = row
  return {
    ...rest,
    evidence: [...evidence],
    statedAt: formatInstant(row.statedAt),
    authoredAt: instantOrNull(row.authoredAt),
    expiresAt: instantOrNull(row.expiresAt),
    endedAt: instantOrNull(row.endedAt),
    state: stateOf(row, now),
  }
}

function stateOf({ endedWhy, expiresAt }: VexRow, now: Date): VexStatementView['state'] {
  if (endedWhy !== null) return endedWhy === 'record_changed' ? 'reopened' : endedWhy
  return expiresAt !== null && expiresAt <= now ? 'expired' : 'in_force'
}

/** What the statement is about, as `product@version purl: vulnerability`. */
function describeKey({ vulnerability, product, version, purl }: VexKey): string {
  return `${product}@${version} ${purl}: ${vulnerability}`
}

/**
 * Throws `out_of_scope`, `release_not_found`, `vex_component_not_found`, `vex_statement_malformed`,
 * `vex_statement_expired`.
 */
export async function setVexStatement(
  app: Pick<App, 'random'>,
  tx: WriteTx,
  actor: Current,
  body: VexStatementBody,
): Promise<VexRow> {
  const { expiresAt, ...rest } = body
  const claim = { ...rest, expiresAt: expiresAt === null ? null : parseInstant(expiresAt) }
  requireWholeProduct(actor, body.product)
  await lockComparison(tx)
  const now = await tx.now()
  requireSoundClaim(claim, now)
  await requireComponent(tx, body)
  const stated = { ...claim, author: null, authoredAt: null }
  return storeVexStatement(app, tx, actor, {
    stated,
    before: await db.findVexStatement(tx, claim),
    now,
  })
}

/** Throws `release_not_found`, `vex_component_not_found`. */
export async function requireComponent(tx: ReadTx, key: VexKey): Promise<void> {
  const { product, version } = key
  if ((await getRelease(tx, product, version)) === undefined) {
    throw new Refusal<ReleaseRefusal>('release_not_found', `${product} has no release ${version}`)
  }
  if (await db.hasComponent(tx, key)) return
  throw new Refusal<VexRefusal>(
    'vex_component_not_found',
    `no bill of materials of ${product} ${version} that the server has read lists this component`,
  )
}

export interface NewVexStatement extends VexKey, VexClaim {
  readonly author: string | null
  readonly authoredAt: Date | null
}

/** Stores it over `before`, which was stated of the same. The comparison is locked. */
export async function storeVexStatement(
  { random }: Pick<App, 'random'>,
  tx: WriteTx,
  actor: Current,
  {
    stated,
    before,
    now,
  }: { readonly stated: NewVexStatement; readonly before: VexRow | undefined; readonly now: Date },
): Promise<VexRow> {
  if (before !== undefined) {
    await db.endVexStatement(tx, before.id, { at: now, by: actor.id, why: 'replaced' })
  }
  const { vulnerability, product, version, purl, status, justification, impact, action } = stated
  const { notes, evidence, isInherited, expiresAt, author, authoredAt } = stated
  const row: VexRow = {
    id: newId('statement', now, random),
    ...{ vulnerability, product, version, purl, status, justification, impact, action, notes },
    ...{ evidence, isInherited, expiresAt, author, authoredAt, reviewer: actor.id, statedAt: now },
    basis: await db.readBasis(tx, stated),
    ...{ endedAt: null, endedBy: null, endedWhy: null },
  }
  await db.insertVexStatement(tx, row)
  return row
}

/** Throws `vex_statement_not_found`, `out_of_scope`, `vex_statement_ended`. */
export async function withdrawVexStatement(
  tx: WriteTx,
  actor: Current,
  id: string,
): Promise<VexRow> {
  await lockComparison(tx)
  const row = await findSeen(tx, actor, id)
  requireWholeProduct(actor, row.product)
  if (row.endedAt !== null) {
    throw new Refusal<VexRefusal>(
      'vex_statement_ended',
      `the statement has ended already at ${formatInstant(row.endedAt)}`,
    )
  }
  const ended = { at: await tx.now(), by: actor.id, why: 'withdrawn' } as const
  await db.endVexStatement(tx, id, ended)
  return { ...row, endedAt: ended.at, endedBy: ended.by, endedWhy: ended.why }
}

/** Throws `vex_statement_not_found`, `out_of_scope`. */
async function findSeen(tx: ReadTx, actor: Actor, id: string): Promise<VexRow> {
  const row = await db.getVexStatement(tx, id)
  if (row === undefined) {
    throw new Refusal<VexRefusal>('vex_statement_not_found', `there is no statement ${id}`)
  }
  requireProduct(actor, row.product)
  return row
}

/** Throws `vex_statement_not_found`, `out_of_scope`. */
export async function showVexStatement(
  tx: ReadTx,
  actor: Actor,
  id: string,
  now: Date,
): Promise<VexStatementView> {
  return viewVexStatement(await findSeen(tx, actor, id), now)
}

interface VexQuery extends PageQuery {
  readonly vulnerability?: string | undefined
  readonly product?: string | undefined
  readonly version?: string | undefined
  readonly purl?: string | undefined
  readonly state?: VexFilter['state'] | undefined
}

export async function listVexStatements(
  tx: ReadTx,
  actor: Actor,
  query: VexQuery,
  now: Date,
): Promise<Page<VexStatementView>> {
  const { vulnerability = null, product = null, version = null, purl = null } = query
  const filter = { vulnerability, product, version, purl, state: query.state ?? 'in-force' }
  const { products } = grantOf(actor)
  return listById(
    query,
    (part) => db.listVexStatements(tx, { ...filter, products, now }, part),
    (row) => viewVexStatement(row, now),
  )
}

const holdingMax = 5000

/** Throws `product_not_found`, `out_of_scope`, `release_not_found`. */
export async function listReleaseVexStatements(
  app: Pick<App, 'db' | 'trust'>,
  actor: Actor,
  { product, version }: { product: string; version: string },
  now: Date,
): Promise<{ items: VexStatementView[] }> {
  await findRelease(app, actor, product, version)
  const part = { limit: holdingMax, now }
  const rows = await db.listVexStatementsHolding(app.db.reader, { product, version }, part)
  return { items: rows.map((row) => viewVexStatement(row, now)) }
}

/** What the audit log says of it: the texts are in the statement. */
export function recordVexStatement(row: VexRow) {
  const { id, status, justification, expiresAt } = row
  return {
    subject: describeKey(row),
    detail: {
      ...{ statement: id, status },
      ...(justification === null ? {} : { justification }),
      ...(expiresAt === null ? {} : { expiresAt: formatInstant(expiresAt) }),
    },
  }
}
