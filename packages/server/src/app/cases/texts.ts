/**
 * Titles and texts of cases, sealed under the master key together with where they belong, so that
 * no row can stand for another. The digest of an entry goes into the audit log: it says nothing of
 * the text, and shows later that the entry is the one that was written then.
 */
import { equalBytes, hexEncode, utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import { parseAnyJsonText } from '@seaworthy/std/json'
import { Refusal } from '@seaworthy/std/refusal'
import { newId } from '@seaworthy/std/ids'
import { formatInstant } from '@seaworthy/std/time'
import type { MasterKey } from '../../config/master-key.ts'
import { SealError } from '../../config/master-key.ts'
import type { CaseEntryRow, CaseRow, EntryKind } from '../../db/cases.ts'
import { countCaseEntries, insertCaseEntry } from '../../db/cases.ts'
import type { WriteTx } from '../../db/connection.ts'
import { nodeSha256 } from '../access/index.ts'
import type { App } from '../app.ts'
import type { CaseRefusal } from '../refusals.ts'

/** The version of the form in which texts are sealed. */
const sealVersion = 1
const saltBytes = 16
const entriesMax = 2000

type Keys = Pick<App, 'masterKey' | 'random'>

export function sealTitle(masterKey: MasterKey, caseId: string, title: string): Uint8Array {
  return masterKey.seal(
    'case-text',
    sealVersion,
    utf8Encode(JSON.stringify({ case: caseId, title })),
  )
}

/** Throws `case_not_opened`. */
export function openTitle(masterKey: MasterKey, { id, sealed }: CaseRow): string {
  const held = openJson(masterKey, sealed) as { case: string; title: string }
  if (held.case !== id) throw notOpened(new SealError('the title is of another case'))
  return held.title
}

export interface NewEntry {
  readonly caseId: string
  readonly at: Date
  readonly by: string
  readonly kind: EntryKind
  readonly text: string
}

/**
 * Writes an entry, and answers it with the digest for the audit log. Throws `case_full` for what
 * comes from people; what the case itself records always has room.
 */
export async function writeEntry(
  { masterKey, random }: Keys,
  tx: WriteTx,
  entry: NewEntry,
): Promise<{ readonly row: CaseEntryRow; readonly entrySha256: string }> {
  const { caseId, at, by, kind, text } = entry
  const isText = kind === 'note' || kind === 'answer'
  if (isText && (await countCaseEntries(tx, caseId)).all >= entriesMax) {
    throw new Refusal<CaseRefusal>(
      'case_full',
      `the case has ${entriesMax} entries: open one that follows it, and say so in both`,
    )
  }
  const id = newId('entry', at, random)
  const plain = bytesOf({ id, ...entry }, { salt: hexEncode(random.bytes(saltBytes)), text })
  const sealed = masterKey.seal('case-text', sealVersion, plain)
  const row: CaseEntryRow = { id, caseId, at, by, kind, sealed }
  await insertCaseEntry(tx, row)
  return { row, entrySha256: hexEncode(nodeSha256(plain)) }
}

type Bound = Pick<CaseEntryRow, 'id' | 'caseId' | 'at' | 'by' | 'kind'>

function bytesOf(
  { id, caseId, at, by, kind }: Bound,
  { salt, text }: { readonly salt: string; readonly text: string },
): Uint8Array {
  const place = { id, case: caseId, at: formatInstant(at), by, kind }
  return utf8Encode(JSON.stringify({ format: 'seaworthy-case-entry-v1', ...place, salt, text }))
}

/** Throws `case_not_opened` also for an entry that was moved, or is said to be by somebody else. */
export function openEntry(masterKey: MasterKey, row: CaseEntryRow): string {
  const held = openJson(masterKey, row.sealed) as { salt: string; text: string }
  const expected = bytesOf(row, held)
  if (equalBytes(utf8Encode(JSON.stringify(held)), expected)) return held.text
  throw notOpened(new SealError('the entry is stored in the place of another one'))
}

function openJson(masterKey: MasterKey, sealed: Uint8Array) {
  try {
    const plain = masterKey.open('case-text', sealVersion, sealed)
    return parseAnyJsonText(utf8Decode(plain)) as Readonly<Record<string, string>>
  } catch (cause) {
    if (cause instanceof SealError) throw notOpened(cause)
    throw cause
  }
}

function notOpened(cause: SealError): Refusal<CaseRefusal> {
  return new Refusal<CaseRefusal>(
    'case_not_opened',
    'a text of the case cannot be opened: the master key is another one, or the database was changed',
    { cause },
  )
}
