/** When a release cannot be shown to a device of another protocol. */
import type { HeldBack } from '../rollouts/rollout.ts'
import type { DdiAction } from './ddi-feedback.ts'

/**
 * The client reported something and asked for nothing. Such a request is never answered with an
 * offer, so none is made.
 */
export const notAsked: HeldBack = { reason: 'not_asked', exceptSha256: null }

/** The client would restart into an offer without asking again, and may not restart now. */
export const noRestart: HeldBack = { reason: 'restart_not_allowed', exceptSha256: null }

/**
 * A client's open action must end before another release can be shown to it, and so before another
 * release is granted.
 */
export function heldBackBy(action: Pick<DdiAction, 'state' | 'sha256'> | null): HeldBack | null {
  if (action === null) return null
  const exceptSha256 = action.state === 'running' ? action.sha256 : null
  return { reason: 'cancel_pending', exceptSha256 }
}
