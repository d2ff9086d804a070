import { listProducts, showProduct } from '@seaworthy/api/products'
import * as trust from '../app/trust/index.ts'
import { read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

export const productEndpoints: readonly Endpoint[] = [
  read(listProducts, 'product:read', (app, { actor, query }) =>
    trust.listProducts(app, actor, query),
  ),
  read(showProduct, 'product:read', (app, { actor, params }) =>
    trust.findProduct(app, actor, params.product),
  ),
]
