/**
 * What every worker process needs whatever it serves: batches of writes, back-pressure, budgets of
 * callers and what is logged about them, health, and which worker leads. Promises: no caller waits
 * for other rows that cannot come; nothing of a caller that is turned away has been accepted; at
 * most one worker leads at a time.
 */
export { checkInTimes, createBatches } from './batches.ts'
export type { Batches } from './batches.ts'
export type { GatheringTimes } from './gathering.ts'
export { anyone, createCallerLog } from './caller-log.ts'
export { createHealth } from './health.ts'
export type { FollowedClock } from './database-clock.ts'
export { followDatabaseClock, keepComparing } from './database-clock.ts'
export type { Singleflight } from './singleflight.ts'
export { createSingleflight } from './singleflight.ts'
export { createBank, createBankEnd } from './bank.ts'
export type { BankAccess, BankMessage, Try } from './bank.ts'
export type { BudgetName } from './budgets.ts'
export { createBudgets } from './worker-budgets.ts'
export { answerWithin, checkReadiness } from './readiness.ts'
export type { Backlog } from './overload.ts'
export { createReloads } from './reloads.ts'
export { createWaitingLimit } from './waiting-limit.ts'
export {
  OverloadRefusal,
  TooOftenRefusal,
  joinBacklogs,
  refuseOverload,
  slowdownOf,
  slowedPollSeconds,
} from './overload.ts'
