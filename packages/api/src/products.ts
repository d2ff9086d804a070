/**
 * Products and their channels. Both exist only when signed (a proposal); these routes read what is
 * published.
 */
import { z } from 'zod'
import {
  instant,
  nameField,
  pageOf,
  pageQuery,
  productKind,
  productName,
  versionField,
} from './fields.ts'
import { defineRoute } from './route.ts'

const roleView = z.object({
  role: z.string(),
  version: z.number().int(),
  keyIds: z.array(z.string()),
  threshold: z.number().int(),
  expiresAt: instant,
})

export const channelView = z.object({
  name: nameField,
  role: roleView,
  /** The release with the highest counter, if any. */
  newest: z.object({ version: versionField, counter: z.number().int() }).nullable(),
})
export type ChannelView = z.output<typeof channelView>

/** How much a product may hold; `null` for as much as there is. */
const quotaBytes = z
  .number()
  .int()
  .min(0)
  .max(2 ** 50)
  .nullable()

const storageView = z.object({
  usedBytes: z.number().int(),
  /** What is set aside for uploads that have not ended. */
  uploadingBytes: z.number().int(),
  quotaBytes,
})

export const productView = z.object({
  name: productName,
  kind: productKind,
  role: roleView,
  channels: z.array(channelView),
  /** Bytes in the registry; content that several releases share counts once. */
  storage: storageView,
})
export type ProductView = z.output<typeof productView>

export const listProducts = defineRoute({
  name: 'product.list',
  method: 'GET',
  path: '/v1/products',
  auth: 'actor',
  summary: 'List products with their channels.',
  query: pageQuery,
  reply: pageOf(productView),
})

export const showProduct = defineRoute({
  name: 'product.show',
  method: 'GET',
  path: '/v1/products/:product',
  auth: 'actor',
  summary: 'Show one product.',
  params: z.strictObject({ product: productName }),
  reply: productView,
})

const count = z.number().int().min(0)

export const showProductDependents = defineRoute({
  name: 'product.dependents',
  method: 'GET',
  path: '/v1/products/:product/dependents',
  auth: 'actor',
  summary: 'Count what depends on a product, or on one of its channels, and would end with it.',
  params: z.strictObject({ product: productName }),
  query: z.strictObject({ channel: nameField.optional() }),
  reply: z.object({
    /** Nothing is retired while there are any. */
    fleetsCount: count,
    /** The first of these fleets, at most 20. */
    fleets: z.array(nameField),
    devicesCount: count,
    rolloutsCount: count,
    /** Channels that end. */
    channels: z.array(nameField),
    /** Releases that these channels list: no device may take them any more. */
    releasesCount: count,
  }),
})

export const setProductQuota = defineRoute({
  name: 'product.set-quota',
  method: 'PUT',
  path: '/v1/products/:product/quota',
  auth: 'actor',
  summary: 'Set how many bytes a product may hold in the registry.',
  params: z.strictObject({ product: productName }),
  body: z.strictObject({ quotaBytes }),
  reply: z.object({ product: productName, storage: storageView }),
})
