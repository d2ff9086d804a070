/**
 * How often a person may change their own account. The least role may do so, and each change is an
 * entry of the log that all share. Each kind of change has an allowance of its own, so that a thief
 * of a person's session can keep them only from that kind of change, and for a minute. Ending
 * something spends nothing.
 */
import type { PersonRefusal } from '../refusals.ts'
import type { AccountChanges, Ports } from '../app.ts'
import { createSpendings, TooOftenRefusal } from '../worker/index.ts'
import { minuteMs, secondMs } from '@seaworthy/std/time'

/** Signing in counts too; nobody needs a hundred times at once and one more every minute. */
const changesOfOneKind = { burst: 100, everyMs: minuteMs }

/** Counts in memory; every worker counts for itself. */
export function createAccountChanges(clock: Ports['clock']): AccountChanges {
  const spendings = createSpendings(clock, changesOfOneKind)
  return {
    spend(personId, action) {
      const spending = spendings.spend(`${action} ${personId}`)
      if (spending.isAllowed) return
      const seconds = Math.ceil(spending.waitMs / secondMs)
      throw new TooOftenRefusal<PersonRefusal>(
        'account_changes_too_often',
        `this was done for your account more often than anybody needs: it can be done again in ${seconds} s`,
        seconds,
      )
    },
  }
}
