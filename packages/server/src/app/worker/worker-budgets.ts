/**
 * A worker's side of the budgets. It grants by itself what is its own share, and asks the bank for
 * the rest. A caller that the bank refuses is refused without a question for a moment, so that a
 * flood reaches the bank once a second.
 */
import { cutText } from '@seaworthy/std/printable'
import type { Spending } from '@seaworthy/std/allowance'
import type { Clock } from '@seaworthy/std/time'
import { minuteMs, secondMs } from '@seaworthy/std/time'
import type { Budgets, CallerLog } from '../app.ts'
import type { BankAccess, Try } from './bank.ts'
import type { BudgetName } from './budgets.ts'
import { budgetNames, sharesOf } from './budgets.ts'
import type { Spendings } from './spendings.ts'
import { createSpendings } from './spendings.ts'

const refusedForMs = secondMs
const refusedMax = 10_000
const whoMax = 100

/** Whoever finds nothing left waits for the share that comes back first. */
const sooner = (own: Spending) => (shared: Spending) =>
  !own.isAllowed && !shared.isAllowed && own.waitMs < shared.waitMs ? own : shared

export function createBudgets(deps: {
  readonly clock: Clock
  readonly workersCount: number
  readonly bank: BankAccess
  /** Counts refusals by budget. */
  readonly limited: { add(amount: number, budget: string): void }
  readonly callerLog: Pick<CallerLog, 'warn'>
}): Budgets {
  const { clock, workersCount, bank, limited, callerLog } = deps
  const own = new Map<BudgetName, Spendings>()
  for (const name of budgetNames) {
    const { worker } = sharesOf(name, workersCount)
    if (worker !== undefined) own.set(name, createSpendings(clock, worker))
  }
  /**
   * The callers that the bank has refused, with the time until which each may spend nothing and the
   * time until which the bank is not asked.
   */
  const refused = new Map<string, { readonly waitUntilMs: number; readonly askFromMs: number }>()
  const loggedAtMs = new Map<BudgetName, number>()

  const note = ({ budget, who }: Try) => {
    limited.add(1, budget)
    const now = clock.monotonicMs()
    if (now - (loggedAtMs.get(budget) ?? Number.NEGATIVE_INFINITY) < minuteMs) return
    loggedAtMs.set(budget, now)
    const { burst } = sharesOf(budget, workersCount).whole
    callerLog.warn(budget, 'budget.spent', { budget, burst, who: cutText(who, whoMax) })
  }
  const known = ({ budget, who }: Try): Spending | undefined => {
    const found = refused.get(`${budget} ${who}`)
    const now = clock.monotonicMs()
    if (found === undefined || found.askFromMs <= now) return undefined
    return { isAllowed: false, waitMs: Math.max(1, found.waitUntilMs - now) }
  }
  const ask = async (tries: readonly [Try, ...Try[]]): Promise<Spending> => {
    let spending = tries.map(known).find((one) => one !== undefined)
    if (spending === undefined) {
      spending = await bank.take(tries)
      const [only] = tries
      if (!spending.isAllowed && tries.length === 1) {
        const now = clock.monotonicMs()
        const { waitMs } = spending
        if (refused.size >= refusedMax) refused.clear()
        refused.set(`${only.budget} ${only.who}`, {
          waitUntilMs: now + waitMs,
          askFromMs: now + Math.min(waitMs, refusedForMs),
        })
      }
    }
    if (!spending.isAllowed) note(tries[0])
    return spending
  }
  return {
    look(budget, who) {
      const ofWorker = own.get(budget)?.look(who)
      if (ofWorker?.isAllowed === true) return ofWorker
      return known({ budget, who }) ?? { isAllowed: true, usedUntilMs: 0 }
    },
    spend(budget, who) {
      const ofWorker = own.get(budget)?.spend(who)
      if (ofWorker === undefined) return ask([{ budget, who }])
      return ofWorker.isAllowed ? ofWorker : ask([{ budget, who }]).then(sooner(ofWorker))
    },
    take: ask,
    giveBack: (tries) => bank.giveBack(tries),
  }
}
