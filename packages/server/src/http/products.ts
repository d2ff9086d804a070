import {
  listProducts,
  setProductQuota,
  showProduct,
  showProductDependents,
} from '@seaworthy/api/products'
import { requireUnscoped } from '../app/access/index.ts'
import { setQuota } from '../app/content/index.ts'
import * as trust from '../app/trust/index.ts'
import { audited, read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

export const productEndpoints: readonly Endpoint[] = [
  read(listProducts, 'product:read', (app, { actor, query }) =>
    trust.listProducts(app, actor, query),
  ),
  read(showProduct, 'product:read', (app, { actor, params }) =>
    trust.findProduct(app, actor, params.product),
  ),
  read(showProductDependents, 'product:read', (app, { actor, params, query }) =>
    trust.showProductDependents(app, actor, params.product, query.channel),
  ),
  audited(
    setProductQuota,
    { permission: 'server:write', subject: (call) => call.params.product },
    async (app, tx, { actor, params: { product }, body }) => {
      requireUnscoped(actor, 'quotas share out the storage of')
      trust.requireKnownProduct(actor, await app.trust.freshState(), product)
      const wanted = { product, bytes: body.quotaBytes }
      const { isUnchanged, ...storage } = await setQuota(tx, wanted, actor.id)
      return { reply: { product, storage }, isUnchanged, detail: { quotaBytes: body.quotaBytes } }
    },
  ),
]
