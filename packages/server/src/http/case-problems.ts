/** What the work of routes of cases refuses. */
import type { KnownCode } from './problems.ts'

const reading = ['case_not_found', 'case_not_opened', 'case_not_taken', 'out_of_scope'] as const
const choosing = ['case_reader_unfit', 'case_readers_too_many', 'person_not_found'] as const

export const caseProblems = {
  'case.list': ['case_not_opened', 'out_of_scope'],
  'case.show': reading,
  'case.list-entries': reading,
  'case.open': ['out_of_scope'],
  'case.note': [...reading, 'case_full'],
  'case.answer': [...reading, 'case_full', 'case_has_no_reporter'],
  'case.move': [...reading, 'case_embargo_time', 'case_move_illegal'],
  'case.assign': [...reading, ...choosing],
  'case.read-in': [...reading, ...choosing],
  'case.read-out': [...reading, 'case_handler_stays', 'case_reader_not_found'],
} as const satisfies Readonly<Record<string, readonly KnownCode[]>>
