/**
 * Refused attempts of a recognised caller go into the audit log; those of strangers go only into
 * the log file.
 */
import { Refusal, TrustError } from '@seaworthy/std/refusal'
import { minuteMs } from '@seaworthy/std/time'
import { appendAudit } from '../../db/audit.ts'
import type { Actor } from './actors.ts'
import { anonymous } from './actors.ts'
import type { App, Ports, RefusalLimiter } from '../app.ts'
import type { PersonRefusal } from '../refusals.ts'
import { createSpendings, OverloadRefusal } from '../worker/index.ts'

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

export function createRefusalLimiter(clock: Ports['clock']): RefusalLimiter {
  const spendings = createSpendings(clock, refusalAllowance)
  return { admits: (actor) => spendings.spend(actor).isAllowed }
}

export async function recordRefusal(
  app: Pick<App, 'callerLog' | 'db' | 'refusals'>,
  error: unknown,
  attempt: Attempt,
): Promise<void> {
  if (!(error instanceof Refusal) && !(error instanceof TrustError)) return
  // Nobody did anything wrong, and recording it would add load.
  if (error instanceof OverloadRefusal || error.code === 'check_ins_waiting') return
  const { action, subject } = attempt
  const actor = error instanceof KnownPersonRefusal ? error.personId : attempt.actor.id
  app.callerLog.warn(actor, 'request.refused', { actor, action, subject, code: error.code })
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
