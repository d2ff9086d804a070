/** Reviewed drafts become versions that the public has, of which none is ever changed. */
import type { AdvisoryContent, PublishedAdvisory } from '@seaworthy/response/advisories'
import { checkReason, checkWholeAdvisory, csafOf } from '@seaworthy/response/advisories'
import { Refusal } from '@seaworthy/std/refusal'
import type { AdvisoryRow, AdvisoryVersionRow, PublisherRow } from '../../db/advisories.ts'
import * as db from '../../db/advisories.ts'
import { lockCase } from '../../db/cases.ts'
import type { WriteTx } from '../../db/connection.ts'
import type { Current } from '../access/index.ts'
import type { App } from '../app.ts'
import { readerBehind } from '../cases/index.ts'
import type { AdvisoryRefusal } from '../refusals.ts'
import type { WrittenAdvisory } from './advisories.ts'
import { lockOpenAdvisory, viewDetails } from './advisories.ts'
import { openContent } from './sealing.ts'

const publishedMax = 5000
const versionsMax = 100

type Keys = Pick<App, 'masterKey'>

/**
 * Throws `out_of_scope`, `advisory_not_found`, `advisory_changed`, `advisory_withdrawn`,
 * `advisory_not_reviewed`, `advisory_under_embargo`, `advisory_unfit`, `advisory_incomplete`,
 * `advisory_not_opened`, `advisories_too_many`, `publisher_not_set`.
 */
export async function publishAdvisory(
  { masterKey }: Keys,
  tx: WriteTx,
  actor: Current,
  wanted: { readonly id: string; readonly revision: number; readonly what?: string | undefined },
): Promise<WrittenAdvisory> {
  const before = await lockOpenAdvisory(tx, actor, wanted)
  if (before.state !== 'reviewed') {
    throw new Refusal<AdvisoryRefusal>(
      'advisory_not_reviewed',
      `the advisory is ${before.state}: another person reviews it before it is published`,
    )
  }
  await requireNoEmbargo(tx, before)
  const content = openContent(masterKey, before)
  checkWholeAdvisory(content)
  const what = before.name === null ? 'First publication' : (wanted.what ?? '')
  checkReason(what)
  const state = before.name === null ? 'published' : 'corrected'
  return writeVersion(masterKey, tx, actor, { before, content, what, state, because: null })
}

/**
 * Throws `out_of_scope`, `advisory_not_found`, `advisory_withdrawn`, `advisory_not_published`,
 * `advisory_unfit`, `advisory_not_opened`, `publisher_not_set`.
 */
export async function withdrawAdvisory(
  { masterKey }: Keys,
  tx: WriteTx,
  actor: Current,
  { id, reason }: { readonly id: string; readonly reason: string },
): Promise<WrittenAdvisory> {
  const before = await lockOpenAdvisory(tx, actor, { id })
  checkReason(reason)
  const content = (await db.listAdvisoryVersions(tx, id)).at(-1)?.content
  if (content === undefined) {
    throw new Refusal<AdvisoryRefusal>(
      'advisory_not_published',
      'nobody outside has seen the advisory, so that there is nothing to withdraw: leave it a draft',
    )
  }
  const version = {
    before,
    content,
    what: 'Withdrawn',
    state: 'withdrawn',
    because: reason,
  } as const
  return writeVersion(masterKey, tx, actor, version)
}

/** Whoever agreed to an embargo must not read of the flaw before its end. */
async function requireNoEmbargo(tx: WriteTx, { caseId }: AdvisoryRow): Promise<void> {
  const row = await lockCase(tx, caseId)
  const isOn = row !== undefined && ['proposed', 'active', 'revise'].includes(row.embargo)
  if (!isOn) return
  throw new Refusal<AdvisoryRefusal>(
    'advisory_under_embargo',
    `the case has an embargo (${row.embargo}): end it with \`seaworthy case state ${caseId} end-embargo\`, or when it is public with \`public\`, and publish then`,
  )
}

interface NewVersion {
  readonly before: AdvisoryRow
  readonly content: AdvisoryContent
  readonly what: string
  readonly state: 'published' | 'corrected' | 'withdrawn'
  readonly because: string | null
}

async function writeVersion(
  masterKey: App['masterKey'],
  tx: WriteTx,
  actor: Current,
  { before, content, what, state, because }: NewVersion,
): Promise<WrittenAdvisory> {
  const publisher = requirePublisher(await db.lockPublisher(tx))
  const at = await tx.now()
  const earlier = await db.listAdvisoryVersions(tx, before.id)
  await requireRoom(tx, before, earlier)
  const name = before.name ?? (await nextName(tx, publisher, at))
  const changes = [
    ...earlier.map((version) => ({ at: version.at, what: version.what })),
    { at, what },
  ]
  const advisory: PublishedAdvisory = { name, content, changes, withdrawnBecause: because }
  const version: AdvisoryVersionRow = {
    ...{ advisoryId: before.id, version: changes.length, at, what, content },
    ...{ withdrawnBecause: because, csaf: csafOf(publisher.publisher, advisory), signature: null },
    ...{
      publishedBy: readerBehind(actor),
      reviewedBy: because === null ? before.reviewedBy : null,
    },
  }
  await db.insertAdvisoryVersion(tx, version)
  const row: AdvisoryRow = { ...before, name, state }
  await db.updateAdvisory(tx, row)
  await db.raiseSerial(tx)
  return { view: await viewDetails(masterKey, tx, row), row }
}

async function requireRoom(
  tx: WriteTx,
  { name }: AdvisoryRow,
  earlier: readonly AdvisoryVersionRow[],
): Promise<void> {
  const isFull = name === null && (await db.countNamed(tx)) >= publishedMax
  if (!isFull && earlier.length < versionsMax) return
  throw new Refusal<AdvisoryRefusal>(
    'advisories_too_many',
    `${publishedMax} advisories, each with ${versionsMax} versions, are all that one server publishes: export them to another host, and begin anew`,
  )
}

/** A number is drawn only now: a gap in the numbers would tell of a draft. */
async function nextName(tx: WriteTx, { publisher }: PublisherRow, at: Date): Promise<string> {
  const beginning = `${publisher.prefix}-${at.getUTCFullYear()}-`
  const number = (await db.highestNumber(tx, beginning)) + 1
  return `${beginning}${`${number}`.padStart(4, '0')}`
}

export function requirePublisher(row: PublisherRow | undefined): PublisherRow {
  if (row !== undefined) return row
  throw new Refusal<AdvisoryRefusal>(
    'publisher_not_set',
    'nobody has said who publishes here: `seaworthy advisory publisher --file FILE`',
  )
}
