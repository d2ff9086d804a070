import {
  answerCase,
  assignCase,
  listCaseEntries,
  listCases,
  moveCaseBy,
  noteInCase,
  openCase,
  readIntoCase,
  readOutOfCase,
  showCase,
} from '@seaworthy/api/cases'
import * as cases from '../app/cases/index.ts'
import { audited, read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

/**
 * What the audit log says of a change: the case is the subject, and the digest of the case's own
 * entry shows later what it was, to whoever may read the case.
 */
const recorded = <View>({ view, entrySha256 }: { view: View; entrySha256: string }) => ({
  reply: view,
  detail: { entrySha256 },
})

const ofCase = (call: { readonly params: { readonly caseId: string } }) => call.params.caseId

export const caseEndpoints: readonly Endpoint[] = [
  read(listCases, 'case:read', (app, { actor, query, now }) =>
    cases.listCases(app, app.db.reader, actor, query, now),
  ),
  read(showCase, 'case:read', (app, { actor, params, now }) =>
    cases.showCase(app, app.db.reader, actor, params.caseId, now),
  ),
  read(listCaseEntries, 'case:read', (app, { actor, params, query, now }) =>
    cases.listEntries(app, app.db.reader, actor, params.caseId, { query, now }),
  ),
  audited(
    openCase,
    { permission: 'case:handle', subject: () => 'case' },
    async (app, tx, { actor, body }) => {
      const opened = await cases.openCase(app, tx, actor, body)
      return { ...recorded(opened), subject: opened.view.id }
    },
  ),
  audited(
    noteInCase,
    { permission: 'case:read', subject: ofCase },
    async (app, tx, { actor, params, body }) =>
      recorded(await cases.writeNote(app, tx, actor, { id: params.caseId, text: body.text })),
  ),
  audited(
    answerCase,
    { permission: 'case:handle', subject: ofCase },
    async (app, tx, { actor, params, body }) =>
      recorded(await cases.answerReporter(app, tx, actor, { id: params.caseId, ...body })),
  ),
  audited(
    moveCaseBy,
    { permission: 'case:handle', subject: ofCase },
    async (app, tx, { actor, params, body }) =>
      recorded(await cases.moveBy(app, tx, actor, { id: params.caseId, ...body })),
  ),
  audited(
    assignCase,
    { permission: 'case:handle', subject: ofCase },
    async (app, tx, { actor, params, body }) =>
      recorded(await cases.assignCase(app, tx, actor, { id: params.caseId, to: body.to })),
  ),
  audited(
    readIntoCase,
    { permission: 'case:handle', subject: ofCase },
    async (app, tx, { actor, params }) => {
      const { view, entrySha256 } = await cases.readIn(app, tx, actor, {
        ...{ id: params.caseId, person: params.personId },
      })
      return entrySha256 === null
        ? { reply: view, isUnchanged: true }
        : recorded({ view, entrySha256 })
    },
  ),
  audited(
    readOutOfCase,
    { permission: 'case:handle', subject: ofCase },
    async (app, tx, { actor, params }) =>
      recorded(await cases.readOut(app, tx, actor, { id: params.caseId, reader: params.reader })),
  ),
]
