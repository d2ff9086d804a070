/** Products and channels as the signed metadata has them. */
import type { ProductView } from '@seaworthy/api/products'
import type { TrustState } from './trust-plane.ts'
import { delegatedNames } from './trust-plane.ts'
import { roleKeys } from './trust-status.ts'

/** Product names in order. */
export function listProducts(state: TrustState | undefined): string[] {
  return state === undefined ? [] : delegatedNames(state.roles.get('targets')).toSorted()
}

/** `kind` is the one of its newest release anywhere, then of its newest registered one; a bundle before there is any. */
export function viewProduct(
  state: TrustState,
  product: string,
  registeredKind: ProductView['kind'] | undefined,
): ProductView {
  const channels = delegatedNames(state.roles.get(product)).toSorted()
  const releases = channels.flatMap((role) => state.releases.get(role) ?? [])
  const newest = releases.toSorted((a, b) => b.counter - a.counter)[0]
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
