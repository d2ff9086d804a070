import { showSelf, showServer } from '@seaworthy/api/server'
import { permissionsOf } from '@seaworthy/fleet/access'
import { formatInstant } from '@seaworthy/std/time'
import { formatNoteKey } from '@seaworthy/trust/tlog'
import { grantOf } from '../app/access/index.ts'
import { invariant } from '@seaworthy/std/refusal'
import { read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

export const serverEndpoints: readonly Endpoint[] = [
  read(showServer, 'server:read', async (app, { now }) => ({
    name: 'seaworthy' as const,
    version: app.version,
    time: formatInstant(now),
    logVerifierKey: formatNoteKey(app.secrets.logSigner.key),
  })),
  read(showSelf, 'server:read', async (_app, { actor }) => {
    const isHeld = actor.kind === 'token' || actor.kind === 'person'
    invariant(isHeld, 'only tokens and people have the permission')
    const { expiresAt } = actor.kind === 'token' ? actor.token : actor.session
    const grant = grantOf(actor)
    return {
      ...{ actor: actor.id, role: grant.role, permissions: [...permissionsOf(grant)] },
      expiresAt: formatInstant(expiresAt),
    }
  }),
]
