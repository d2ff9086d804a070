/**
 * OpenPGP signatures of what was published. Their key is on the machine of whoever signs, and never
 * here: the server verifies a signature, and serves it beside its document.
 */
import type { AdvisoryPublisherView, NextUnsignedView } from '@seaworthy/api/advisories'
import { utf8Encode } from '@seaworthy/std/bytes'
import { Refusal } from '@seaworthy/std/refusal'
import { formatInstant } from '@seaworthy/std/time'
import {
  openPgpSignatureError,
  parsePublicKey,
  publicKeyError,
  requireVerifiable,
  verifyOpenPgp,
} from '@seaworthy/trust/public-keys'
import * as db from '../../db/advisories.ts'
import type { ReadTx, WriteTx } from '../../db/connection.ts'
import type { Actor, Current } from '../access/index.ts'
import { requireUnscoped } from '../access/index.ts'
import type { AdvisoryRefusal } from '../refusals.ts'
import { viewPublisher } from './publisher.ts'
import { requirePublisher } from './publishing.ts'

/** The clock of whoever signs may be ahead by so much. */
const aheadMaxMs = 5 * 60_000

/**
 * Throws `out_of_scope`, `publisher_not_set`, `public_key_malformed`, `public_key_private`,
 * `public_key_unusable`.
 */
export async function setAdvisoryKey(
  tx: WriteTx,
  actor: Current,
  given: string,
): Promise<AdvisoryPublisherView> {
  requireUnscoped(actor, 'advisories are of')
  const { kind, publicKey, fingerprint } = await parsePublicKey(given)
  if (kind !== 'openpgp') {
    throw publicKeyError('public_key_unusable', 'documents are signed by an OpenPGP key')
  }
  requireVerifiable(publicKey)
  const before = requirePublisher(await db.lockPublisher(tx))
  if (before.openPgpFingerprint !== fingerprint) await db.clearSignatures(tx)
  const row = {
    ...{ publisher: before.publisher, setAt: await tx.now(), setBy: actor.id },
    ...{ openPgpKey: publicKey, openPgpFingerprint: fingerprint },
  }
  await db.writePublisher(tx, row)
  return viewPublisher(row)
}

/** Throws `out_of_scope`, `publisher_not_set`. */
export async function showNextUnsigned(tx: ReadTx, actor: Actor): Promise<NextUnsignedView> {
  requireUnscoped(actor, 'advisories are of')
  const { openPgpKey } = requirePublisher(await db.findPublisher(tx))
  const { count, next } = await db.findUnsigned(tx)
  if (next === undefined) return { publicKey: openPgpKey, count, next: null }
  const { name, version, csaf } = next
  return { publicKey: openPgpKey, count, next: { name, version, document: csaf } }
}

/**
 * Throws `out_of_scope`, `publisher_not_set`, `advisory_key_not_set`, `advisory_not_published`,
 * `openpgp_signature_malformed`, `openpgp_signature_wrong`.
 */
export async function signAdvisory(
  tx: WriteTx,
  actor: Current,
  { name, signature }: { readonly name: string; readonly signature: string },
): Promise<{ name: string; version: number; signedAt: string }> {
  requireUnscoped(actor, 'advisories are of')
  const { openPgpKey: publicKey } = requirePublisher(await db.lockPublisher(tx))
  if (publicKey === null) {
    throw new Refusal<AdvisoryRefusal>(
      'advisory_key_not_set',
      'nobody has said by which OpenPGP key documents are signed: `seaworthy advisory openpgp-key`',
    )
  }
  const newest = await db.findNewestVersion(tx, name)
  if (newest === undefined) {
    throw new Refusal<AdvisoryRefusal>(
      'advisory_not_published',
      `no advisory ${name} is public: there is nothing to sign`,
    )
  }
  const signedAt = await verifyOpenPgp({ publicKey, signature }, 'bytes', utf8Encode(newest.csaf))
  if (signedAt.getTime() > (await tx.now()).getTime() + aheadMaxMs) {
    throw openPgpSignatureError(
      'openpgp_signature_wrong',
      `the signature says that it is of ${formatInstant(signedAt)}, which is still to come: set the clock of the machine that signs`,
    )
  }
  await db.writeSignature(tx, newest, signature)
  await db.raiseSerial(tx)
  return { name, version: newest.version, signedAt: formatInstant(signedAt) }
}
