/** Cases as people see them. */
import type { CaseDetails, CaseEntryView, CaseView } from '@seaworthy/api/cases'
import type { CaseClock, CaseState } from '@seaworthy/response/cases'
import { clocksOf, listLegalEvents } from '@seaworthy/response/cases'
import { formatInstant } from '@seaworthy/std/time'
import type { MasterKey } from '../../config/master-key.ts'
import type { CaseEntryRow, CaseRow } from '../../db/cases.ts'
import { listCaseReaders } from '../../db/cases.ts'
import type { ReadTx } from '../../db/connection.ts'
import { instantOrNull } from '../views.ts'
import { openEntry, openTitle } from './texts.ts'

export const stateOf = ({ report, embargo, knowledge }: CaseRow): CaseState => ({
  ...{ report, embargo, knowledge },
})

const isReported = ({ reporterSha256 }: CaseRow) => reporterSha256 !== null

/** The clocks of a case, the one that is due first at the front. */
export function clocksOfCase(row: CaseRow, now: Date): CaseClock[] {
  const { embargo } = row
  const times = {
    ...row,
    reportedAt: isReported(row) ? row.openedAt : null,
    isEmbargoOn: embargo === 'proposed' || embargo === 'active' || embargo === 'revise',
  }
  return clocksOf(times, now)
}

/** `isReader` decides whether the title is shown. */
export function viewCase(
  masterKey: MasterKey,
  row: CaseRow & { readonly isReader: boolean },
  now: Date,
): CaseView {
  const { id, report, embargo, knowledge, handler } = row
  return {
    ...{ id, report, embargo, knowledge, handler, isReported: isReported(row) },
    title: row.isReader ? openTitle(masterKey, row) : null,
    embargoUntil: instantOrNull(row.embargoUntil),
    openedAt: formatInstant(row.openedAt),
    closedAt: instantOrNull(row.closedAt),
    waitingSince: instantOrNull(row.waitingSince),
    clocks: clocksOfCase(row, now).map(({ name, dueAt, metAt, state }) => ({
      ...{ name, dueAt: formatInstant(dueAt), metAt: instantOrNull(metAt), state },
    })),
  }
}

/** The whole of a case, which is for somebody who is read in. */
export async function viewCaseDetails(
  tx: ReadTx,
  masterKey: MasterKey,
  row: CaseRow,
  now: Date,
): Promise<CaseDetails> {
  const readers = await listCaseReaders(tx, row.id)
  return {
    ...viewCase(masterKey, { ...row, isReader: true }, now),
    readers: readers.map(({ id, name, readInAt, readInBy }) => ({
      ...{ id, name, readInAt: formatInstant(readInAt), readInBy },
    })),
    legalEvents: listLegalEvents(stateOf(row)),
  }
}

export function viewEntry(masterKey: MasterKey, row: CaseEntryRow): CaseEntryView {
  const { id, at, by, kind } = row
  return { id, at: formatInstant(at), by, kind, text: openEntry(masterKey, row) }
}
