/**
 * Cases of reported flaws. Promises: whoever is not read in learns nothing of a case, not even that
 * it is there, whatever their role; a report that nobody has taken is shown to handlers without its
 * content; texts are sealed under the master key; every change is an entry of the case, and an
 * entry of the audit log that names the case and nothing of it. Not handled here: what states and
 * clocks a case has (`@seaworthy/response/cases`).
 */
export { raiseCaseAlarms } from './alarms.ts'
export { readerBehind } from './case-access.ts'
export {
  answerReporter,
  listCases,
  listEntries,
  moveBy,
  openCase,
  showCase,
  writeNote,
} from './cases.ts'
export { assignCase, readIn, readOut } from './readers.ts'
export type { ReportedFlaw, ReportStatus } from './reports.ts'
export { readStatus, receiveReply, receiveReport, reportLimits } from './reports.ts'
