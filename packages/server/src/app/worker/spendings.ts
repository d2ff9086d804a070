/** What many actors have spent of the allowance that each of them has. */
import type { Allowance, Spending } from '@seaworthy/std/allowance'
import { spend } from '@seaworthy/std/allowance'
import type { Clock } from '@seaworthy/std/time'

export interface Spendings {
  /** What spending once more would give. */
  look(actor: string): Spending
  /** Spends once more, where it is allowed. */
  spend(actor: string): Spending
  giveBack(actor: string): void
}

const actorsMax = 100_000

/** Counts in the memory of this process. */
export function createSpendings(clock: Clock, allowance: Allowance): Spendings {
  // Actors in the order of their last spending: the least recent one is forgotten first.
  const usedUntilMs = new Map<string, number>()
  const look = (actor: string) => spend(usedUntilMs.get(actor) ?? 0, allowance, clock.monotonicMs())
  return {
    look,
    spend(actor) {
      const spending = look(actor)
      if (!spending.isAllowed) return spending
      usedUntilMs.delete(actor)
      if (usedUntilMs.size >= actorsMax) usedUntilMs.delete(usedUntilMs.keys().next().value!)
      usedUntilMs.set(actor, spending.usedUntilMs)
      return spending
    },
    giveBack(actor) {
      const used = usedUntilMs.get(actor)
      if (used !== undefined) usedUntilMs.set(actor, used - allowance.everyMs)
    },
  }
}
