import { listProducts, showProduct } from '@seaworthy/api/products'
import { reachesProduct } from '@seaworthy/fleet/access'
import type { App } from '../app/app.ts'
import { grantOf } from '../app/actors.ts'
import * as products from '../app/products.ts'
import { requireKnownProduct } from '../app/releases.ts'
import type { TrustState } from '../app/trust-plane.ts'
import { requireTrust } from '../app/trust-plane.ts'
import { pageLimitDefault } from '../app/views.ts'
import { newestReleaseKind } from '../db/releases.ts'
import { read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

export const productEndpoints: readonly Endpoint[] = [
  read(listProducts, 'product:read', async (app, { actor, query }) => {
    const state = await app.trust.freshState()
    const limit = query.limit ?? pageLimitDefault
    const names = products
      .listProducts(state)
      .filter((name) => name > (query.after ?? '') && reachesProduct(grantOf(actor), name))
    const items = []
    for (const name of names.slice(0, limit)) items.push(await view(app, requireTrust(state), name))
    return { items, next: names.length > limit ? names[limit - 1]! : null }
  }),
  read(showProduct, 'product:read', async (app, { actor, params }) => {
    const state = await app.trust.freshState()
    requireKnownProduct(actor, state, params.product)
    return view(app, requireTrust(state), params.product)
  }),
]

async function view(app: App, state: TrustState, product: string) {
  return products.viewProduct(state, product, await newestReleaseKind(app.db.reader, product))
}
