import {
  addServerName,
  removeServerName,
  requestCertificate,
  showCertificate,
} from '@seaworthy/api/certificates'
import { requireUnscoped } from '../app/access/index.ts'
import * as trust from '../app/trust/index.ts'
import type { App } from '../app/app.ts'
import { audited, read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

const options = {
  permission: 'server:write',
  subject: ({ params }: { params: { name: string } }) => params.name,
} as const

type Changed = Awaited<ReturnType<typeof trust.addServerName>>

const changed = (app: App, { tls, isUnchanged }: Changed) => {
  const reply = trust.viewCertificate(app, tls)
  return {
    ...{ reply, isUnchanged, detail: { names: reply.names } },
    afterCommit: () => app.certificate.reload(),
  }
}

export const certificateEndpoints: readonly Endpoint[] = [
  read(showCertificate, 'server:read', async (app) => trust.viewCertificate(app)),
  read(requestCertificate, 'server:write', async (app, { actor }) => {
    requireUnscoped(actor, 'the certificate is of')
    return trust.makeCertificateRequest(app)
  }),
  audited(addServerName, options, async (app, tx, { actor, params }) => {
    requireUnscoped(actor, 'names of the server concern')
    return changed(app, await trust.addServerName(app, tx, params.name))
  }),
  audited(removeServerName, options, async (app, tx, { actor, params }) => {
    requireUnscoped(actor, 'names of the server concern')
    return changed(app, await trust.removeServerName(app, tx, params.name))
  }),
]
