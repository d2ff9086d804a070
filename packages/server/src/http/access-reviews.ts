import { createAccessReview, showAccessChanges } from '@seaworthy/api/access-reviews'
import * as access from '../app/access/index.ts'
import { endsRights, read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

export const accessReviewEndpoints: readonly Endpoint[] = [
  read(showAccessChanges, 'token:read', (app, { actor, now }) =>
    access.showChanges(app.db.reader, actor, now),
  ),
  // Nobody changes a grant while the review reads all of them.
  endsRights(
    createAccessReview,
    { permission: 'access:review', subject: () => 'access' },
    async (app, tx, { actor, body }) => {
      const view = await access.createReview(tx, app, actor, body.grantsSha256)
      const { id, reviewer, grantsCount } = view
      const { grantsSha256 } = body
      return {
        reply: view,
        subject: id,
        detail: { reviewer: reviewer.id, grantsCount, grantsSha256 },
      }
    },
  ),
]
