/** Limits how much one client may send: one that runs wild does not affect others. */
import { secondMs } from '@seaworthy/std/time'
import type { App } from '../app/app.ts'
import type { BudgetName } from '../app/worker/index.ts'
import { HttpError } from './problems.ts'

/** Spends one request of a caller's budget. Throws `too_many_requests`. */
export async function requireBudget(
  { budgets }: Pick<App, 'budgets'>,
  budget: BudgetName,
  who: string,
): Promise<void> {
  const spending = await budgets.spend(budget, who)
  if (spending.isAllowed) return
  const seconds = Math.ceil(spending.waitMs / secondMs)
  throw new HttpError(
    'too_many_requests',
    `this client has sent more requests than anybody needs: wait ${seconds} s, then send fewer`,
    { headers: { 'retry-after': String(seconds) } },
  )
}
