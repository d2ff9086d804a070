import { listProducts, showProduct } from '@seaworthy/api/products'
import * as products from '../app/trust/products.ts'
import { read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

export const productEndpoints: readonly Endpoint[] = [
  read(listProducts, 'product:read', (app, { actor, query }) =>
    products.listProducts(app, actor, query),
  ),
  read(showProduct, 'product:read', (app, { actor, params }) =>
    products.findProduct(app, actor, params.product),
  ),
]
