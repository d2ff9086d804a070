/**
 * Cases: what becomes of a report of a flaw, from its receipt to its end (R2, R3). Promises: a case
 * changes by legal events only, in the model of CERT/CC's Vultron; the clocks follow from what has
 * happened, and say ahead of time that they are about to break. Not handled here: who may read a
 * case, and how it is stored.
 */
export type { CaseEvent, CaseFault, CaseState, EmbargoState, ReportState } from './states.ts'
export { caseEvents, firstCaseState, isKnowledge, listLegalEvents, moveCase } from './states.ts'
export type { CaseClock, CaseTimes } from './clocks.ts'
export { clocksOf } from './clocks.ts'
