/** Statements out of documents, each judged by itself. */
import type { AuthoredVexStatement, VexImportReply } from '@seaworthy/api/vex'
import type { VexFault } from '@seaworthy/response/vex'
import { requireSoundClaim } from '@seaworthy/response/vex'
import { Refusal } from '@seaworthy/std/refusal'
import { minuteMs, parseInstant } from '@seaworthy/std/time'
import { lockComparison } from '../../db/components.ts'
import type { VexRow } from '../../db/vex.ts'
import { findVexStatement } from '../../db/vex.ts'
import type { Current } from '../access/index.ts'
import { requireWholeProduct } from '../access/index.ts'
import type { App, WriteTx } from '../app.ts'
import type { NewVexStatement } from './statements.ts'
import { requireComponent, storeVexStatement } from './statements.ts'

/** Clocks of others may be wrong by this much. */
const aheadMs = 5 * minuteMs

export async function importVexStatements(
  app: Pick<App, 'random'>,
  tx: WriteTx,
  actor: Current,
  { statements, replaces }: { statements: readonly AuthoredVexStatement[]; replaces: boolean },
): Promise<VexImportReply> {
  await lockComparison(tx)
  const now = await tx.now()
  const reply: VexImportReply = { taken: 0, unchanged: 0, setAside: [] }
  for (const given of statements) {
    const { authoredAt, expiresAt, ...rest } = given
    const stated: NewVexStatement = {
      ...rest,
      authoredAt: parseInstant(authoredAt),
      expiresAt: expiresAt === null ? null : parseInstant(expiresAt),
    }
    // Whoever does not reach the product does not learn what is stated of it either.
    const outOfScope = await orReason(async () => requireWholeProduct(actor, stated.product))
    const before = await findVexStatement(tx, stated)
    const why =
      outOfScope ??
      (before !== undefined && isSame(before, stated)
        ? undefined
        : ((await orReason(() => requireUsable(tx, stated, now))) ??
          (before && whyKept(before, stated, replaces))))
    if (why !== undefined) reply.setAside.push({ label: labelOf(given), why })
    else if (before !== undefined && isSame(before, stated)) reply.unchanged++
    else {
      await storeVexStatement(app, tx, actor, { stated, before, now })
      reply.taken++
    }
  }
  return reply
}

function labelOf({ vulnerability, product, version, purl }: AuthoredVexStatement): string {
  return `${vulnerability} in ${purl} of ${product} ${version}`
}

/**
 * Throws `release_not_found`, `vex_component_not_found`, `vex_statement_malformed`,
 * `vex_statement_expired`.
 */
async function requireUsable(tx: WriteTx, stated: NewVexStatement, now: Date): Promise<void> {
  if (stated.authoredAt!.getTime() > now.getTime() + aheadMs) {
    throw new Refusal<VexFault>('vex_statement_malformed', 'it says that it was made in the future')
  }
  requireSoundClaim(stated, now)
  await requireComponent(tx, stated)
}

/** The reason of a refusal, or `undefined` where there is none. */
async function orReason(work: () => Promise<void>): Promise<string | undefined> {
  try {
    await work()
    return undefined
  } catch (error) {
    if (error instanceof Refusal) return error.message
    throw error
  }
}

function isSame(before: VexRow, stated: NewVexStatement): boolean {
  return wordsOf(before) === wordsOf(stated)
}

function wordsOf(one: NewVexStatement): string {
  const { status, justification, impact, action, notes, evidence, isInherited } = one
  const { author, authoredAt, expiresAt } = one
  const words = [status, justification, impact, action, notes, isInherited, author, ...evidence]
  return JSON.stringify([words, authoredAt?.getTime(), expiresAt?.getTime()])
}

/** Why what is in force stays, or the new one is not believed. */
function whyKept(before: VexRow, stated: NewVexStatement, replaces: boolean): string | undefined {
  if (!replaces)
    return `another statement is in force, ${before.id}: it stays unless you replace it`
  const said = stated.authoredAt!
  if ((before.authoredAt ?? before.statedAt) > said)
    return `it is older than ${before.id}, which is in force`
  return undefined
}
