/**
 * Sign-in by an identity provider (OpenID Connect Core 1.0 or GitHub, code flow with PKCE). Whoever
 * has an account there is known here when they have linked it, or when one of its groups gives a
 * role. A provider never opens what needs a passkey.
 */
import { z } from 'zod'
import { lineField } from './ceremonies.ts'
import { instant, nameField, productName, text } from './fields.ts'
import { roleName } from './roles.ts'
import { defineRoute, nothing } from './route.ts'
import { selfView } from './sessions.ts'

const providerParams = z.strictObject({ provider: nameField })

/** An address without query and fragment, as providers publish it. */
const issuerField = z
  .string()
  .max(400)
  .regex(/^https:\/\/[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:\/[A-Za-z0-9._~%/-]*)?$/, 'an https address')

/** What the members of a group at the provider may do here. */
const groupGrant = z.strictObject({
  group: lineField(200),
  role: roleName,
  products: z.array(productName).max(100).optional(),
  fleets: z.array(nameField).max(100).optional(),
})
const groupGrantView = z.object({
  group: z.string(),
  role: roleName,
  products: z.array(productName).nullable(),
  fleets: z.array(nameField).nullable(),
})

/** The protocol: OpenID Connect, or GitHub’s OAuth 2.0 with its API. */
const providerKind = z.enum(['oidc', 'github'])

export const identityProviderView = z.object({
  name: nameField,
  kind: providerKind,
  /** What the button of the sign-in page says. */
  title: z.string(),
  issuer: z.string(),
  clientId: z.string(),
  /** Whether it is called with a client secret, which is shown to nobody. */
  hasClientSecret: z.boolean(),
  /** The CA certificates by which the provider is known; null for those of the system. */
  caPem: z.string().nullable(),
  /** The claim that lists groups; null when groups give nothing. */
  groupsClaim: z.string().nullable(),
  /**
   * The first whose group an account has counts; they are never added up. What the roles of others
   * deny is denied.
   */
  grants: z.array(groupGrantView),
  /** The address that the provider must be told to send people back to. */
  redirectUri: z.string(),
  createdAt: instant,
  changedAt: instant,
  changedBy: z.string(),
})
export type IdentityProviderView = z.output<typeof identityProviderView>

export const listIdentityProviders = defineRoute({
  name: 'identity-provider.list',
  method: 'GET',
  path: '/auth/identity-providers',
  auth: 'session',
  summary: 'List the identity providers by which people may sign in.',
  reply: z.object({ items: z.array(identityProviderView) }),
})

export const setIdentityProvider = defineRoute({
  name: 'identity-provider.set',
  method: 'PUT',
  path: '/auth/identity-providers/:provider',
  auth: 'session',
  stepUp: true,
  summary: 'Add an identity provider, or change one; it must answer, and its issuer stays.',
  params: providerParams,
  body: z.strictObject({
    /** Left out, the one before stays; OpenID Connect for a new one. */
    kind: providerKind.optional(),
    title: lineField(60),
    issuer: issuerField,
    clientId: lineField(200),
    /** Left out, the one before stays; null for none. */
    clientSecret: lineField(500).nullable().optional(),
    caPem: text(20_000, 1).nullable().optional(),
    groupsClaim: lineField(100).nullable().optional(),
    grants: z.array(groupGrant).max(100).optional(),
  }),
  reply: identityProviderView,
})

export const removeIdentityProvider = defineRoute({
  name: 'identity-provider.remove',
  method: 'DELETE',
  path: '/auth/identity-providers/:provider',
  auth: 'session',
  stepUp: true,
  summary: 'Remove an identity provider: sessions that began there end, and all links to it.',
  params: providerParams,
  reply: nothing,
  status: 204,
})

export const listWaysIn = defineRoute({
  name: 'sign-in.ways',
  method: 'GET',
  path: '/auth/sign-in/ways',
  auth: 'public',
  summary: 'List the identity providers that the sign-in page offers.',
  reply: z.object({ providers: z.array(z.object({ name: nameField, title: z.string() })) }),
})

/** Where the browser goes, to come back with an answer. */
const providerAddress = z.object({ url: z.string() })

/** What the provider has the browser bring back (RFC 6749, 4.1.2; RFC 9207). */
const providerAnswer = z.strictObject({
  provider: nameField,
  code: text(4000, 1),
  state: text(200, 1),
  iss: text(400, 1).optional(),
})

export const askProviderSignIn = defineRoute({
  name: 'session.by-provider.options',
  method: 'POST',
  path: '/auth/sign-in/providers/:provider/options',
  auth: 'public',
  summary: 'Ask where an identity provider lets people sign in.',
  params: providerParams,
  reply: providerAddress,
})

export const signInByProvider = defineRoute({
  name: 'session.by-provider',
  method: 'POST',
  path: '/auth/sign-in/provider',
  auth: 'public',
  summary: 'Sign in with the answer of an identity provider.',
  body: providerAnswer,
  reply: selfView,
})

export const askProviderStepUp = defineRoute({
  name: 'step-up.by-provider.options',
  method: 'POST',
  path: '/auth/step-up/providers/:provider/options',
  auth: 'session',
  summary: 'Ask where one’s identity provider lets one sign in anew, to confirm.',
  params: providerParams,
  reply: providerAddress,
})

export const stepUpByProvider = defineRoute({
  name: 'session.step-up-by-provider',
  method: 'POST',
  path: '/auth/step-up/provider',
  auth: 'session',
  summary: 'Confirm with a new sign-in at the identity provider, where the role may.',
  body: providerAnswer,
  reply: selfView,
})

export const identityView = z.object({
  provider: nameField,
  title: z.string(),
  /** How the provider calls the account. */
  account: z.string(),
  createdAt: instant,
  lastUsedAt: instant.nullable(),
})
export type IdentityView = z.output<typeof identityView>

export const listIdentities = defineRoute({
  name: 'identity.list',
  method: 'GET',
  path: '/auth/identities',
  auth: 'session',
  summary: 'List one’s accounts at identity providers.',
  reply: z.object({ items: z.array(identityView) }),
})

export const askIdentity = defineRoute({
  name: 'identity.options',
  method: 'POST',
  path: '/auth/identities/:provider/options',
  auth: 'session',
  stepUp: true,
  summary: 'Ask where one shows one’s account at an identity provider, to link it.',
  params: providerParams,
  reply: providerAddress,
})

export const linkIdentity = defineRoute({
  name: 'identity.link',
  method: 'POST',
  path: '/auth/identities',
  auth: 'session',
  stepUp: true,
  summary: 'Link one’s account at an identity provider, which can then sign in.',
  body: providerAnswer,
  reply: identityView,
})

export const unlinkIdentity = defineRoute({
  name: 'identity.unlink',
  method: 'DELETE',
  path: '/auth/identities/:provider',
  auth: 'session',
  stepUp: true,
  summary: 'Unlink one’s account at an identity provider; other sessions that began there end.',
  params: providerParams,
  reply: nothing,
  status: 204,
})
