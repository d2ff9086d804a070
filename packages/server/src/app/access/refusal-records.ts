/**
 * Refused attempts of a recognised caller go into the audit log; those of strangers go only into
 * the log file.
 */
import { Refusal, TrustError } from '@seaworthy/std/refusal'
import { appendAudit } from '../../db/audit-log.ts'
import type { Actor } from './actors.ts'
import { anonymous } from './actors.ts'
import type { App } from '../app.ts'
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
 * Whether another entry about this actor may be written: a refused client in a loop must not fill
 * the log, however long it goes on.
 */
export async function mayRecord({ budgets }: Pick<App, 'budgets'>, actor: string) {
  return (await budgets.spend('refusals-recorded', actor)).isAllowed
}

export async function recordRefusal(
  app: Pick<App, 'budgets' | 'callerLog' | 'db'>,
  error: unknown,
  attempt: Attempt,
): Promise<void> {
  if (!(error instanceof Refusal) && !(error instanceof TrustError)) return
  // Nobody did anything wrong, and recording it would add load.
  if (error instanceof OverloadRefusal || isOnlyTooOften(error.code)) return
  const { action, subject } = attempt
  const actor = error instanceof KnownPersonRefusal ? error.personId : attempt.actor.id
  app.callerLog.warn(actor, 'request.refused', { actor, action, subject, code: error.code })
  if (actor === anonymous.id || !(await mayRecord(app, actor))) return
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

/** Codes of check-ins that come too often: the counts say how many there were. */
const isOnlyTooOften = (code: string | number) =>
  code === 'check_ins_waiting' || code === 'check_ins_too_often'
