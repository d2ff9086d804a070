/**
 * Approvals by another person: what the rules of owners name is carried out only after somebody
 * else has agreed to exactly that. Promises: whoever asks never decides, by no credential and no
 * account of their making; an approval is spent once, by the same call with the same effect, in the
 * transaction of the act; both rights are read again there. Not handled here: what each call does
 * (the room of the call describes it), and who is asked to confirm again (`app/access`).
 */
export {
  approveRequest,
  listApprovals,
  rejectRequest,
  showApproval,
  withdrawRequest,
} from './approvals.ts'
export type { GuardedEffect } from './gate.ts'
export { digestOf, passGate, togetherMs } from './gate.ts'
export { policyEffect, setPolicy, showPolicy } from './policy.ts'
