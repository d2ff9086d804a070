/** Reviews of who may do what, and what the last one saw. */
import type { ReviewedGrant } from '@seaworthy/fleet/access'
import type { ReadTx, WriteTx } from './connection.ts'

export interface AccessReviewRow {
  readonly id: string
  readonly at: Date
  readonly by: string
  readonly reviewer: string
  readonly reviewerName: string | null
  readonly grantsCount: number
  readonly grantsSha256: Uint8Array
}

export async function getLastReview({ sql }: ReadTx): Promise<AccessReviewRow | undefined> {
  const [row] = await sql<AccessReviewRow[]>`
    select r.id, r.at, r.by, r.reviewer, p.name as "reviewerName", r.grants_count as "grantsCount",
      r.grants_sha256 as "grantsSha256"
    from access_reviews r left join people p on p.id = r.reviewer order by r.id desc limit 1`
  return row
}

/** What the review saw, by key. At most one row for each grant that there was. */
export async function listReviewedGrants(
  { sql }: ReadTx,
  review: string,
): Promise<ReviewedGrant[]> {
  const rows = await sql<{ seen: ReviewedGrant }[]>`
    select seen from reviewed_grants where review = ${review} order by key`
  return rows.map(({ seen }) => seen)
}

/** Reviews of the past stay as entries of the log. */
const reviewsKept = 100
/** How many rows one statement writes: the protocol counts its parameters in 16 bits. */
const grantsOfStatement = 500

export async function insertReview(
  { sql }: WriteTx,
  row: Omit<AccessReviewRow, 'reviewerName'>,
  grants: readonly ReviewedGrant[],
): Promise<void> {
  await sql`delete from reviewed_grants`
  await sql`
    delete from access_reviews
    where id not in (select id from access_reviews order by id desc limit ${reviewsKept - 1})`
  await sql`
    insert into access_reviews (id, at, by, reviewer, grants_count, grants_sha256)
    values (${row.id}, ${row.at}, ${row.by}, ${row.reviewer}, ${row.grantsCount},
      ${Buffer.from(row.grantsSha256)})`
  for (let i = 0; i < grants.length; i += grantsOfStatement) {
    const part = grants.slice(i, i + grantsOfStatement).map((grant) => ({
      ...grant,
      deniedBy: [...grant.deniedBy],
      permissions: [...grant.permissions],
      products: grant.products && [...grant.products],
      fleets: grant.fleets && [...grant.fleets],
      networks: grant.networks && [...grant.networks],
    }))
    await sql`
      insert into reviewed_grants (review, key, seen)
      select ${row.id}, g ->> 'key', g from jsonb_array_elements(${sql.json(part)}) g`
  }
}
