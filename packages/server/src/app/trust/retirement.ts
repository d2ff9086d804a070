/** The end of products and channels: what depends on them, and what ends with them (RFD 53). */
import { Refusal } from '@seaworthy/std/refusal'
import type { ProposalIntent } from '@seaworthy/trust/tuf'
import { channelRole } from '@seaworthy/trust/tuf'
import type { ReadTx } from '../../db/connection.ts'
import type { ProductDependents } from '../../db/products.ts'
import { countProductDependents } from '../../db/products.ts'
import type { Actor } from '../access/index.ts'
import { requireWholeProduct } from '../access/index.ts'
import type { App, TrustState } from '../app.ts'
import type { ServerRefusal } from '../refusals.ts'
import { requireKnownChannel, requireKnownProduct } from './products.ts'
import { delegatedNames, requireTrust } from './trust-plane.ts'

/** Throws `product_not_found`, `channel_not_found`, `out_of_scope`. */
export async function showProductDependents(
  app: Pick<App, 'db' | 'trust'>,
  actor: Actor,
  product: string,
  channel: string | undefined,
): Promise<ProductDependents & { channels: string[]; releasesCount: number }> {
  requireWholeProduct(actor, product)
  const state = requireTrust(await app.trust.freshState())
  requireKnownProduct(actor, state, product)
  if (channel !== undefined) requireKnownChannel(state, product, channel)
  const roles =
    channel === undefined
      ? delegatedNames(state.roles.get(product)).toSorted()
      : [channelRole(product, channel)]
  let releasesCount = 0
  for (const role of roles) releasesCount += state.releases.get(role)?.length ?? 0
  return {
    ...(await countProductDependents(app.db.reader, product, channel ?? null)),
    channels: roles.map((role) => role.slice(product.length + 1)),
    releasesCount,
  }
}

/** The product, and the channel where it is only one, that the intent would end. */
function endOf(intent: ProposalIntent): { product: string; channel: string | null } | undefined {
  if (intent.kind === 'product-retire') return { product: intent.product, channel: null }
  return intent.kind === 'channel-retire' ? intent : undefined
}

/** Throws `fleets_remain` while fleets follow what the intent would end. */
export async function requireNoFollowers(tx: ReadTx, intent: ProposalIntent): Promise<void> {
  const end = endOf(intent)
  if (end === undefined) return
  const { fleets, fleetsCount } = await countProductDependents(tx, end.product, end.channel)
  if (fleetsCount === 0) return
  const what = end.channel === null ? end.product : `${end.product}/${end.channel}`
  throw new Refusal<ServerRefusal>(
    'fleets_remain',
    `${fleetsCount} fleets follow ${what} (${fleets.join(', ')}): move their devices and remove them first`,
  )
}

/** The roles that nobody delegates to any more once the intent is carried out. */
export function listEndedRoles(intent: ProposalIntent, state: TrustState | undefined): string[] {
  const end = endOf(intent)
  if (end === undefined) return []
  if (end.channel !== null) return [channelRole(end.product, end.channel)]
  return [end.product, ...delegatedNames(state?.roles.get(end.product))]
}
