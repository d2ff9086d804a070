/** Names under which Omaha clients know a product. */
import { z } from 'zod'
import { productName } from './fields.ts'
import { defineRoute } from './route.ts'

export const setOmahaApp = defineRoute({
  name: 'omaha-app.set',
  method: 'PUT',
  path: '/v1/products/:product/omaha-app',
  auth: 'actor',
  summary: 'Set the app id by which Omaha clients ask for a product, in addition to its name.',
  params: z.strictObject({ product: productName }),
  body: z.strictObject({
    /** The application id, with or without braces, in upper or lower case. */
    appId: z
      .string()
      .regex(/^\{?[A-Za-z0-9][A-Za-z0-9._-]{0,63}\}?$/, 'a UUID or another identifier'),
  }),
  reply: z.object({ product: productName, appId: z.string() }),
})
