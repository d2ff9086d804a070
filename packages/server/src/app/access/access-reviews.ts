/**
 * Reviews of access. A person marks what they have looked at as reviewed, and later reports say
 * what is different since. What they have not seen is not marked: a review names the state that was
 * shown, and is refused when that has changed meanwhile.
 */
import type { AccessReviewView, GrantChangeView } from '@seaworthy/api/access-reviews'
import type { ReviewedGrant } from '@seaworthy/fleet/access'
import { changesBetween, rightsOf } from '@seaworthy/fleet/access'
import { hexEncode, utf8Encode } from '@seaworthy/std/bytes'
import { newId } from '@seaworthy/std/ids'
import { Refusal } from '@seaworthy/std/refusal'
import { formatInstant } from '@seaworthy/std/time'
import * as db from '../../db/access-reviews.ts'
import type { AccessReviewRow } from '../../db/access-reviews.ts'
import type { ReadTx } from '../../db/connection.ts'
import { listGrants } from '../../db/grants.ts'
import type { GrantRow } from '../../db/grants.ts'
import type { RightsTx } from '../../db/rights.ts'
import { getPerson } from '../../db/people.ts'
import type { Ports } from '../app.ts'
import type { RoleRefusal } from '../refusals.ts'
import type { Actor } from './actors.ts'
import { requireUnscoped } from './actors.ts'
import { nodeSha256 } from './audit-log.ts'
import type { Current } from './current-actors.ts'
import { permissionsOfRow } from './grants.ts'

/** More than a person reads at once; the rest is counted. */
const changesMax = 1000
const pageSize = 1000

interface AccessChanges {
  readonly review: AccessReviewView | null
  readonly changes: GrantChangeView[]
  readonly changesCount: number
  readonly grantsCount: number
  readonly grantsSha256: string
}

/** What is different since the last review; without one, all there is. Throws `out_of_scope`. */
export async function showChanges(tx: ReadTx, actor: Actor, now: Date): Promise<AccessChanges> {
  requireUnscoped(actor, 'reviews of access are of')
  const review = await db.getLastReview(tx)
  const before = review === undefined ? [] : await db.listReviewedGrants(tx, review.id)
  const grants = await readAll(tx, now)
  const changes = changesBetween(before, grants)
  return {
    review: review === undefined ? null : viewReview(review),
    changes: changes.slice(0, changesMax).map((change) => ({
      kind: change.before === null ? 'added' : change.now === null ? 'ended' : 'changed',
      before: change.before && viewGrant(change.before),
      now: change.now && viewGrant(change.now),
    })),
    changesCount: changes.length,
    grantsCount: grants.length,
    grantsSha256: hexEncode(digestOf(grants)),
  }
}

/** Throws `out_of_scope`, `review_needs_person`, `review_stale`. */
export async function createReview(
  tx: RightsTx,
  { random }: Pick<Ports, 'random'>,
  actor: Current,
  seenSha256: string,
): Promise<AccessReviewView> {
  requireUnscoped(actor, 'reviews of access are of')
  const reviewer = await getPerson(tx, actor.kind === 'token' ? actor.token.holder : actor.id)
  if (reviewer === undefined) {
    throw new Refusal<RoleRefusal>(
      'review_needs_person',
      'a review is marked by a person, and this token goes back to none: pair a command line, and review with that',
    )
  }
  const now = await tx.now()
  const grants = await readAll(tx, now)
  const grantsSha256 = digestOf(grants)
  if (hexEncode(grantsSha256) !== seenSha256) {
    throw new Refusal<RoleRefusal>(
      'review_stale',
      'somebody was given something, or lost it, since the report that you saw: look at it again',
    )
  }
  const row = {
    ...{ id: newId('review', now, random), at: now, by: actor.id, reviewer: reviewer.id },
    ...{ grantsCount: grants.length, grantsSha256 },
  }
  await db.insertReview(tx, row, grants)
  return viewReview({ ...row, reviewerName: reviewer.name })
}

/** All that gives a right, by key: at most as many as people have made. */
async function readAll(tx: ReadTx, now: Date): Promise<ReviewedGrant[]> {
  const grants: ReviewedGrant[] = []
  for (let after: string | undefined = ''; after !== undefined;) {
    const rows: GrantRow[] = await listGrants(tx, { after, limit: pageSize, now })
    for (const row of rows) grants.push(seenOf(row))
    after = rows.length < pageSize ? undefined : rows.at(-1)!.id
  }
  return grants.toSorted((a, b) => (a.key < b.key ? -1 : 1))
}

function seenOf(row: GrantRow): ReviewedGrant {
  const { key, kind, id, name, holder, role, deniedBy, products, fleets, networks } = row
  const permissions = [...permissionsOfRow(row)]
  const { isEnabled } = row
  return {
    ...{ key, kind, id, name, holder, role, deniedBy, permissions },
    ...{ products, fleets, networks, isEnabled },
  }
}

const digestOf = (grants: readonly ReviewedGrant[]): Uint8Array =>
  nodeSha256(utf8Encode(grants.map(rightsOf).join('\n')))

function viewReview({ id, at, by, reviewer, reviewerName, grantsCount }: AccessReviewRow) {
  return {
    ...{ id, at: formatInstant(at), by },
    ...{ reviewer: { id: reviewer, name: reviewerName }, grantsCount },
  }
}

function viewGrant(grant: ReviewedGrant): GrantChangeView['now'] {
  const { kind, id, name, holder, role, deniedBy, permissions, isEnabled } = grant
  return {
    ...{ kind, id, name, holder, role, deniedBy: [...deniedBy], isEnabled },
    permissions: [...permissions],
    products: grant.products && [...grant.products],
    fleets: grant.fleets && [...grant.fleets],
    networks: grant.networks && [...grant.networks],
  }
}
