/**
 * How often each kind of caller may do what costs the server something. All numbers stand here, and
 * docs/OPERATIONS.md gives their reasons. A budget holds for all workers of a server together: a
 * bank in the primary process counts for them. Pure.
 */
import type { Allowance } from '@seaworthy/std/allowance'
import { minuteMs, secondMs } from '@seaworthy/std/time'

/** Budgets of rare kinds: each time, the worker asks the bank. */
const asked = {
  /** Tries of one account: from strange browsers together, and from each known one. */
  'sign-in-account': { burst: 10, everyMs: 10 * minuteMs },
  /** Tries of a password and of identity providers, from one network, whatever the account. */
  'sign-in-network': { burst: 30, everyMs: minuteMs },
  'wrong-credentials-network': { burst: 60, everyMs: secondMs },
  'wrong-credentials-account': { burst: 60, everyMs: secondMs },
  /** Tries of a recovery code with a slow hash, counted by the part that finds it. */
  'old-recovery-code': { burst: 30, everyMs: 10 * minuteMs },
  /** Entries of the audit log about what was refused to one actor. */
  'refusals-recorded': { burst: 30, everyMs: 10 * minuteMs },
  /** Changes of one kind that a person makes to their own account. */
  'account-changes': { burst: 100, everyMs: minuteMs },
  /** Changes of what a filter finds, dry runs too, of one person and all their tokens. */
  'filtered-changes': { burst: 120, everyMs: 10 * secondMs },
  /** Questions of one network for the answer to a challenge of an ACME authority. */
  challenges: { burst: 120, everyMs: secondMs / 2 },
  /** Pages of reports that one network looks at, and reports and messages that it sends. */
  'report-pages': { burst: 120, everyMs: secondMs / 2 },
  'report-messages': { burst: 10, everyMs: 5 * minuteMs },
  /** Pages about advisories: a copy of all asks for six files of each. */
  'advisory-pages': { burst: 2000, everyMs: secondMs / 20 },
  /** Reports of everybody together: each one makes an entry of the audit log. */
  reports: { burst: 100, everyMs: 2 * minuteMs },
  /** Access tokens of one device. */
  'device-tokens': { burst: 60, everyMs: minuteMs },
  /** Messages that one FleetLock client or one device of another system sends. */
  messages: { burst: 120, everyMs: secondMs / 2 },
  /** Messages of all FleetLock clients that share one key. */
  'messages-of-key': { burst: 3000, everyMs: secondMs / 50 },
  /** What one line of tokens changes in the registry. */
  'registry-changes': { burst: 5000, everyMs: 3 * secondMs },
  /** Reports of one device that say something new. */
  'signed-reports': { burst: 512, everyMs: 10 * secondMs },
  'unsigned-reports': { burst: 512, everyMs: 10 * secondMs },
} as const satisfies Record<string, Allowance>

/** Budgets of frequent kinds: half of each is split evenly among the workers, which ask nobody. */
const split = {
  /** Requests of one person, or of one token and those that it was refreshed to. */
  api: { burst: 6000, everyMs: secondMs / 100 },
  /** Requests of one device, its check-ins apart. */
  'device-requests': { burst: 1200, everyMs: secondMs / 10 },
  'check-ins': { burst: 3000, everyMs: secondMs / 50 },
  /** Requests of one actor to the registry. */
  registry: { burst: 20_000, everyMs: secondMs / 200 },
} as const satisfies Record<string, Allowance>

export type AskedBudget = keyof typeof asked
export type SplitBudget = keyof typeof split
export type BudgetName = AskedBudget | SplitBudget

const budgets: Readonly<Record<BudgetName, Allowance>> = { ...asked, ...split }
export const budgetNames = Object.keys(budgets) as readonly BudgetName[]

export interface Shares {
  readonly whole: Allowance
  /** What each worker may grant by itself; `undefined` if it asks for each time. */
  readonly worker: Allowance | undefined
  readonly bank: Allowance
}

/** The shares together are never more than the budget, over any time. */
export function sharesOf(name: BudgetName, workersCount: number): Shares {
  const whole = budgets[name]
  const burst = Object.hasOwn(split, name) ? Math.floor(whole.burst / (2 * workersCount)) : 0
  if (burst === 0) return { whole, worker: undefined, bank: whole }
  return {
    whole,
    worker: { burst, everyMs: whole.everyMs * 2 * workersCount },
    bank: { burst: whole.burst - burst * workersCount, everyMs: whole.everyMs * 2 },
  }
}

/** One worker's even share of an allowance that no bank counts. Every worker may do something. */
export function evenShareOf(whole: Allowance, workersCount: number): Allowance {
  const burst = Math.max(1, Math.floor(whole.burst / workersCount))
  return { burst, everyMs: whole.everyMs * workersCount }
}
