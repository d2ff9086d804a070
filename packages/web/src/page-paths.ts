/** Addresses of pages. The server answers each of them with the same `index.html`. */
export const pagePaths = [
  '/',
  '/account',
  '/approvals',
  '/first-owner',
  '/invitation',
  '/pair',
  '/people',
  '/recovery',
  '/sign-in',
  '/sign-in-return',
  '/tokens',
] as const

export type PagePath = (typeof pagePaths)[number]
