/** Decides, before anything of a request is read, whether its caller may call the route at all. */
import type { Route } from '@seaworthy/api/route'
import type { Actor } from '../app/access/index.ts'
import {
  recordRefusal,
  requirePermission,
  requirePerson,
  requireStepUp,
} from '../app/access/index.ts'
import type { App } from '../app/app.ts'
import type { Endpoint } from './endpoint.ts'

/** Routes on which nobody is signed in yet. */
export const isForStrangers = ({ auth }: Route): boolean => auth === 'public' || auth === 'pairing'

/**
 * Throws `permission_denied`, which is recorded, and `step_up_required`. `address` is what was
 * asked for.
 */
export async function requireMayCall(
  app: App,
  { route, permission }: Endpoint,
  actor: Actor,
  address: string,
  now: Date,
): Promise<void> {
  try {
    if (!isForStrangers(route)) requirePermission(actor, permission)
    if (route.auth === 'session') requirePerson(actor)
  } catch (error) {
    const attempt = { actor, action: route.name, subject: address.slice(0, 300) }
    await recordRefusal(app, error, attempt)
    throw error
  }
  if (route.stepUp) requireStepUp(actor, now)
}
