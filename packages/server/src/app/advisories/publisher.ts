/** Who publishes advisories, and what they promise to whoever reports a flaw. */
import type { AdvisoryPublisherView } from '@seaworthy/api/advisories'
import type { AdvisoryPublisher } from '@seaworthy/response/advisories'
import { checkPublisher } from '@seaworthy/response/advisories'
import { formatInstant } from '@seaworthy/std/time'
import type { PublisherRow } from '../../db/advisories.ts'
import * as db from '../../db/advisories.ts'
import type { ReadTx, WriteTx } from '../../db/connection.ts'
import type { Actor, Current } from '../access/index.ts'
import { requireUnscoped } from '../access/index.ts'
import { requirePublisher } from './publishing.ts'

/** Throws `out_of_scope`, `publisher_not_set`. */
export async function showPublisher(tx: ReadTx, actor: Actor): Promise<AdvisoryPublisherView> {
  requireUnscoped(actor, 'advisories are of')
  return viewPublisher(requirePublisher(await db.findPublisher(tx)))
}

/**
 * Documents that are published already stay as they are. Throws `out_of_scope`, `advisory_unfit`.
 */
export async function setPublisher(
  tx: WriteTx,
  actor: Current,
  publisher: AdvisoryPublisher,
): Promise<AdvisoryPublisherView> {
  requireUnscoped(actor, 'advisories are of')
  checkPublisher(publisher)
  const before = await db.lockPublisher(tx)
  const row = {
    ...{ publisher, setAt: await tx.now(), setBy: actor.id },
    openPgpKey: before?.openPgpKey ?? null,
    openPgpFingerprint: before?.openPgpFingerprint ?? null,
  }
  await db.writePublisher(tx, row)
  return viewPublisher(row)
}

export function viewPublisher({
  publisher,
  openPgpFingerprint,
  setAt,
  setBy,
}: Omit<PublisherRow, 'serial'>): AdvisoryPublisherView {
  const supported = [...publisher.supported]
  return { ...publisher, supported, openPgpFingerprint, setAt: formatInstant(setAt), setBy }
}
