/** Refused attempts of somebody who was recognised go into the audit log; noise of strangers only into the log file. */
import { Refusal, TrustError } from '@seaworthy/std/refusal'
import { minuteMs } from '@seaworthy/std/time'
import { appendAudit } from '../db/audit.ts'
import type { Actor } from './actors.ts'
import type { App, Ports } from './app.ts'
import { OverloadRefusal } from './overload.ts'

export interface Attempt {
  readonly actor: Actor
  readonly action: string
  readonly subject: string
  readonly at: Date
}

/** Entries per actor and minute and worker: a refused client in a loop must not fill the log. */
const refusalsPerMinuteMax = 30

export interface RefusalLimiter {
  /** Whether this actor's refusal may still be recorded in this minute. */
  admits(actor: string): boolean
}

export function createRefusalLimiter(clock: Ports['clock']): RefusalLimiter {
  let minute = 0
  let counts = new Map<string, number>()
  return {
    admits(actor) {
      const now = Math.floor(clock.monotonicMs() / minuteMs)
      if (now !== minute) {
        minute = now
        counts = new Map()
      }
      const count = (counts.get(actor) ?? 0) + 1
      counts.set(actor, count)
      return count <= refusalsPerMinuteMax
    },
  }
}

export async function recordRefusal(app: App, error: unknown, attempt: Attempt): Promise<void> {
  if (!(error instanceof Refusal) && !(error instanceof TrustError)) return
  // Nobody did anything wrong, and writing it down would be more load.
  if (error instanceof OverloadRefusal) return
  const { actor, action, subject, at } = attempt
  app.log.warn('request.refused', { actor: actor.id, action, subject, code: error.code })
  if (actor.kind === 'anonymous' || !app.refusals.admits(actor.id)) return
  await app.db.write((tx) =>
    appendAudit(tx, {
      at,
      actor: actor.id,
      action,
      subject,
      outcome: 'refused',
      detail: { code: String(error.code) },
    }),
  )
}
