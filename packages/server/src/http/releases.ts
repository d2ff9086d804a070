import { createRelease, listReleases, showRelease } from '@seaworthy/api/releases'
import * as releases from '../app/trust/releases.ts'
import { viewPage } from '../app/views.ts'
import { audited, read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

export const releaseEndpoints: readonly Endpoint[] = [
  audited(
    createRelease,
    {
      permission: 'release:write',
      subject: ({ params, body }) => `${params.product}@${body.version}`,
      before: (app, { actor, params, body }) =>
        releases.verifyNewRelease(app, actor, { ...params, ...body }),
    },
    async (app, tx, { actor, params, body }) => {
      const now = await tx.now()
      const wanted = { ...params, ...body }
      const { row, isNew } = await releases.createRelease(app, tx, actor, wanted, now)
      return {
        reply: releases.viewRelease(row, app.trust.state()),
        detail: { digest: row.digest, kind: row.kind, totalBytes: row.totalBytes },
        isUnchanged: !isNew,
      }
    },
  ),
  read(listReleases, 'release:read', async (app, { actor, params, query }) => {
    const page = await releases.listReleases(app, actor, params.product, query)
    return viewPage(page, (row) => releases.viewRelease(row, app.trust.state()))
  }),
  read(showRelease, 'release:read', async (app, { actor, params }) => {
    const row = await releases.findRelease(app, actor, params.product, params.version)
    return releases.viewRelease(row, app.trust.state())
  }),
]
