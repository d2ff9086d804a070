/** Who is read in to a case, and who answers for it. */
import type { CaseDetails, CaseView } from '@seaworthy/api/cases'
import { permissionsOf, reachesEverything } from '@seaworthy/fleet/access'
import { Refusal } from '@seaworthy/std/refusal'
import type { CaseRow, EntryKind } from '../../db/cases.ts'
import * as db from '../../db/cases.ts'
import type { WriteTx } from '../../db/connection.ts'
import { getPerson } from '../../db/people.ts'
import type { Current } from '../access/index.ts'
import type { App } from '../app.ts'
import type { CaseRefusal, PersonRefusal } from '../refusals.ts'
import { lockRead, lockSeen, readerBehind } from './case-access.ts'
import { writeEntry } from './texts.ts'
import { viewCase, viewCaseDetails } from './views.ts'

type Keys = Pick<App, 'masterKey' | 'random'>

const readersMax = 100

/**
 * Gives the case to a handler, who is read in thereby. A case that nobody has taken, the actor may
 * take without being read in.
 * Throws `out_of_scope`, `case_not_found`, `case_not_taken`, `case_reader_unfit`,
 * `case_readers_too_many`, `person_not_found`.
 */
export async function assignCase(
  app: Keys,
  tx: WriteTx,
  actor: Current,
  { id, to }: { readonly id: string; readonly to: string | undefined },
): Promise<{ readonly view: CaseView; readonly entrySha256: string }> {
  const own = readerBehind(actor)
  // Whoever takes a case for somebody else has read nothing of it.
  const isTaking = to === undefined || to === own
  const before = isTaking ? await lockSeen(tx, actor, id) : await lockRead(tx, actor, id)
  const handler = to ?? own
  if (!isTaking) await requireFit(tx, handler, 'case:handle')
  await addReader(tx, actor, id, handler)
  const row: CaseRow = { ...before, handler }
  await db.updateCase(tx, row)
  const entrySha256 = await record(app, tx, actor, { id, kind: 'assign', text: handler })
  return {
    view: viewCase(app.masterKey, { ...row, isReader: true }, await tx.now()),
    entrySha256,
  }
}

/** Throws what `assignCase` throws. */
export async function readIn(
  app: Keys,
  tx: WriteTx,
  actor: Current,
  { id, person }: { readonly id: string; readonly person: string },
): Promise<{ readonly view: CaseDetails; readonly entrySha256: string | null }> {
  const row = await lockRead(tx, actor, id)
  await requireFit(tx, person, 'case:read')
  const isNew = await addReader(tx, actor, id, person)
  const entrySha256 = isNew
    ? await record(app, tx, actor, { id, kind: 'read-in', text: person })
    : null
  return { view: await viewCaseDetails(tx, app.masterKey, row, await tx.now()), entrySha256 }
}

/**
 * Throws `out_of_scope`, `case_not_found`, `case_not_taken`, `case_handler_stays`,
 * `case_reader_not_found`.
 */
export async function readOut(
  app: Keys,
  tx: WriteTx,
  actor: Current,
  { id, reader }: { readonly id: string; readonly reader: string },
): Promise<{ readonly view: CaseDetails; readonly entrySha256: string }> {
  const row = await lockRead(tx, actor, id)
  if (row.handler === reader) {
    throw new Refusal<CaseRefusal>(
      'case_handler_stays',
      'whoever answers for the case stays read in: assign it to somebody else first',
    )
  }
  if (!(await db.deleteCaseReader(tx, id, reader))) {
    throw new Refusal<CaseRefusal>('case_reader_not_found', `${reader} is not read in to this case`)
  }
  const entrySha256 = await record(app, tx, actor, { id, kind: 'read-out', text: reader })
  return { view: await viewCaseDetails(tx, app.masterKey, row, await tx.now()), entrySha256 }
}

/** Throws `person_not_found`, `case_reader_unfit`. */
async function requireFit(
  tx: WriteTx,
  id: string,
  permission: 'case:read' | 'case:handle',
): Promise<void> {
  const person = await getPerson(tx, id)
  if (person === undefined) {
    throw new Refusal<PersonRefusal>('person_not_found', `there is no person ${id}`)
  }
  const mayDo = permissionsOf(person).includes(permission) && reachesEverything(person)
  if (mayDo && person.disabledAt === null) return
  throw new Refusal<CaseRefusal>(
    'case_reader_unfit',
    `${id} may not: it takes the permission ${permission}, for everything, and an account that is not disabled`,
  )
}

async function addReader(tx: WriteTx, actor: Current, id: string, reader: string) {
  const present = await db.listCaseReaders(tx, id)
  if (present.some((one) => one.id === reader)) return false
  if (present.length >= readersMax) {
    throw new Refusal<CaseRefusal>(
      'case_readers_too_many',
      `${readersMax} are read in to this case: read somebody out first`,
    )
  }
  const readInAt = await tx.now()
  return db.insertCaseReader(tx, id, { id: reader, readInAt, readInBy: actor.id })
}

async function record(
  app: Keys,
  tx: WriteTx,
  actor: Current,
  { id, kind, text }: { readonly id: string; readonly kind: EntryKind; readonly text: string },
): Promise<string> {
  const entry = { caseId: id, at: await tx.now(), by: actor.id, kind, text }
  return (await writeEntry(app, tx, entry)).entrySha256
}
