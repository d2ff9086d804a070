/** What in the database depends on a product or channel of the signed metadata. */
import type { ReadTx } from './connection.ts'

export interface ProductDependents {
  readonly fleetsCount: number
  /** The first of these fleets, at most 20. */
  readonly fleets: string[]
  readonly devicesCount: number
  readonly rolloutsCount: number
}

/** Fleets that were not removed count. `null` stands for every channel of the product. */
export async function countProductDependents(
  { sql }: ReadTx,
  product: string,
  channel: string | null,
): Promise<ProductDependents> {
  const [row] = await sql<[ProductDependents]>`
    with followers as (
      select name from fleets where product = ${product} and removed_at is null
        and (${channel}::text is null or channel = ${channel})
    )
    select
      (select count(*) from followers)::int as "fleetsCount",
      array(select name from followers order by name limit 20) as fleets,
      (select count(*) from devices where fleet in (select name from followers))::int
        as "devicesCount",
      (select count(*) from rollouts where not is_settled
        and fleet in (select name from followers))::int as "rolloutsCount"`
  return row
}
