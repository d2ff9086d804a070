import { listVariables, removeVariable, setVariable } from '@seaworthy/api/variables'
import * as settings from '../app/settings/index.ts'
import { audited, read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

export const variableEndpoints: readonly Endpoint[] = [
  read(listVariables, 'variable:read', (app, { actor, params, query }) =>
    settings.listVariables(app.db.reader, actor, { ...params, ...query }),
  ),
  audited(
    setVariable,
    { permission: 'variable:write', subject: (call) => call.params.fleet },
    async (app, tx, { actor, params, body }) => {
      const asked = { fleet: params.fleet, name: params.variable, ...body }
      const { view, isUnchanged } = await settings.setVariable(tx, actor, asked)
      return {
        reply: view,
        detail: { name: view.name, device: view.deviceId, version: view.version },
        isUnchanged,
        afterCommit: () => app.fleets.reload(),
      }
    },
  ),
  audited(
    removeVariable,
    { permission: 'variable:write', subject: (call) => call.params.fleet },
    async (app, tx, { actor, params, query }) => {
      const asked = { fleet: params.fleet, name: params.variable, ...query }
      await settings.removeSetting(tx, actor, 'variable', asked)
      return {
        reply: undefined,
        detail: { name: asked.name, device: query.deviceId ?? null },
        afterCommit: () => app.fleets.reload(),
      }
    },
  ),
]
