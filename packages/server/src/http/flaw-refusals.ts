/** What clients get of refusals of cases, advisories, statements (VEX) and records. */
import type { AdvisoryFault } from '@seaworthy/response/advisories'
import type { CaseFault } from '@seaworthy/response/cases'
import type { VexFault } from '@seaworthy/response/vex'
import type { OpenPgpSignatureCode } from '@seaworthy/trust/public-keys'
import type {
  AdvisoryRefusal,
  CaseRefusal,
  VexRefusal,
  VulnerabilityRefusal,
} from '../app/refusals.ts'
import type { Mapped } from './problem-form.ts'
import { no } from './problem-form.ts'

export const caseTable = {
  case_not_found: no(404, 'No such case'),
  case_not_taken: no(409, 'Nobody has taken the case'),
  case_not_opened: no(409, 'A text of the case cannot be opened'),
  case_full: no(409, 'Too many messages'),
  case_has_no_reporter: no(409, 'Nobody outside has reported the case'),
  case_embargo_time: no(422, 'Not a time at which an embargo can end'),
  case_move_illegal: no(409, 'The case cannot go on like that'),
  case_reader_unfit: no(409, 'Somebody who may not be read in'),
  case_reader_not_found: no(404, 'Nobody who is read in'),
  case_readers_too_many: no(409, 'Too many people are read in'),
  case_handler_stays: no(409, 'The handler stays read in'),
  report_not_found: no(404, 'No such report'),
  reports_waiting: no(503, 'Too many reports wait'),
} satisfies Record<CaseRefusal | CaseFault, Mapped>

export const advisoryTable = {
  advisory_not_found: no(404, 'No such advisory'),
  advisory_not_opened: no(409, 'The advisory cannot be opened'),
  advisory_changed: no(409, 'The advisory was changed meanwhile'),
  advisory_unfit: no(422, 'The advisory cannot be published as it is'),
  advisory_incomplete: no(422, 'The advisory lacks something'),
  vector_malformed: no(422, 'No vector of CVSS'),
  advisory_not_draft: no(409, 'There is nothing to review'),
  advisory_of_reviewer: no(409, 'Somebody else reviews it'),
  advisory_not_reviewed: no(409, 'Nobody has reviewed the advisory'),
  advisory_under_embargo: no(409, 'The case has an embargo'),
  advisory_not_published: no(409, 'The advisory is not public'),
  advisory_withdrawn: no(409, 'The advisory is withdrawn'),
  advisories_too_many: no(409, 'Too many advisories'),
  publisher_not_set: no(409, 'Nobody publishes here'),
  advisory_key_not_set: no(409, 'There is no key to sign by'),
  openpgp_signature_malformed: no(422, 'No OpenPGP signature'),
  openpgp_signature_wrong: no(422, 'The signature does not count'),
} satisfies Record<AdvisoryRefusal | AdvisoryFault | OpenPgpSignatureCode, Mapped>

export const vexTable = {
  vex_component_not_found: no(404, 'The release has no such component'),
  vex_statement_not_found: no(404, 'No such statement'),
  vex_statement_ended: no(409, 'The statement has ended already'),
  vex_statement_malformed: no(422, 'The statement cannot be used'),
  vex_statement_expired: no(422, 'The statement has expired already'),
} satisfies Record<VexRefusal | VexFault, Mapped>

export const vulnerabilityTable = {
  vulnerability_not_found: no(404, 'No such vulnerability'),
} satisfies Record<VulnerabilityRefusal, Mapped>
