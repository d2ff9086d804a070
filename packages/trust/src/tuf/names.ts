/**
 * Names of our own repositories: products, channels, versions, and the roles and paths made of
 * them.
 */

const name = /^[a-z][a-z0-9-]{0,62}$/
const reserved = ['root', 'targets', 'snapshot', 'timestamp']
const versionText = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$/

/**
 * Whether the text may name a product or a channel: it has no dots, so that a channel's role can be
 * split in one way only.
 */
export function isName(text: string): boolean {
  return name.test(text) && !reserved.includes(text)
}

/** Whether the text may be the version of a release. */
export function isVersion(text: string): boolean {
  return versionText.test(text)
}

/** The delegated role of a channel. Both names must have passed `isName`. */
export function channelRole(product: string, channel: string): string {
  return `${product}.${channel}`
}

/**
 * The path of a release as a target of its channel. Its parts must have passed `isName` and
 * `isVersion`.
 */
export function releasePath(product: string, channel: string, version: string): string {
  return `${product}/${channel}/${version}`
}

export type RoleKind =
  | { readonly kind: 'root' | 'targets' | 'snapshot' | 'timestamp' }
  | { readonly kind: 'product'; readonly product: string }
  | { readonly kind: 'channel'; readonly product: string; readonly channel: string }

/** The purpose of a role of our repository; `undefined` when its name is none of ours. */
export function roleKindOf(role: string): RoleKind | undefined {
  if (role === 'root' || role === 'targets' || role === 'snapshot' || role === 'timestamp') {
    return { kind: role }
  }
  const [product = '', channel, ...rest] = role.split('.')
  if (!isName(product) || rest.length > 0) return undefined
  if (channel === undefined) return { kind: 'product', product }
  return isName(channel) ? { kind: 'channel', product, channel } : undefined
}

/** The role whose metadata names the keys of `role`; `undefined` for root, which names its own. */
export function delegatorOf(role: string): string | undefined {
  const kind = roleKindOf(role)
  switch (kind?.kind) {
    case 'root':
    case undefined:
      return undefined
    case 'targets':
    case 'snapshot':
    case 'timestamp':
      return 'root'
    case 'product':
      return 'targets'
    case 'channel':
      return kind.product
  }
}
