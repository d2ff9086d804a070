import {
  addAccountKey,
  confirmAccountKey,
  listAccountKeys,
  listPersonKeys,
  removeAccountKey,
  removePersonKey,
} from '@seaworthy/api/account-keys'
import { requirePerson } from '../app/access/index.ts'
import * as people from '../app/people/index.ts'
import { audited, read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

export const accountKeyEndpoints: readonly Endpoint[] = [
  read(listAccountKeys, 'account:self', async (app, { actor }) => ({
    items: (await people.listAccountKeys(app.db.reader, actor)).map(people.viewAccountKey),
  })),
  audited(
    addAccountKey,
    {
      permission: 'account:self',
      subject: ({ actor }) => actor.id,
      before: (_app, { actor, body }) => people.judgeAccountKey(actor, body.publicKey),
    },
    async (app, tx, { actor, body }, key) => {
      const row = await people.addAccountKey(tx, app, actor, { name: body.name, key })
      const { id, personId, name, kind, algorithm, fingerprint } = row
      const isConfirmed = row.confirmedAt !== null
      return {
        reply: people.viewAccountKey(row),
        subject: id,
        detail: { person: personId, name, kind, algorithm, fingerprint, isConfirmed },
      }
    },
  ),
  audited(
    confirmAccountKey,
    { permission: 'account:self', subject: ({ params }) => params.accountKeyId },
    async (_app, tx, { actor, params }) => {
      const row = await people.confirmAccountKey(tx, requirePerson(actor), params.accountKeyId)
      const { name, fingerprint, createdBy } = row
      return { reply: people.viewAccountKey(row), detail: { name, fingerprint, createdBy } }
    },
  ),
  audited(
    removeAccountKey,
    { permission: 'account:self', subject: ({ params }) => params.accountKeyId },
    async (_app, tx, { actor, params }) => {
      const row = await people.removeAccountKey(tx, actor, params.accountKeyId)
      const { personId, name, fingerprint } = row
      return { reply: undefined, detail: { person: personId, name, fingerprint } }
    },
  ),
  read(listPersonKeys, 'person:read', async (app, { actor, params }) => {
    const rows = await people.listPersonKeys(app.db.reader, actor, params.personId)
    return { items: rows.map(people.viewAccountKey) }
  }),
  audited(
    removePersonKey,
    { permission: 'person:write', subject: ({ params }) => params.personId },
    async (_app, tx, { actor, params }) => {
      const row = await people.removePersonKey(tx, actor, params.personId, params.accountKeyId)
      const { id, name, fingerprint } = row
      return { reply: undefined, detail: { key: id, name, fingerprint } }
    },
  ),
]
