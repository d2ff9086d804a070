import { listSecrets, removeSecret, sealSecret, setSecret } from '@seaworthy/api/secrets'
import * as configuration from '../app/configuration/index.ts'
import { audited, read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

export const secretEndpoints: readonly Endpoint[] = [
  read(listSecrets, 'secret:read', (app, { actor, params, query, now }) =>
    configuration.listSecrets(app.db.reader, actor, { ...params, ...query }, now),
  ),
  audited(
    setSecret,
    { permission: 'secret:write', subject: (call) => call.params.fleet },
    async (app, tx, { actor, params, body }) => {
      const asked = { fleet: params.fleet, name: params.secret, ...body }
      const view = await configuration.setSecret(tx, actor, asked)
      return {
        reply: view,
        detail: { name: view.name, device: view.deviceId, version: view.version },
        afterCommit: () => app.fleets.reload(),
      }
    },
  ),
  audited(
    sealSecret,
    { permission: 'secret:write', subject: (call) => call.params.fleet },
    async (app, tx, { actor, params, body }) => {
      const asked = { fleet: params.fleet, name: params.secret, ...body }
      const count = await configuration.sealSecret(tx, actor, asked)
      return {
        reply: { count },
        detail: { name: asked.name, device: body.deviceId ?? null, version: body.version, count },
        afterCommit: () => app.fleets.reload(),
      }
    },
  ),
  audited(
    removeSecret,
    { permission: 'secret:write', subject: (call) => call.params.fleet },
    async (app, tx, { actor, params, query }) => {
      const asked = { fleet: params.fleet, name: params.secret, ...query }
      await configuration.removeSetting(tx, actor, 'secret', asked)
      return {
        reply: undefined,
        detail: { name: asked.name, device: query.deviceId ?? null },
        afterCommit: () => app.fleets.reload(),
      }
    },
  ),
]
