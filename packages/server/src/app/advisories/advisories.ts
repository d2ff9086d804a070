/** Drafts of advisories, for those who are read in to their cases. */
import type { AdvisoryDetails, AdvisoryView } from '@seaworthy/api/advisories'
import type { AdvisoryContent } from '@seaworthy/response/advisories'
import { checkAdvisory, checkWholeAdvisory, scoreOf } from '@seaworthy/response/advisories'
import { isId, newId } from '@seaworthy/std/ids'
import { Refusal } from '@seaworthy/std/refusal'
import { formatInstant } from '@seaworthy/std/time'
import type { MasterKey } from '../../config/master-key.ts'
import type { AdvisoryRow } from '../../db/advisories.ts'
import * as db from '../../db/advisories.ts'
import type { ReadTx, WriteTx } from '../../db/connection.ts'
import type { Actor, Current } from '../access/index.ts'
import { requireUnscoped } from '../access/index.ts'
import type { App } from '../app.ts'
import { openCase, readerBehind, showCase } from '../cases/index.ts'
import type { Page, PageQuery } from '../paging.ts'
import { readPage, viewPage } from '../paging.ts'
import type { AdvisoryRefusal } from '../refusals.ts'
import { openContent, sealContent } from './sealing.ts'

type Keys = Pick<App, 'masterKey' | 'random'>

/** The advisory with its versions, and the row as it is now stored. */
export interface WrittenAdvisory {
  readonly view: AdvisoryDetails
  readonly row: AdvisoryRow
}

const emptyContent: AdvisoryContent = {
  ...{ title: '', summary: '', description: '', action: '', workaround: '', ids: [] },
  ...{ affected: [], cvss3: null, cvss4: null, credits: [], references: [] },
}

/** Throws `out_of_scope`, `advisory_not_opened`. */
export async function listAdvisories(
  { masterKey }: Pick<App, 'masterKey'>,
  tx: ReadTx,
  actor: Actor,
  query: PageQuery,
): Promise<Page<AdvisoryView>> {
  requireUnscoped(actor, 'advisories are of')
  const { after = null } = query
  const page = await readPage(
    query,
    (limit) => db.listAdvisories(tx, readerBehind(actor), { after, limit }),
    ({ id }) => id,
  )
  return viewPage(page, (row) => viewAdvisory(row, openContent(masterKey, row)))
}

/** Throws `out_of_scope`, `advisory_not_found`, `advisory_not_opened`. */
export async function showAdvisory(
  { masterKey }: Pick<App, 'masterKey'>,
  tx: ReadTx,
  actor: Actor,
  id: string,
): Promise<AdvisoryDetails> {
  requireUnscoped(actor, 'advisories are of')
  return viewDetails(masterKey, tx, requireRow(await db.findAdvisory(tx, id, readerBehind(actor))))
}

/**
 * Throws `out_of_scope`, `case_not_found`, `case_not_taken`, `case_not_opened`, `advisory_unfit`,
 * `vector_malformed`.
 */
export async function createAdvisory(
  app: Keys,
  tx: WriteTx,
  actor: Current,
  wanted: { readonly caseId?: string | undefined; readonly content?: AdvisoryContent | undefined },
): Promise<WrittenAdvisory> {
  requireUnscoped(actor, 'advisories are of')
  const now = await tx.now()
  const { caseId, title } = await findOrOpenCase(app, tx, actor, wanted)
  const content = wanted.content ?? { ...emptyContent, title }
  checkAdvisory(content)
  const id = newId('advisory', now, app.random)
  const row: AdvisoryRow = {
    ...{ id, caseId, name: null, revision: 1, state: 'draft', reviewedBy: null, openedAt: now },
    sealed: sealContent(app.masterKey, { id, revision: 1 }, content),
    editedBy: readerBehind(actor),
  }
  await db.insertAdvisory(tx, row)
  return { view: await viewDetails(app.masterKey, tx, row), row }
}

/** One list says who knows of a flaw: that of its case. */
async function findOrOpenCase(
  app: Keys,
  tx: WriteTx,
  actor: Current,
  { caseId, content }: Parameters<typeof createAdvisory>[3],
): Promise<{ readonly caseId: string; readonly title: string }> {
  if (caseId !== undefined) {
    const { title } = await showCase(app, tx, actor, caseId, await tx.now())
    return { caseId, title: title ?? '' }
  }
  const title = content?.title ?? ''
  if (title === '') {
    throw new Refusal<AdvisoryRefusal>(
      'advisory_incomplete',
      'without a case, an advisory needs a title from the beginning: the case that is opened for it has the same',
    )
  }
  const text = 'Opened for an advisory that was written by hand.'
  const { view } = await openCase(app, tx, actor, { title, text })
  return { caseId: view.id, title }
}

/**
 * Throws `out_of_scope`, `advisory_not_found`, `advisory_changed`, `advisory_withdrawn`,
 * `advisory_unfit`, `vector_malformed`.
 */
export async function editAdvisory(
  { masterKey }: Keys,
  tx: WriteTx,
  actor: Current,
  wanted: { readonly id: string; readonly revision: number; readonly content: AdvisoryContent },
): Promise<WrittenAdvisory> {
  const before = await lockOpenAdvisory(tx, actor, wanted)
  checkAdvisory(wanted.content)
  const revision = before.revision + 1
  const row: AdvisoryRow = {
    ...{ ...before, revision, state: 'draft', reviewedBy: null, editedBy: readerBehind(actor) },
    sealed: sealContent(masterKey, { id: before.id, revision }, wanted.content),
  }
  await db.updateAdvisory(tx, row)
  return { view: await viewDetails(masterKey, tx, row), row }
}

/**
 * Throws `out_of_scope`, `advisory_not_found`, `advisory_changed`, `advisory_withdrawn`,
 * `advisory_not_draft`, `advisory_of_reviewer`, `advisory_incomplete`, `advisory_not_opened`.
 */
export async function reviewAdvisory(
  { masterKey }: Keys,
  tx: WriteTx,
  actor: Current,
  wanted: { readonly id: string; readonly revision: number },
): Promise<WrittenAdvisory> {
  const before = await lockOpenAdvisory(tx, actor, wanted)
  const reviewer = readerBehind(actor)
  if (before.state !== 'draft') {
    throw new Refusal<AdvisoryRefusal>(
      'advisory_not_draft',
      `the advisory is ${before.state}: there is nothing new to review`,
    )
  }
  if (reviewer === before.editedBy || !isId('person', reviewer)) {
    throw new Refusal<AdvisoryRefusal>(
      'advisory_of_reviewer',
      'another person than the last editor reviews an advisory, in their own account: read one in to its case',
    )
  }
  checkWholeAdvisory(openContent(masterKey, before))
  const row: AdvisoryRow = { ...before, state: 'reviewed', reviewedBy: reviewer }
  await db.updateAdvisory(tx, row)
  return { view: await viewDetails(masterKey, tx, row), row }
}

/** The advisory, locked, if it still is what the caller has read and can still change. */
export async function lockOpenAdvisory(
  tx: WriteTx,
  actor: Current,
  { id, revision }: { readonly id: string; readonly revision?: number },
): Promise<AdvisoryRow> {
  requireUnscoped(actor, 'advisories are of')
  const row = requireRow(await db.lockAdvisory(tx, id, readerBehind(actor)))
  if (row.state === 'withdrawn') {
    throw new Refusal<AdvisoryRefusal>(
      'advisory_withdrawn',
      'the advisory is withdrawn, which is its end: draft another one, and refer to this one in it',
    )
  }
  if (revision === undefined || revision === row.revision) return row
  throw new Refusal<AdvisoryRefusal>(
    'advisory_changed',
    `the advisory is at revision ${row.revision} now, not ${revision}: read it again`,
  )
}

function requireRow(row: AdvisoryRow | undefined): AdvisoryRow {
  if (row !== undefined) return row
  throw new Refusal<AdvisoryRefusal>(
    'advisory_not_found',
    'there is no such advisory, or you are not read in to its case',
  )
}

function viewAdvisory(row: AdvisoryRow, content: AdvisoryContent): AdvisoryView {
  const { id, caseId, name, state, revision, editedBy, reviewedBy, openedAt } = row
  return {
    ...{ id, caseId, name, state, revision, editedBy, reviewedBy, title: content.title },
    score: scoreOf(content) ?? null,
    openedAt: formatInstant(openedAt),
  }
}

export async function viewDetails(
  masterKey: MasterKey,
  tx: ReadTx,
  row: AdvisoryRow,
): Promise<AdvisoryDetails> {
  const content = openContent(masterKey, row)
  const versions = await db.listAdvisoryVersions(tx, row.id)
  return {
    ...viewAdvisory(row, content),
    content: {
      ...content,
      ids: [...content.ids],
      affected: [...content.affected],
      credits: [...content.credits],
      references: [...content.references],
    },
    versions: versions.map(({ version, at, what, withdrawnBecause, signature, ...by }) => ({
      ...{ version, at: formatInstant(at), what, isWithdrawal: withdrawnBecause !== null },
      ...{ isSigned: signature !== null, publishedBy: by.publishedBy, reviewedBy: by.reviewedBy },
    })),
  }
}
