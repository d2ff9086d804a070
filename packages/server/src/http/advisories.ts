import {
  createAdvisory,
  editAdvisory,
  listAdvisories,
  listAdvisoryPages,
  publishAdvisory,
  reviewAdvisory,
  setAdvisoryKey,
  setPublisher,
  showAdvisory,
  showNextUnsigned,
  showPublisher,
  signAdvisory,
  withdrawAdvisory,
} from '@seaworthy/api/advisories'
import * as advisories from '../app/advisories/index.ts'
import { audited, read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

/** The audit log says which revision it was, and nothing of the text. */
const recorded = ({ view, row }: advisories.WrittenAdvisory) => ({
  reply: view,
  detail: { revision: row.revision, sealedSha256: advisories.digestOf(row) },
})

const ofAdvisory = (call: { readonly params: { readonly advisoryId: string } }) =>
  call.params.advisoryId

export const advisoryEndpoints: readonly Endpoint[] = [
  read(listAdvisories, 'advisory:read', (app, { actor, query }) =>
    advisories.listAdvisories(app, app.db.reader, actor, query),
  ),
  read(showAdvisory, 'advisory:read', (app, { actor, params }) =>
    advisories.showAdvisory(app, app.db.reader, actor, params.advisoryId),
  ),
  audited(
    createAdvisory,
    { permission: 'advisory:write', subject: () => 'advisory' },
    async (app, tx, { actor, body }) => {
      const written = await advisories.createAdvisory(app, tx, actor, body)
      return { ...recorded(written), subject: written.row.id }
    },
  ),
  audited(
    editAdvisory,
    { permission: 'advisory:write', subject: ofAdvisory },
    async (app, tx, { actor, params, body }) =>
      recorded(await advisories.editAdvisory(app, tx, actor, { id: params.advisoryId, ...body })),
  ),
  audited(
    reviewAdvisory,
    { permission: 'advisory:write', subject: ofAdvisory },
    async (app, tx, { actor, params, body }) =>
      recorded(await advisories.reviewAdvisory(app, tx, actor, { id: params.advisoryId, ...body })),
  ),
  audited(
    publishAdvisory,
    { permission: 'advisory:publish', subject: ofAdvisory },
    async (app, tx, { actor, params, body }) =>
      recorded(
        await advisories.publishAdvisory(app, tx, actor, { id: params.advisoryId, ...body }),
      ),
  ),
  audited(
    withdrawAdvisory,
    { permission: 'advisory:publish', subject: ofAdvisory },
    async (app, tx, { actor, params, body }) =>
      recorded(
        await advisories.withdrawAdvisory(app, tx, actor, { id: params.advisoryId, ...body }),
      ),
  ),
  read(showPublisher, 'advisory:read', (app, { actor }) =>
    advisories.showPublisher(app.db.reader, actor),
  ),
  audited(
    setPublisher,
    { permission: 'advisory:publish', subject: () => 'advisory-publisher' },
    async (_app, tx, { actor, body }) => ({
      reply: await advisories.setPublisher(tx, actor, body),
      detail: { baseUrl: body.baseUrl },
    }),
  ),
  audited(
    setAdvisoryKey,
    { permission: 'advisory:publish', subject: () => 'advisory-publisher' },
    async (_app, tx, { actor, body }) => {
      const reply = await advisories.setAdvisoryKey(tx, actor, body.publicKey)
      return { reply, detail: { openPgpFingerprint: reply.openPgpFingerprint } }
    },
  ),
  read(showNextUnsigned, 'advisory:read', (app, { actor }) =>
    advisories.showNextUnsigned(app.db.reader, actor),
  ),
  audited(
    signAdvisory,
    { permission: 'advisory:publish', subject: ({ body }) => body.name },
    async (_app, tx, { actor, body }) => {
      const reply = await advisories.signAdvisory(tx, actor, body)
      return { reply, detail: { version: reply.version } }
    },
  ),
  read(listAdvisoryPages, 'advisory:read', (app, { actor, now }) =>
    advisories.listPages(app, actor, now),
  ),
]
