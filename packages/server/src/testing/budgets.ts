/** Budgets of one server with several workers, in one process. */
import type { Clock } from '@seaworthy/std/time'
import type { Budgets } from '../app/app.ts'
import { createBank, createBudgets } from '../app/worker/index.ts'

/** The budgets as each of the workers sees them. */
export function createTestBudgets(
  clock: Clock,
  workersCount = 1,
): readonly [Budgets, ...Budgets[]] {
  const bank = createBank(clock, workersCount)
  const worker = () =>
    createBudgets({
      ...{ clock, workersCount },
      callerLog: { warn: () => undefined },
      bank: { take: async (tries) => bank.take(tries), giveBack: (tries) => bank.giveBack(tries) },
      limited: { add: () => undefined },
    })
  return [worker(), ...Array.from({ length: workersCount - 1 }, worker)]
}
