/**
 * How often a person may change their own account. The least role may do so, and each change is an
 * entry of the log that all share. Each kind of change has a budget of its own, so that a thief of
 * a person's session can keep them only from that kind of change, and for a minute. Ending
 * something spends nothing.
 */
import { secondMs } from '@seaworthy/std/time'
import type { PersonRefusal } from '../refusals.ts'
import type { App } from '../app.ts'
import { TooOftenRefusal } from '../worker/index.ts'

/** Spends one change of that kind. Throws `account_changes_too_often`. */
export async function spendAccountChange(
  { budgets }: Pick<App, 'budgets'>,
  personId: string,
  action: string,
): Promise<void> {
  const spending = await budgets.spend('account-changes', `${action} ${personId}`)
  if (spending.isAllowed) return
  const seconds = Math.ceil(spending.waitMs / secondMs)
  throw new TooOftenRefusal<PersonRefusal>(
    'account_changes_too_often',
    `this was done for your account more often than anybody needs: it can be done again in ${seconds} s`,
    seconds,
  )
}
