/** A change and its entry in the audit log: both or neither. */
import type { ApprovalRefusal } from '@seaworthy/fleet/access'
import { Refusal } from '@seaworthy/std/refusal'
import type { JsonValue } from '@seaworthy/trust/tuf'
import type { AuditEntry } from '../../db/audit-log.ts'
import { appendAudit } from '../../db/audit-log.ts'
import { readClock } from '../../db/connection.ts'
import type { RightsTx } from '../../db/rights.ts'
import { lockRights, shareRights } from '../../db/rights.ts'
import type { App, WriteTx } from '../app.ts'
import { spendAccountChange } from './account-allowance.ts'
import type { Current } from './current-actors.ts'
import { readCurrent } from './current-actors.ts'
import type { Attempt } from './refusal-records.ts'
import { recordRefusal } from './refusal-records.ts'
import { requireStepUp } from './step-up.ts'

/** The work needs another person's approval, or its approval is void. */
export class ApprovalNeededRefusal extends Refusal<ApprovalRefusal> {
  /** The id of the request. */
  readonly approval: string

  constructor(code: ApprovalRefusal, publicMessage: string, approval: string) {
    super(code, publicMessage)
    this.approval = approval
  }
}

/** Whether the work may go on. Where it may not, what was written to say so stays. */
export type Passage =
  | {
      readonly isOpen: true
      /** Added to the detail of the work's entry. */
      readonly detail?: Readonly<Record<string, JsonValue>>
    }
  | {
      readonly isOpen: false
      readonly refusal: ApprovalNeededRefusal
      readonly entry?: Pick<AuditEntry, 'action' | 'subject' | 'detail'>
    }

/** What a change tells the log about itself. */
export interface Change {
  /** The subject of the entry, where it is known only after the work. */
  readonly subject?: string
  /** The person that somebody turned out to be, where nobody was signed in before the work. */
  readonly by?: string
  /** Digests and short facts; never a secret. */
  readonly detail?: Readonly<Record<string, JsonValue>>
  /** Whether everything is as it was before; then nothing is recorded. */
  readonly isUnchanged?: boolean
  /** Whether it is undone: the work was done to learn what it does, and nothing is recorded. */
  readonly isTrial?: boolean
  /**
   * The entries to write instead, where the change is several changes that the log records one by
   * one.
   */
  readonly entries?: readonly Pick<AuditEntry, 'subject' | 'detail'>[]
  /** Runs after the commit, before the reply. */
  readonly afterCommit?: () => void | Promise<void>
}

interface ChangeOptions<Ahead> {
  /** Whether only a person who has confirmed lately may do it. */
  readonly needsStepUp?: boolean
  /** Whether it creates something in the person's own account, which the least role may do. */
  readonly isOfAccount?: boolean
  /**
   * Does what takes long and changes nothing, before a transaction is open. The work is given its
   * result.
   */
  readonly before?: (() => Promise<Ahead>) | undefined
  /** Asks, in the transaction and before the work, whether the work may go on. */
  readonly gate?: ((tx: WriteTx, actor: Current) => Promise<Passage>) | undefined
}

/** Takes back the transaction of a trial, and carries what the work has answered. */
class Trial extends Error {
  readonly result: Change

  constructor(result: Change) {
    super('this was a trial')
    this.result = result
  }
}

type Deps = Pick<App, 'budgets' | 'callerLog' | 'db' | 'removedDevices' | 'stoppedDevices'>

/**
 * Does the work and writes its audit entry in one transaction, which reads the actor again first: a
 * right that has ended by then changes nothing, and none ends before the commit. A refusal, also
 * one that `before` throws, is recorded in a transaction of its own and thrown on.
 */
export function changeAudited<C extends Change, Ahead = undefined>(
  app: Deps,
  attempt: Attempt,
  work: (tx: WriteTx, actor: Current, ahead: Ahead) => Promise<C>,
  options: ChangeOptions<Ahead> = {},
): Promise<C> {
  return changeUnder(shareRights, app, attempt, work, options)
}

/** Does the same for work that ends rights: while it runs, no other audited change does. */
export function changeRightsAudited<C extends Change, Ahead = undefined>(
  app: Deps,
  attempt: Attempt,
  work: (tx: RightsTx, actor: Current, ahead: Ahead) => Promise<C>,
  options: ChangeOptions<Ahead> = {},
): Promise<C> {
  return changeUnder(lockRights, app, attempt, work, options)
}

async function changeUnder<Tx extends WriteTx, C extends Change, Ahead>(
  lock: (tx: WriteTx) => Promise<Tx>,
  app: Deps,
  attempt: Attempt,
  work: (tx: Tx, actor: Current, ahead: Ahead) => Promise<C>,
  { before, gate, needsStepUp = false, isOfAccount = false }: ChangeOptions<Ahead>,
): Promise<C> {
  const { actor, action, subject } = attempt
  let change: C | ApprovalNeededRefusal
  try {
    const ahead = (await before?.()) as Ahead
    change = await app.db.write(async (open) => {
      const tx = await lock(open)
      const current = await readCurrent(app, tx, actor)
      if (needsStepUp) requireStepUp(current, await readClock(tx))
      const passage = (await gate?.(tx, current)) ?? { isOpen: true }
      if (!passage.isOpen) {
        const { entry, refusal } = passage
        if (entry !== undefined) {
          await appendAudit(tx, { actor: actor.id, outcome: 'done', ...entry })
        }
        return refusal
      }
      const result = await work(tx, current, ahead)
      if (result.isTrial === true) throw new Trial(result)
      if (result.isUnchanged === true) return result
      if (isOfAccount) await spendAccountChange(app, result.by ?? actor.id, action)
      const whole = { subject: result.subject ?? subject, detail: result.detail ?? {} }
      for (const entry of result.entries ?? [whole]) {
        await appendAudit(tx, {
          actor: result.by ?? actor.id,
          action,
          subject: entry.subject,
          outcome: 'done',
          detail: { ...entry.detail, ...passage.detail },
        })
      }
      return result
    })
  } catch (error) {
    if (error instanceof Trial) return error.result as C
    await recordRefusal(app, error, attempt)
    throw error
  }
  if (change instanceof ApprovalNeededRefusal) throw change
  await change.afterCommit?.()
  return change
}
