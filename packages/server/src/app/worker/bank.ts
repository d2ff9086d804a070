/**
 * The bank: the part of every budget that the workers of a server share. The primary process holds
 * it; each worker asks it by messages, through a `BankEnd`.
 */
import type { Spending } from '@seaworthy/std/allowance'
import type { Clock } from '@seaworthy/std/time'
import type { BudgetName } from './budgets.ts'
import { budgetNames, sharesOf } from './budgets.ts'
import type { Spendings } from './spendings.ts'
import { createSpendings } from './spendings.ts'

/** One call that somebody wants to spend from a budget. */
export interface Try {
  readonly budget: BudgetName
  /** Whose budget it is: an actor, an account, a network or a device. */
  readonly who: string
}

export interface Bank {
  /** Spends from every budget that is named, or from none. */
  take(tries: readonly Try[]): Spending
  giveBack(tries: readonly Try[]): void
}

export function createBank(clock: Clock, workersCount: number): Bank {
  const accounts = Object.fromEntries(
    budgetNames.map((name) => [name, createSpendings(clock, sharesOf(name, workersCount).bank)]),
  ) as Record<BudgetName, Spendings>
  return {
    take(tries) {
      for (const { budget, who } of tries) {
        const spending = accounts[budget].look(who)
        if (!spending.isAllowed) return spending
      }
      let last: Spending = { isAllowed: true, usedUntilMs: 0 }
      for (const { budget, who } of tries) last = accounts[budget].spend(who)
      return last
    },
    giveBack(tries) {
      for (const { budget, who } of tries) accounts[budget].giveBack(who)
    },
  }
}

/** How a worker reaches the bank. */
export interface BankAccess {
  take(tries: readonly Try[]): Promise<Spending>
  giveBack(tries: readonly Try[]): void
}

export interface BankEnd extends BankAccess {
  /** Takes the bank's answer to the question `id`. */
  receive(id: number, spending: Spending): void
}

export type BankMessage =
  | { readonly kind: 'take'; readonly id: number; readonly tries: readonly Try[] }
  | { readonly kind: 'give_back'; readonly tries: readonly Try[] }

export function createBankEnd(send: (message: BankMessage) => void): BankEnd {
  let lastId = 0
  const waiting = new Map<number, (spending: Spending) => void>()
  return {
    take(tries) {
      const id = ++lastId
      const { promise, resolve } = Promise.withResolvers<Spending>()
      waiting.set(id, resolve)
      send({ kind: 'take', id, tries })
      return promise
    },
    giveBack: (tries) => send({ kind: 'give_back', tries }),
    receive(id, spending) {
      waiting.get(id)?.(spending)
      waiting.delete(id)
    },
  }
}
