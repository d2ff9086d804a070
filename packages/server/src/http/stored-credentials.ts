import {
  addStoredCredential,
  listStoredCredentials,
  removeStoredCredential,
  replaceStoredCredential,
  showStoredCredential,
} from '@seaworthy/api/stored-credentials'
import * as credentials from '../app/credentials/index.ts'
import { audited, read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

export const storedCredentialEndpoints: readonly Endpoint[] = [
  read(listStoredCredentials, 'credential:read', (app, { actor, query, now }) =>
    credentials.listCredentials(app.db.reader, actor, query, now),
  ),
  read(showStoredCredential, 'credential:read', (app, { actor, params, now }) =>
    credentials.showCredential(app.db.reader, actor, params.credential, now),
  ),
  audited(
    addStoredCredential,
    {
      permission: 'credential:write',
      subject: (call) => call.body.name,
      before: (app, { actor, body }) => credentials.encryptNew(app, actor, body),
    },
    async (_app, tx, { actor }, encrypted) => {
      const row = await credentials.addCredential(tx, actor, encrypted)
      return {
        reply: await credentials.viewCredential(tx, row, await tx.now()),
        detail: factsOf(row),
      }
    },
  ),
  audited(
    replaceStoredCredential,
    {
      permission: 'credential:write',
      subject: (call) => call.params.credential,
      before: (app, { actor, params, body }) =>
        credentials.encryptNext(app, actor, params.credential, body),
    },
    async (_app, tx, { actor }, encrypted) => {
      const row = await credentials.replaceCredential(tx, actor, encrypted)
      return {
        reply: await credentials.viewCredential(tx, row, await tx.now()),
        detail: factsOf(row),
      }
    },
  ),
  audited(
    removeStoredCredential,
    { permission: 'credential:write', subject: (call) => call.params.credential },
    async (_app, tx, { actor, params }) => {
      const row = await credentials.removeCredential(tx, actor, params.credential)
      return { reply: undefined, detail: factsOf(row) }
    },
  ),
]

function factsOf(row: Awaited<ReturnType<typeof credentials.addCredential>>) {
  const { id, kind, version, target, memberOf } = row
  return { id, kind, version, target, memberOf }
}
