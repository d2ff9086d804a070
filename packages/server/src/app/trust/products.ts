/** Products and channels as the signed metadata has them. */
import type { ProductView } from '@seaworthy/api/products'
import { reachesProduct } from '@seaworthy/fleet/access'
import type { FleetRefusal } from '@seaworthy/fleet/fleets'
import { newestRelease } from '@seaworthy/fleet/releases'
import { Refusal } from '@seaworthy/std/refusal'
import { channelRole } from '@seaworthy/trust/tuf'
import type { Published } from '../../db/odata/index.ts'
import { newestReleaseKind } from '../../db/releases.ts'
import { readStorage } from '../../db/storage.ts'
import type { Actor } from '../access/index.ts'
import { grantOf, requireProduct } from '../access/index.ts'
import type { App, TrustState } from '../app.ts'
import type { ServerRefusal } from '../refusals.ts'
import { delegatedNames, requireTrust } from './trust-plane.ts'
import { roleKeys } from './trust-status.ts'
import type { Page, PageQuery } from '../paging.ts'
import { readPage } from '../paging.ts'

/** Lists the products that the actor reaches, by name. */
export async function listProducts(
  app: Pick<App, 'db' | 'trust'>,
  actor: Actor,
  query: PageQuery,
): Promise<Page<ProductView>> {
  const state = await app.trust.freshState()
  const names = listProductNames(state).filter(
    (name) => name > (query.after ?? '') && reachesProduct(grantOf(actor), name),
  )
  const page = await readPage(
    query,
    async (limit) => names.slice(0, limit),
    (name) => name,
  )
  const items = []
  for (const name of page.items) items.push(await describe(app, requireTrust(state), name))
  return { items, next: page.next }
}

/** Throws `product_not_found`, `out_of_scope`. */
export async function findProduct(
  app: Pick<App, 'db' | 'trust'>,
  actor: Actor,
  product: string,
): Promise<ProductView> {
  const state = await app.trust.freshState()
  requireKnownProduct(actor, state, product)
  return describe(app, requireTrust(state), product)
}

/** The kind of the product's releases; `bundle` before there is any. */
export async function findProductKind(
  app: Pick<App, 'db' | 'trust'>,
  product: string,
): Promise<ProductView['kind']> {
  const state = app.trust.state()
  if (state !== undefined && listProductNames(state).includes(product)) {
    return (await describe(app, state, product)).kind
  }
  return (await newestReleaseKind(app.db.reader, product)) ?? 'bundle'
}

/** Throws `product_not_found`, `out_of_scope`. */
export function requireKnownProduct(
  actor: Actor,
  state: TrustState | undefined,
  product: string,
): void {
  requireProduct(actor, product)
  if (listProductNames(state).includes(product)) return
  throw new Refusal<ServerRefusal>('product_not_found', `there is no product ${product}`)
}

/**
 * Throws `product_not_found` or `channel_not_found`, with the names there are, unless the channel
 * is in the signed metadata.
 */
export function requireKnownChannel(state: TrustState, product: string, channel: string): void {
  if (state.roles.has(channelRole(product, channel))) return
  const channels = listChannelNames(state, product)
  if (!listProductNames(state).includes(product)) {
    throw new Refusal<ServerRefusal>('product_not_found', `there is no product ${product}`)
  }
  throw new Refusal<FleetRefusal>(
    'channel_not_found',
    channels.length === 0
      ? `${product} has no channel yet`
      : `${product} has no channel ${channel}, but ${channels.slice(0, 20).join(', ')}`,
  )
}

function listChannelNames(state: TrustState, product: string): string[] {
  return delegatedNames(state.roles.get(product))
    .map((role) => role.slice(product.length + 1))
    .toSorted()
}

function listProductNames(state: TrustState | undefined): string[] {
  return state === undefined ? [] : delegatedNames(state.roles.get('targets')).toSorted()
}

/** All products and channels of the signed metadata, as OData answers questions about them. */
export function listPublished(state: TrustState | undefined): Published {
  const names = listProductNames(state)
  if (state === undefined) return { products: [], channels: [] }
  const views = names.map((name) => viewProduct(state, name, undefined))
  return {
    products: views.map(({ name, role: { version, expiresAt } }) => ({ name, version, expiresAt })),
    channels: views.flatMap(({ name: product, channels }) =>
      channels.map(({ name, role: { version, expiresAt }, newest }) => ({
        ...{ product, name, version, expiresAt },
        newestVersion: newest?.version ?? null,
        newestCounter: newest?.counter ?? null,
      })),
    ),
  }
}

async function describe(
  app: Pick<App, 'db'>,
  state: TrustState,
  product: string,
): Promise<ProductView> {
  const kind = await newestReleaseKind(app.db.reader, product)
  return {
    ...viewProduct(state, product, kind),
    storage: await readStorage(app.db.reader, product),
  }
}

/**
 * Shows a product. Its `kind` is that of its newest signed release in any channel, otherwise of its
 * newest registered one, and `bundle` before there is any.
 */
function viewProduct(
  state: TrustState,
  product: string,
  registeredKind: ProductView['kind'] | undefined,
): Omit<ProductView, 'storage'> {
  const channels = delegatedNames(state.roles.get(product)).toSorted()
  const releases = channels.flatMap((role) => state.releases.get(role) ?? [])
  const newest = newestRelease(releases)
  return {
    name: product,
    kind: newest?.kind ?? registeredKind ?? 'bundle',
    role: viewRole(state, product),
    channels: channels.map((role) => {
      const [first] = state.releases.get(role) ?? []
      return {
        name: role.slice(product.length + 1),
        role: viewRole(state, role),
        newest: first === undefined ? null : { version: first.version, counter: first.counter },
      }
    }),
  }
}

function viewRole(state: TrustState, role: string): ProductView['role'] {
  const signed = state.roles.get(role)?.signed
  if (signed === undefined) throw new Error(`${role} is not in the verified metadata`)
  const { keyids, threshold } = roleKeys(state, role)
  return {
    role,
    version: signed.version,
    keyIds: [...keyids],
    threshold,
    expiresAt: signed.expires,
  }
}
