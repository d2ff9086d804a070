/** How long a session is valid, and whether it has ended. */
import { dayMs, hourMs } from '@seaworthy/std/time'
import type { SessionRow } from '../../db/sessions.ts'

export const sessionLimits = {
  /** The longest time between two requests. */
  idleMs: 12 * hourMs,
  /** The longest time since the sign-in. */
  lifetimeMs: 30 * dayMs,
  /** The same where an identity provider opened it, and may have closed the account since. */
  providerLifetimeMs: 12 * hourMs,
} as const

export function hasSessionEnded(session: SessionRow, now: Date): boolean {
  const idleMs = now.getTime() - session.lastUsedAt.getTime()
  return (
    session.endedAt !== null ||
    session.expiresAt.getTime() <= now.getTime() ||
    idleMs >= sessionLimits.idleMs
  )
}
