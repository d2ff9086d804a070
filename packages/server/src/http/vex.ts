import {
  importVexStatements,
  listReleaseVexStatements,
  listVexStatements,
  setVexStatement,
  showVexStatement,
  withdrawVexStatement,
} from '@seaworthy/api/vex'
import * as vex from '../app/vex/index.ts'
import { audited, read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

export const vexEndpoints: readonly Endpoint[] = [
  audited(
    setVexStatement,
    { permission: 'vex:write', subject: ({ body }) => `${body.product}@${body.version}` },
    async (app, tx, { actor, body }) => {
      const row = await vex.setVexStatement(app, tx, actor, body)
      return { reply: vex.viewVexStatement(row, row.statedAt), ...vex.recordVexStatement(row) }
    },
  ),
  audited(
    importVexStatements,
    { permission: 'vex:write', subject: () => 'vex-statements' },
    async (app, tx, { actor, body }) => {
      const reply = await vex.importVexStatements(app, tx, actor, body)
      const { taken, unchanged, setAside } = reply
      const detail = { taken, unchanged, setAside: setAside.length, replaces: body.replaces }
      return { reply, detail, isUnchanged: taken === 0 }
    },
  ),
  read(listReleaseVexStatements, 'vulnerability:read', (app, { actor, params, now }) =>
    vex.listReleaseVexStatements(app, actor, params, now),
  ),
  read(listVexStatements, 'vulnerability:read', (app, { actor, query, now }) =>
    vex.listVexStatements(app.db.reader, actor, query, now),
  ),
  read(showVexStatement, 'vulnerability:read', (app, { actor, params, now }) =>
    vex.showVexStatement(app.db.reader, actor, params.statementId, now),
  ),
  audited(
    withdrawVexStatement,
    { permission: 'vex:write', subject: ({ params }) => params.statementId },
    async (_app, tx, { actor, params }) => {
      const row = await vex.withdrawVexStatement(tx, actor, params.statementId)
      return { reply: vex.viewVexStatement(row, row.endedAt!), ...vex.recordVexStatement(row) }
    },
  ),
]
