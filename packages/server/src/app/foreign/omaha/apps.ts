/** App ids of Omaha clients: the name of a product, or the one identifier that was set for it. */
import { Refusal } from '@seaworthy/std/refusal'
import type { Db, WriteTx } from '../../../db/connection.ts'
import { listOmahaApps, writeOmahaApp } from '../../../db/omaha-apps.ts'
import type { Current } from '../../access/index.ts'
import { requireWholeProduct } from '../../access/index.ts'
import type { ServerRefusal } from '../../refusals.ts'
import { requireTrust } from '../../trust/index.ts'
import type { OmahaAppTable, TrustState } from '../../app.ts'
import { createSingleflight } from '../../worker/index.ts'

export function createOmahaAppTable(db: Db): OmahaAppTable {
  let ids = new Map<string, string>()
  return {
    get: (product) => ids.get(product),
    reload: createSingleflight(async () => {
      const rows = await listOmahaApps(db.reader)
      ids = new Map(rows.map(({ product, appId }) => [product, appId]))
    }),
  }
}

/**
 * Clients write an app id with or without braces, in upper or lower case. Each character is read
 * only once, because a device chooses them.
 */
function normalizeAppId(spelling: string): string {
  let begin = 0
  let end = spelling.length
  while (begin < end && /[{\s]/.test(spelling[begin]!)) begin++
  while (begin < end && /[}\s]/.test(spelling[end - 1]!)) end--
  return spelling.slice(begin, end).toLowerCase()
}

export function isAppOf(
  table: Pick<OmahaAppTable, 'get'>,
  product: string,
  spelling: string,
): boolean {
  const appId = normalizeAppId(spelling)
  return appId === product || (appId !== '' && appId === table.get(product))
}

/** Throws `product_not_found`, `out_of_scope`. */
export async function setOmahaApp(
  tx: WriteTx,
  actor: Current,
  trust: TrustState | undefined,
  wanted: { readonly product: string; readonly appId: string },
  now: Date,
): Promise<{ product: string; appId: string }> {
  requireWholeProduct(actor, wanted.product)
  if (!requireTrust(trust).roles.has(wanted.product)) {
    throw new Refusal<ServerRefusal>('product_not_found', `there is no product ${wanted.product}`)
  }
  const appId = normalizeAppId(wanted.appId)
  await writeOmahaApp(tx, {
    product: wanted.product,
    appId,
    changedAt: now,
    changedBy: actor.id,
  })
  return { product: wanted.product, appId }
}
