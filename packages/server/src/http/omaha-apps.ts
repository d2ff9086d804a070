import { setOmahaApp } from '@seaworthy/api/omaha'
import * as foreign from '../app/foreign/index.ts'
import { audited } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

export const omahaAppEndpoints: readonly Endpoint[] = [
  audited(
    setOmahaApp,
    { permission: 'fleet:write', subject: (call) => call.params.product },
    async (app, tx, { actor, params, body }) => {
      const now = await tx.now()
      const wanted = { ...params, ...body }
      const set = await foreign.setOmahaApp(tx, actor, await app.trust.freshState(), wanted, now)
      return {
        reply: set,
        detail: { appId: set.appId },
        afterCommit: () => app.omahaApps.reload(),
      }
    },
  ),
]
