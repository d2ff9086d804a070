/** What people do with the cases that they are read in to. */
import type { CaseDetails, CaseEntryView, CaseView } from '@seaworthy/api/cases'
import type { CaseEvent } from '@seaworthy/response/cases'
import { firstCaseState, moveCase } from '@seaworthy/response/cases'
import { newId } from '@seaworthy/std/ids'
import { Refusal } from '@seaworthy/std/refusal'
import { formatInstant, parseInstant } from '@seaworthy/std/time'
import type { CaseRow } from '../../db/cases.ts'
import * as db from '../../db/cases.ts'
import type { ReadTx, WriteTx } from '../../db/connection.ts'
import type { Actor, Current } from '../access/index.ts'
import { requireUnscoped } from '../access/index.ts'
import type { App } from '../app.ts'
import type { Page, PageQuery } from '../paging.ts'
import { readPage, shortenPage, viewPage } from '../paging.ts'
import type { CaseRefusal } from '../refusals.ts'
import { askerOf, lockRead, readerBehind, requireRead } from './case-access.ts'
import { sealTitle, writeEntry } from './texts.ts'
import { stateOf, viewCase, viewCaseDetails, viewEntry } from './views.ts'

type Keys = Pick<App, 'masterKey' | 'random'>

/** A view, and the digest of the case's entry for the audit log. */
interface Written<View> {
  readonly view: View
  readonly entrySha256: string
}

/** Throws `out_of_scope`, `case_not_opened`. */
export async function listCases(
  { masterKey }: Pick<App, 'masterKey'>,
  tx: ReadTx,
  actor: Actor,
  query: PageQuery & { readonly state?: 'open' | 'closed' | undefined },
  now: Date,
): Promise<Page<CaseView>> {
  const asker = askerOf(actor, now)
  const { after = null, state = null } = query
  const page = await readPage(
    query,
    (limit) => db.listCases(tx, asker, { after, limit, state }),
    ({ id }) => id,
  )
  return viewPage(page, (row) => viewCase(masterKey, row, now))
}

/** Throws `out_of_scope`, `case_not_found`, `case_not_taken`, `case_not_opened`. */
export async function showCase(
  { masterKey }: Pick<App, 'masterKey'>,
  tx: ReadTx,
  actor: Actor,
  id: string,
  now: Date,
): Promise<CaseDetails> {
  return viewCaseDetails(tx, masterKey, await requireRead(tx, actor, id, now), now)
}

/** Throws what `showCase` throws. */
export async function listEntries(
  { masterKey }: Pick<App, 'masterKey'>,
  tx: ReadTx,
  actor: Actor,
  id: string,
  { query, now }: { readonly query: PageQuery; readonly now: Date },
): Promise<Page<CaseEntryView>> {
  await requireRead(tx, actor, id, now)
  const page = await readPage(
    query,
    (limit) => db.listCaseEntries(tx, id, { after: query.after ?? '', limit }),
    (row) => row.id,
  )
  return viewPage(shortenPage(page), (row) => viewEntry(masterKey, row))
}

/** Opens a case of a flaw that we found ourselves. Throws `out_of_scope`. */
export async function openCase(
  app: Keys,
  tx: WriteTx,
  actor: Current,
  { title, text }: { readonly title: string; readonly text: string },
): Promise<Written<CaseView>> {
  requireUnscoped(actor, 'cases are of')
  const now = await tx.now()
  const id = newId('case', now, app.random)
  const handler = readerBehind(actor)
  const row: CaseRow = {
    ...{ id, sealed: sealTitle(app.masterKey, id, title), ...firstCaseState, handler },
    ...{ embargoUntil: null, reporterSha256: null, openedAt: now, acknowledgedAt: null },
    ...{ answeredAt: null, lastAnswerAt: null, waitingSince: null, closedAt: null },
  }
  await db.insertCase(tx, row)
  await db.insertCaseReader(tx, id, { id: handler, readInAt: now, readInBy: actor.id })
  const entry = { caseId: id, at: now, by: actor.id, kind: 'report', text } as const
  const { entrySha256 } = await writeEntry(app, tx, entry)
  return { view: viewCase(app.masterKey, { ...row, isReader: true }, now), entrySha256 }
}

/** Throws `out_of_scope`, `case_not_found`, `case_not_taken`, `case_full`. */
export async function writeNote(
  app: Keys,
  tx: WriteTx,
  actor: Current,
  { id, text }: { readonly id: string; readonly text: string },
): Promise<Written<CaseEntryView>> {
  await lockRead(tx, actor, id)
  const entry = { caseId: id, at: await tx.now(), by: actor.id, kind: 'note', text } as const
  const { row, entrySha256 } = await writeEntry(app, tx, entry)
  return { view: viewEntry(app.masterKey, row), entrySha256 }
}

/** Throws what `writeNote` throws, and `case_has_no_reporter`. */
export async function answerReporter(
  app: Keys,
  tx: WriteTx,
  actor: Current,
  { id, text, isDetailed }: { readonly id: string; readonly text: string; isDetailed: boolean },
): Promise<Written<CaseEntryView>> {
  const before = await lockRead(tx, actor, id)
  if (before.reporterSha256 === null) {
    throw new Refusal<CaseRefusal>(
      'case_has_no_reporter',
      'nobody outside has reported this case, so that there is nobody to answer: write a note',
    )
  }
  const at = await tx.now()
  const { row, entrySha256 } = await writeEntry(app, tx, {
    ...{ caseId: id, at, by: actor.id, kind: 'answer', text },
  })
  await db.updateCase(tx, {
    ...before,
    acknowledgedAt: before.acknowledgedAt ?? at,
    answeredAt: before.answeredAt ?? (isDetailed ? at : null),
    lastAnswerAt: at,
    waitingSince: null,
  })
  return { view: viewEntry(app.masterKey, row), entrySha256 }
}

/**
 * Throws `out_of_scope`, `case_not_found`, `case_not_taken`, `case_move_illegal`,
 * `case_embargo_time`.
 */
export async function moveBy(
  app: Keys,
  tx: WriteTx,
  actor: Current,
  { id, event, embargoUntil }: { id: string; event: CaseEvent; embargoUntil?: string | undefined },
): Promise<Written<CaseView>> {
  const before = await lockRead(tx, actor, id)
  const state = moveCase(stateOf(before), event)
  const at = await tx.now()
  const until = readUntil(event, embargoUntil, at)
  const text = until === null ? event : `${event} ${formatInstant(until)}`
  const { entrySha256 } = await writeEntry(app, tx, {
    ...{ caseId: id, at, by: actor.id, kind: 'move', text },
  })
  const row: CaseRow = {
    ...before,
    ...state,
    embargoUntil: state.embargo === 'none' ? null : (until ?? before.embargoUntil),
    closedAt: state.report === 'closed' ? at : null,
  }
  await db.updateCase(tx, row)
  return { view: viewCase(app.masterKey, { ...row, isReader: true }, at), entrySha256 }
}

/** The end of an embargo that is proposed, and of no other event. Throws `case_embargo_time`. */
function readUntil(event: CaseEvent, text: string | undefined, now: Date): Date | null {
  const isProposal = event === 'propose-embargo'
  if (isProposal !== (text !== undefined)) {
    throw new Refusal<CaseRefusal>(
      'case_embargo_time',
      isProposal
        ? 'an embargo is proposed with the time at which it ends'
        : `${event} takes no time of an embargo`,
    )
  }
  if (text === undefined) return null
  const until = parseInstant(text)
  if (until.getTime() > now.getTime()) return until
  throw new Refusal<CaseRefusal>('case_embargo_time', 'an embargo must end in the future')
}
