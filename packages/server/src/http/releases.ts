import { createRelease, listReleases, showRelease } from '@seaworthy/api/releases'
import * as releases from '../app/releases.ts'
import { pageLimitDefault, pageOf } from '../app/views.ts'
import * as db from '../db/releases.ts'
import { audited, read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

export const releaseEndpoints: readonly Endpoint[] = [
  audited(
    createRelease,
    {
      permission: 'release:write',
      subject: ({ params, body }) => `${params.product}@${body.version}`,
    },
    async (app, tx, { actor, params, body, now }) => {
      const wanted = { ...params, ...body }
      const row = await releases.createRelease(app, tx, actor, wanted, now)
      return {
        reply: releases.viewRelease(row, app.trust.state()),
        detail: { digest: row.digest, kind: row.kind, totalBytes: row.totalBytes },
      }
    },
  ),
  read(listReleases, 'release:read', async (app, { actor, params, query }) => {
    const state = await app.trust.freshState()
    releases.requireKnownProduct(actor, state, params.product)
    const limit = query.limit ?? pageLimitDefault
    const page = { ...params, after: query.after ?? null, limit: limit + 1 }
    const rows = await db.listReleases(app.db.reader, page)
    return pageOf(
      rows,
      limit,
      (row) => releases.viewRelease(row, state),
      (row) => row.version,
    )
  }),
  read(showRelease, 'release:read', async (app, { actor, params }) => {
    const state = await app.trust.freshState()
    releases.requireKnownProduct(actor, state, params.product)
    const row = await releases.findRelease(app.db.reader, params.product, params.version)
    return releases.viewRelease(row, state)
  }),
]
