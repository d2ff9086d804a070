/**
 * Reports of people without an account, and the private link behind which they read what became of
 * it. A report becomes a case that nobody has taken yet.
 */
import { base64UrlEncode } from '@seaworthy/std/bytes'
import { firstCaseState } from '@seaworthy/response/cases'
import type { ReportState } from '@seaworthy/response/cases'
import { newId } from '@seaworthy/std/ids'
import { Refusal } from '@seaworthy/std/refusal'
import { appendAudit } from '../../db/audit-log.ts'
import type { CaseRow } from '../../db/cases.ts'
import * as db from '../../db/cases.ts'
import { hashCode } from '../access/index.ts'
import type { App } from '../app.ts'
import type { CaseRefusal } from '../refusals.ts'
import { openEntry, sealTitle, writeEntry } from './texts.ts'

/** The most characters of each part, and the most that wait and that one reporter writes. */
export const reportLimits = {
  title: 200,
  text: 20_000,
  line: 200,
  untaken: 500,
  messages: 200,
} as const

const codeBytes = 32

export interface ReportedFlaw {
  readonly title: string
  readonly product: string
  readonly text: string
  /** How the reporter can be reached, and how they want to be thanked; both may be empty. */
  readonly contact: string
  readonly credit: string
  /** Whether it is the output of a scanner that nobody has looked into. */
  readonly isFromScanner: boolean
}

type Deps = Pick<App, 'db' | 'masterKey' | 'random'>

/**
 * Answers the code of the private link, which is stored as a hash only. Throws `reports_waiting`.
 */
export async function receiveReport(app: Deps, report: ReportedFlaw): Promise<string> {
  const code = base64UrlEncode(app.random.bytes(codeBytes))
  await app.db.write(async (tx) => {
    const { untaken } = reportLimits
    if ((await db.countUntakenReports(tx, untaken)) >= untaken) {
      throw new Refusal<CaseRefusal>(
        'reports_waiting',
        'too many reports wait to be read: try again tomorrow, or write to whoever runs this server',
      )
    }
    const now = await tx.now()
    const id = newId('case', now, app.random)
    const row: CaseRow = {
      ...{ id, sealed: sealTitle(app.masterKey, id, report.title), ...firstCaseState },
      ...{ handler: null, embargoUntil: null, reporterSha256: hashCode(code), openedAt: now },
      ...{ acknowledgedAt: null, answeredAt: null, lastAnswerAt: null, closedAt: null },
      waitingSince: now,
    }
    await db.insertCase(tx, row)
    await recordMessage(app, tx, { row, kind: 'report', text: wordsOf(report), at: now })
  })
  return code
}

/** The report as one text. A part that was left empty is left out. */
function wordsOf({ product, contact, credit, isFromScanner, text }: ReportedFlaw): string {
  const facts = [
    ['Product', product],
    ['Contact', contact],
    ['Credit', credit],
    ['Scanner', isFromScanner ? 'the output of a scanner that nobody has looked into' : ''],
  ].filter(([, value]) => value !== '')
  return [...facts.map(([name, value]) => `${name}: ${value}`), '', text].join('\n').trim()
}

/** A message of the reporter is kept also when the case is closed. */
export async function receiveReply(app: Deps, code: string, text: string): Promise<void> {
  await app.db.write(async (tx) => {
    const row = requireReport(await db.lockReportedCase(tx, hashCode(code)))
    if ((await db.countCaseEntries(tx, row.id)).ofReporter >= reportLimits.messages) {
      throw new Refusal<CaseRefusal>(
        'case_full',
        `you have written ${reportLimits.messages} messages to this report: make a new report that names this one`,
      )
    }
    const at = await tx.now()
    await recordMessage(app, tx, { row, kind: 'reply', text, at })
    await db.updateCase(tx, { ...row, waitingSince: row.waitingSince ?? at })
  })
}

/** The audit log says that there was a message, and of which case; RFD 45 says what bounds that. */
async function recordMessage(
  app: Deps,
  tx: Parameters<typeof db.insertCase>[0],
  message: { row: CaseRow; kind: 'report' | 'reply'; text: string; at: Date },
): Promise<void> {
  const { row, kind, text, at } = message
  const entry = { caseId: row.id, at, by: 'reporter', kind, text }
  const { entrySha256 } = await writeEntry(app, tx, entry)
  await appendAudit(tx, {
    ...{ actor: 'anonymous', action: `case.${kind}`, subject: row.id, outcome: 'done' },
    detail: { entrySha256 },
  })
}

export interface ReportStatus {
  readonly report: ReportState
  readonly isTaken: boolean
  readonly openedAt: Date
  readonly closedAt: Date | null
  readonly messages: readonly {
    readonly at: Date
    readonly isOurs: boolean
    readonly text: string
  }[]
}

/** What the reporter sees: how the report stands, and what they and the handlers have written. */
export async function readStatus(app: Deps, code: string): Promise<ReportStatus> {
  const tx = app.db.reader
  const { id, report, handler, openedAt, closedAt } = requireReport(
    await db.findReportedCase(tx, hashCode(code)),
  )
  const rows = await db.listMessages(tx, id, reportLimits.messages)
  return {
    ...{ report, isTaken: handler !== null, openedAt, closedAt },
    messages: rows.toReversed().map((row) => ({
      ...{ at: row.at, isOurs: row.kind === 'answer', text: openEntry(app.masterKey, row) },
    })),
  }
}

function requireReport(row: CaseRow | undefined): CaseRow {
  if (row !== undefined) return row
  throw new Refusal<CaseRefusal>(
    'report_not_found',
    'there is no report behind this link: look whether it is whole',
  )
}
