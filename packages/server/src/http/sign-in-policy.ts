import { setSignInPolicy, showSignInPolicy } from '@seaworthy/api/sign-in-policy'
import { requireUnscoped } from '../app/access/index.ts'
import * as people from '../app/people/index.ts'
import { endsRights, read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

export const signInPolicyEndpoints: readonly Endpoint[] = [
  read(showSignInPolicy, 'person:read', async (app, { actor }) => {
    requireUnscoped(actor, 'the sign-in policy concerns')
    return { passkeyRoles: await people.passkeyRoles(app.db.reader) }
  }),
  endsRights(
    setSignInPolicy,
    { permission: 'person:write', subject: () => 'sign-in-policy' },
    async (_app, tx, { actor, query, body, browser }) => {
      const page = `${browser.linkOrigin()}/people`
      const set = await people.setSignInPolicy(tx, actor, body.passkeyRoles, page)
      const isDryRun = query.dryRun === 'yes'
      const { passkeyRoles, endedSessionsCount, shutOut } = set
      return {
        reply: people.viewPolicyChange(set, isDryRun),
        isTrial: isDryRun,
        detail: { passkeyRoles, endedSessions: endedSessionsCount, shutOut: shutOut.length },
      }
    },
  ),
]
