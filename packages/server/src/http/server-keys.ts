import { announceServerKey, showServerKey, useServerKey } from '@seaworthy/api/server-keys'
import { requireUnscoped } from '../app/access/index.ts'
import * as trust from '../app/trust/index.ts'
import type { App } from '../app/app.ts'
import { audited, read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

const options = { permission: 'server:write', subject: () => 'server' } as const
const why = 'the key of the server concerns'
const afterCommit = (app: App) => () => app.certificate.reload()

export const serverKeyEndpoints: readonly Endpoint[] = [
  read(showServerKey, 'server:write', async (app, { actor, now }) => {
    requireUnscoped(actor, why)
    return trust.viewServerKey(app, app.db.reader, now)
  }),
  audited(announceServerKey, options, async (app, tx, { actor, body }) => {
    requireUnscoped(actor, why)
    const { another = false } = body
    const { pin, isUnchanged } = await trust.announceNextKey(app, tx, { another })
    const reply = await trust.viewServerKey(app, tx, await tx.now())
    return { reply, isUnchanged, detail: { pin }, afterCommit: afterCommit(app) }
  }),
  audited(useServerKey, options, async (app, tx, { actor, body }) => {
    requireUnscoped(actor, why)
    const { pin, unconfirmedMax = 0 } = body
    const { before, unconfirmed } = await trust.useNextKey(app, tx, { pin, unconfirmedMax })
    return {
      reply: { pin, before, cutOff: unconfirmed },
      detail: { before, pin, cutOff: unconfirmed },
      afterCommit: afterCommit(app),
    }
  }),
]
