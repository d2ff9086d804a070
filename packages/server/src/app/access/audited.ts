/** A change and its entry in the audit log: both or neither. */
import type { JsonValue } from '@seaworthy/trust/tuf'
import { appendAudit } from '../../db/audit.ts'
import type { App, WriteTx } from '../app.ts'
import type { Attempt } from './refused-attempts.ts'
import { recordRefusal } from './refused-attempts.ts'

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
  /** Runs after the commit, before the reply. */
  readonly afterCommit?: () => void | Promise<void>
}

/**
 * Does the work and writes its audit entry in one transaction. A refusal, also one that `before`
 * throws, is recorded in a transaction of its own and thrown on.
 */
export async function changeAudited<C extends Change, Ahead = undefined>(
  app: Pick<App, 'db' | 'log' | 'refusals'>,
  attempt: Attempt,
  work: (tx: WriteTx, ahead: Ahead) => Promise<C>,
  /**
   * Does what takes long and changes nothing, while no transaction is open. The work gets its
   * result.
   */
  before?: () => Promise<Ahead>,
): Promise<C> {
  const { actor, action, subject } = attempt
  let change: C
  try {
    const ahead = (await before?.()) as Ahead
    change = await app.db.write(async (tx) => {
      const result = await work(tx, ahead)
      if (result.isUnchanged === true) return result
      await appendAudit(tx, {
        actor: result.by ?? actor.id,
        action,
        subject: result.subject ?? subject,
        outcome: 'done',
        ...(result.detail === undefined ? {} : { detail: result.detail }),
      })
      return result
    })
  } catch (error) {
    await recordRefusal(app, error, attempt)
    throw error
  }
  await change.afterCommit?.()
  return change
}
