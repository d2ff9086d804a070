/** How long a confirmation opens dangerous routes. */
import { Refusal } from '@seaworthy/std/refusal'
import { minuteMs } from '@seaworthy/std/time'
import type { SessionRow } from '../../db/sessions.ts'
import type { PersonRefusal } from '../refusals.ts'
import type { Actor } from './actors.ts'

/** The time from the confirmation on. */
export const stepUpMs = 5 * minuteMs

/** The end of the time in which dangerous routes are open, if it is not over. */
export function steppedUpUntil({ steppedUpAt }: SessionRow, now: Date): Date | undefined {
  if (steppedUpAt === null) return undefined
  const until = new Date(steppedUpAt.getTime() + stepUpMs)
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
    `this is dangerous: confirm it first (POST /auth/step-up), then repeat it within ${stepUpMs / minuteMs} minutes`,
  )
}
