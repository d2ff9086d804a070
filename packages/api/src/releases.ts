/**
 * Releases: an OCI index in the product's repository, registered under a version. Immutable once
 * registered.
 */
import { z } from 'zod'
import {
  digestField,
  instant,
  pageOf,
  pageQuery,
  platformField,
  productKind,
  productName,
  versionField,
} from './fields.ts'
import { defineRoute } from './route.ts'

export const releaseView = z.object({
  product: productName,
  version: versionField,
  kind: productKind,
  /** Digest of the OCI index. */
  digest: digestField,
  /** Length of the OCI index in bytes. */
  length: z.number().int(),
  /** Bytes of everything below the index together. */
  totalBytes: z.number().int(),
  platforms: z.array(
    z.object({ platform: platformField, digest: digestField, bytes: z.number().int() }),
  ),
  createdAt: instant,
  createdBy: z.string(),
  /** Channels whose signed metadata list this release now, with the counter it has there. */
  channels: z.array(z.object({ channel: z.string(), counter: z.number().int() })),
})
export type ReleaseView = z.output<typeof releaseView>

const releaseParams = z.strictObject({ product: productName, version: versionField })

export const createRelease = defineRoute({
  name: 'release.create',
  method: 'POST',
  path: '/v1/products/:product/releases',
  auth: 'actor',
  summary:
    'Register an OCI index already pushed to the product repository as a release. The server checks that everything below it is there.',
  params: z.strictObject({ product: productName }),
  body: z.strictObject({ version: versionField, digest: digestField }),
  reply: releaseView,
  status: 201,
})

export const listReleases = defineRoute({
  name: 'release.list',
  method: 'GET',
  path: '/v1/products/:product/releases',
  auth: 'actor',
  summary: 'List releases, newest first.',
  params: z.strictObject({ product: productName }),
  query: pageQuery,
  reply: pageOf(releaseView),
})

export const showRelease = defineRoute({
  name: 'release.show',
  method: 'GET',
  path: '/v1/products/:product/releases/:version',
  auth: 'actor',
  summary: 'Show one release.',
  params: releaseParams,
  reply: releaseView,
})
