/**
 * Refused attempts of a recognised caller go into the audit log; those of strangers go only into
 * the log file.
 */
import { spend } from '@seaworthy/fleet/devices'
import { Refusal, TrustError } from '@seaworthy/std/refusal'
import { minuteMs } from '@seaworthy/std/time'
import { appendAudit } from '../../db/audit.ts'
import type { Actor } from './actors.ts'
import { anonymous } from './actors.ts'
import type { App, Ports, RefusalLimiter } from '../app.ts'
import type { PersonRefusal } from '../refusals.ts'
import { OverloadRefusal } from '../worker/index.ts'

/** A refusal of somebody who is not signed in, but whose account is known. */
export class KnownPersonRefusal extends Refusal<PersonRefusal> {
  readonly personId: string

  constructor(code: PersonRefusal, publicMessage: string, personId: string) {
    super(code, publicMessage)
    this.personId = personId
  }
}

export interface Attempt {
  readonly actor: Actor
  readonly action: string
  readonly subject: string
}

/**
 * Entries per actor and worker: a refused client in a loop must not fill the log, however long it
 * goes on.
 */
const refusalAllowance = { burst: 30, everyMs: 10 * minuteMs }
const actorsMax = 100_000

export function createRefusalLimiter(clock: Ports['clock']): RefusalLimiter {
  // Actors in the order of their last entry.
  const usedUntilMs = new Map<string, number>()
  return {
    admits(actor) {
      const nowMs = clock.monotonicMs()
      const spending = spend(usedUntilMs.get(actor) ?? 0, refusalAllowance, nowMs)
      if (!spending.isAllowed) return false
      usedUntilMs.delete(actor)
      if (usedUntilMs.size >= actorsMax) usedUntilMs.delete(usedUntilMs.keys().next().value!)
      usedUntilMs.set(actor, spending.usedUntilMs)
      return true
    },
  }
}

export async function recordRefusal(
  app: Pick<App, 'db' | 'log' | 'refusals'>,
  error: unknown,
  attempt: Attempt,
): Promise<void> {
  if (!(error instanceof Refusal) && !(error instanceof TrustError)) return
  // Nobody did anything wrong, and recording it would add load.
  if (error instanceof OverloadRefusal || error.code === 'check_ins_waiting') return
  const { action, subject } = attempt
  const actor = error instanceof KnownPersonRefusal ? error.personId : attempt.actor.id
  app.log.warn('request.refused', { actor, action, subject, code: error.code })
  if (actor === anonymous.id || !app.refusals.admits(actor)) return
  await app.db.write((tx) =>
    appendAudit(tx, {
      actor,
      action,
      subject,
      outcome: 'refused',
      detail: { code: String(error.code) },
    }),
  )
}
