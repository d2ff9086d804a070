/** Says in time that a clock of a case is about to break, and when one has broken. */
import { formatInstant } from '@seaworthy/std/time'
import { appendAudit } from '../../db/audit-log.ts'
import type { CaseAlarm, CaseRow } from '../../db/cases.ts'
import * as db from '../../db/cases.ts'
import type { App } from '../app.ts'
import { writeEntry } from './texts.ts'
import { clocksOfCase } from './views.ts'

type Deps = Pick<App, 'clock' | 'db' | 'masterKey' | 'random'>

const pageMax = 200

/**
 * Raises each alarm once: in the case, for those who are read in, and in the audit log, which names
 * the case and not the clock. There is no metric: a count of cases is a trace of them.
 */
export async function raiseCaseAlarms(app: Deps): Promise<void> {
  let after = ''
  for (;;) {
    const rows = await db.listOpenCases(app.db.reader, after, pageMax)
    const raised = await db.listRaisedAlarms(
      app.db.reader,
      rows.map(({ id }) => id),
    )
    const known = new Set(raised.map(keyOf))
    const now = app.clock.now()
    const due = rows.flatMap((row) => alarmsOf(row, now)).filter((one) => !known.has(keyOf(one)))
    for (const alarm of due) await raise(app, alarm)
    const last = rows.at(-1)
    if (last === undefined || rows.length < pageMax) return
    after = last.id
  }
}

const keyOf = ({ caseId, clock, dueAt, state }: CaseAlarm) =>
  `${caseId} ${clock} ${dueAt.getTime()} ${state}`

function alarmsOf(row: CaseRow, now: Date): CaseAlarm[] {
  return clocksOfCase(row, now).flatMap(({ name, dueAt, state }) =>
    state === 'soon' || state === 'broken' ? [{ caseId: row.id, clock: name, dueAt, state }] : [],
  )
}

async function raise(app: Deps, alarm: CaseAlarm): Promise<void> {
  const { caseId, clock, dueAt, state } = alarm
  await app.db.write(async (tx) => {
    const row = await db.lockCase(tx, caseId)
    const at = await tx.now()
    // What was done meanwhile needs no alarm.
    const isOn =
      row !== undefined &&
      row.closedAt === null &&
      alarmsOf(row, at).some((one) => keyOf(one) === keyOf(alarm))
    if (!isOn || !(await db.insertCaseAlarm(tx, alarm, at))) return
    const text = `the clock ${clock} ${state === 'soon' ? 'is about to break' : 'has broken'}: due ${formatInstant(dueAt)}`
    const entry = { caseId, at, by: 'server', kind: 'alarm', text } as const
    const { entrySha256 } = await writeEntry(app, tx, entry)
    await appendAudit(tx, {
      ...{ actor: 'server', action: 'case.alarm', subject: caseId, outcome: 'alarm' },
      detail: { entrySha256 },
    })
  })
}
