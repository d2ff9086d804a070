/**
 * API tokens of people and service accounts (A3): scoped by role, expiring, revocable, shown once.
 */
import { z } from 'zod'
import { credentialField } from './credentials.ts'
import { idField, instant, nameField, pageOf, pageQuery, productName } from './fields.ts'
import { deniedByField, roleName } from './roles.ts'
import { dryRunQuery, rightsOutcome } from './handed-out.ts'
import { defineRoute } from './route.ts'

/** A network as CIDR, `192.0.2.0/24` or `2001:db8::/32`, or one address. */
const networkField = z
  .string()
  .max(49)
  .regex(/^[0-9A-Fa-f:.]+(?:\/[0-9]{1,3})?$/, 'a network such as 192.0.2.0/24, or an address')

export const tokenView = z.object({
  id: idField('token'),
  name: nameField,
  role: roleName,
  /** Further roles, of which nothing counts but what they deny. */
  deniedBy: z.array(roleName),
  /** The only products that the token works on; null for all. */
  products: z.array(productName).nullable(),
  fleets: z.array(nameField).nullable(),
  /** The only networks that it works from; null for all. */
  networks: z.array(z.string()).nullable(),
  createdAt: instant,
  createdBy: z.string(),
  expiresAt: instant,
  lastUsedAt: instant.nullable(),
})
export type TokenView = z.output<typeof tokenView>

export const createToken = defineRoute({
  name: 'token.create',
  method: 'POST',
  path: '/v1/tokens',
  auth: 'actor',
  stepUp: true,
  summary: 'Make a token. Nobody can give more than they have. The token itself is shown once.',
  body: z.strictObject({
    name: nameField,
    role: roleName,
    deniedBy: deniedByField.optional(),
    products: z.array(productName).max(100).optional(),
    fleets: z.array(nameField).max(100).optional(),
    networks: z.array(networkField).min(1).max(20).optional(),
    lifetimeSeconds: z
      .number()
      .int()
      .min(60)
      .max(366 * 86400),
  }),
  reply: z.object({ view: tokenView, token: credentialField }),
  status: 201,
})

export const refreshToken = defineRoute({
  name: 'token.refresh',
  method: 'POST',
  path: '/v1/tokens/self/refresh',
  auth: 'actor',
  summary:
    'Trade the token of this request for a new one of the same rights; the old one ends at once.',
  reply: z.object({ view: tokenView, token: credentialField }),
})

export const listTokens = defineRoute({
  name: 'token.list',
  method: 'GET',
  path: '/v1/tokens',
  auth: 'actor',
  summary: 'List tokens, without the tokens.',
  query: pageQuery,
  reply: pageOf(tokenView),
})

/** A token that exists or has existed: whose it is, and what became of it. */
export const tokenFacts = tokenView.extend({
  state: z.enum(['valid', 'expired', 'revoked']),
  revokedAt: instant.nullable(),
  /** The person or other maker to whom it goes back, however often it was traded or passed on. */
  holder: z.object({ id: z.string(), name: z.string().nullable() }),
})
export type TokenFacts = z.output<typeof tokenFacts>

export const getToken = defineRoute({
  name: 'token.show',
  method: 'GET',
  path: '/v1/tokens/:tokenId',
  auth: 'actor',
  summary: 'Show one token, ended ones too: whose it is, what it reaches, when it was used.',
  params: z.strictObject({ tokenId: idField('token') }),
  reply: tokenFacts,
})

export const revokeToken = defineRoute({
  name: 'token.revoke',
  method: 'DELETE',
  path: '/v1/tokens/:tokenId',
  auth: 'actor',
  stepUp: true,
  summary: 'Revoke a token at once, with what it has handed out.',
  params: z.strictObject({ tokenId: idField('token') }),
  query: dryRunQuery,
  reply: z.object(rightsOutcome),
})
