/** The problem codes of the routes for products. */
import type { KnownCode } from './problems.ts'

export const productProblems = {
  'product.dependents': [
    'channel_not_found',
    'not_initialized',
    'out_of_scope',
    'product_not_found',
  ],
  'product.list': ['not_initialized'],
  'product.set-quota': ['not_initialized', 'out_of_scope', 'product_not_found'],
  'product.show': ['not_initialized', 'out_of_scope', 'product_not_found'],
} as const satisfies Readonly<Record<string, readonly KnownCode[]>>
