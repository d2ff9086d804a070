import { createRelease, listReleases, showRelease } from '@seaworthy/api/releases'
import * as trust from '../app/trust/index.ts'
import { viewPage } from '../app/paging.ts'
import { audited, read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

export const releaseEndpoints: readonly Endpoint[] = [
  audited(
    createRelease,
    {
      permission: 'release:write',
      subject: ({ params, body }) => `${params.product}@${body.version}`,
      before: (app, { actor, params, body }, leaving) =>
        trust.verifyNewRelease(app, actor, { ...params, ...body }, leaving),
    },
    async (app, tx, { actor, params, body }, found) => {
      const now = await tx.now()
      const wanted = { ...params, ...body }
      const { row, isNew } = await trust.createRelease(app, tx, actor, wanted, found, now)
      return {
        reply: trust.viewRelease(row, app.trust.state()),
        detail: { digest: row.digest, kind: row.kind, totalBytes: row.totalBytes },
        isUnchanged: !isNew,
      }
    },
  ),
  read(listReleases, 'release:read', async (app, { actor, params, query }) => {
    const page = await trust.listReleases(app, actor, params.product, query)
    return viewPage(page, (row) => trust.viewRelease(row, app.trust.state()))
  }),
  read(showRelease, 'release:read', async (app, { actor, params }) => {
    const row = await trust.findRelease(app, actor, params.product, params.version)
    return trust.viewRelease(row, app.trust.state())
  }),
]
