/**
 * Addresses of pages. The server answers each of them with the same `index.html`; a part that
 * begins with `$` stands for a name or an identifier.
 */
export const pagePaths = [
  '/',
  '/account',
  '/approvals',
  '/credentials',
  '/devices',
  '/devices/$deviceId',
  '/first-owner',
  '/fleets',
  '/fleets/$fleet',
  '/guide',
  '/invitation',
  '/log',
  '/new-rollout',
  '/pair',
  '/people',
  '/proposals',
  '/proposals/$proposalId',
  '/recovery',
  '/releases',
  '/releases/$product/$version',
  '/rollouts',
  '/rollouts/$rolloutId',
  '/sign-in',
  '/sign-in-return',
  '/sign-in-return/$provider',
  '/tokens',
  '/trust',
] as const

export type PagePath = (typeof pagePaths)[number]

const patterns = pagePaths.map(
  (path) => new RegExp(`^${path.replaceAll(/\$[a-zA-Z]+/g, '[A-Za-z0-9][\\w.%+-]*')}$`),
)

/** Whether the address, which may have a search part, is that of a page of ours. */
export function isPageAddress(address: string): boolean {
  const [path = ''] = address.split('?', 1)
  return patterns.some((pattern) => pattern.test(path))
}
