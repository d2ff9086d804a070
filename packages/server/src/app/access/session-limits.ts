/** How long a session is valid, and for what. */
import { Refusal } from '@seaworthy/std/refusal'
import { dayMs, hourMs, minuteMs } from '@seaworthy/std/time'
import type { SessionRow } from '../../db/sessions.ts'
import type { PersonRefusal } from '../refusals.ts'
import type { Actor } from './actors.ts'

export const sessionLimits = {
  /** The longest time between two requests. */
  idleMs: 12 * hourMs,
  /** The longest time since the sign-in. */
  lifetimeMs: 30 * dayMs,
  /** The same where an identity provider opened it, and may have closed the account since. */
  providerLifetimeMs: 12 * hourMs,
  /** How long dangerous routes are open after the person has confirmed. */
  stepUpMs: 5 * minuteMs,
} as const

export function hasSessionEnded(session: SessionRow, now: Date): boolean {
  const idleMs = now.getTime() - session.lastUsedAt.getTime()
  return (
    session.endedAt !== null ||
    session.expiresAt.getTime() <= now.getTime() ||
    idleMs >= sessionLimits.idleMs
  )
}

/** The end of the time in which dangerous routes are open, if it is not over. */
export function steppedUpUntil({ steppedUpAt }: SessionRow, now: Date): Date | undefined {
  if (steppedUpAt === null) return undefined
  const until = new Date(steppedUpAt.getTime() + sessionLimits.stepUpMs)
  return until.getTime() > now.getTime() ? until : undefined
}

/**
 * Guards dangerous routes. Throws `step_up_required` for a person who has not confirmed lately: a
 * browser that was left open, or whose cookie was stolen, opens nothing dangerous.
 */
export function requireStepUp(actor: Actor, now: Date): void {
  if (actor.kind !== 'person' || steppedUpUntil(actor.session, now) !== undefined) return
  throw new Refusal<PersonRefusal>(
    'step_up_required',
    'this is dangerous: confirm with your passkey first (POST /auth/step-up), then repeat it within five minutes',
  )
}
