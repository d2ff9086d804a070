/**
 * Other protocols: what hawkBit's DDI and Omaha say, in the words of our own reports. Pure rules
 * over values; the wire formats, the rows and the tokens are the caller's.
 */
export {
  applyCancelFeedback,
  applyFeedback,
  applyInstalled,
  detailsMax,
  endUnanswered,
  executions,
  isCancelOverdue,
  results,
  statusesMax,
} from './ddi-feedback.ts'
export type {
  DdiAction,
  DdiActionState,
  Effect,
  Execution,
  Feedback,
  Result,
} from './ddi-feedback.ts'
export { heldBackBy, noRestart, notAsked } from './held-back.ts'
export { readStatement } from './omaha-events.ts'
export type { OmahaEvent, OmahaStatement } from './omaha-events.ts'
export { changeReport } from './report.ts'
export type { ReportChange } from './report.ts'
