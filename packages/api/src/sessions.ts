/**
 * Sign-in and sessions of people (A1). A session is a cookie, `__Host-seaworthy`; a request with it
 * that changes something must come from a page of this server.
 */
import { z } from 'zod'
import { passkeyProof, requestOptions } from './ceremonies.ts'
import { idField, instant, pageOf, pageQuery } from './fields.ts'
import { personView } from './people.ts'
import { defineRoute, nothing } from './route.ts'

export const sessionView = z.object({
  id: idField('session'),
  personId: idField('person'),
  personName: z.string(),
  createdAt: instant,
  lastUsedAt: instant,
  /** When it ends at the latest; it ends earlier when it is not used. */
  expiresAt: instant,
  /** Address and browser at the sign-in. */
  address: z.string(),
  userAgent: z.string(),
  /** What the person came in with. */
  factor: z.enum(['passkey', 'password', 'provider']),
  /** Whether it is the session of this request. */
  isCurrent: z.boolean(),
})
export type SessionView = z.output<typeof sessionView>

/** Who is signed in, and what they may do. */
export const selfView = z.object({
  person: personView,
  session: sessionView,
  permissions: z.array(z.string()),
  /** The end of the minutes in which dangerous routes are open; null when they are closed. */
  steppedUpUntil: instant.nullable(),
  recoveryCodesLeft: z.number().int().min(0),
  /** The password with authenticator; null without one. */
  password: z
    .object({ name: z.string(), createdAt: instant, lastUsedAt: instant.nullable() })
    .nullable(),
  /** Whether the role may sign in and confirm with it. */
  mayUsePassword: z.boolean(),
})
export type SelfView = z.output<typeof selfView>

export const askSignIn = defineRoute({
  name: 'session.options',
  method: 'POST',
  path: '/auth/sign-in/options',
  auth: 'public',
  summary: 'Ask for a challenge to sign in with a passkey.',
  reply: requestOptions,
})

export const signIn = defineRoute({
  name: 'session.create',
  method: 'POST',
  path: '/auth/sign-in',
  auth: 'public',
  summary: 'Sign in with a passkey. The reply sets the cookie of the session.',
  body: passkeyProof,
  reply: selfView,
})

export const showSession = defineRoute({
  name: 'session.show',
  method: 'GET',
  path: '/auth/session',
  auth: 'session',
  summary: 'Tell who is signed in, and what they may do.',
  reply: selfView,
})

export const signOut = defineRoute({
  name: 'session.end',
  method: 'DELETE',
  path: '/auth/session',
  auth: 'session',
  summary: 'Sign out: the session ends at once.',
  reply: nothing,
  status: 204,
})

export const askStepUp = defineRoute({
  name: 'step-up.options',
  method: 'POST',
  path: '/auth/step-up/options',
  auth: 'session',
  summary: 'Ask for a challenge to confirm with a passkey.',
  reply: requestOptions,
})

export const stepUp = defineRoute({
  name: 'session.step-up',
  method: 'POST',
  path: '/auth/step-up',
  auth: 'session',
  summary: 'Confirm with a passkey, which opens dangerous routes for five minutes.',
  body: passkeyProof,
  reply: selfView,
})

export const listSessions = defineRoute({
  name: 'session.list',
  method: 'GET',
  path: '/v1/sessions',
  auth: 'actor',
  summary: 'List sessions: of everybody for whoever may see people, otherwise one’s own.',
  query: pageQuery.extend({ person: idField('person').optional() }),
  reply: pageOf(sessionView),
})

export const revokeSession = defineRoute({
  name: 'session.revoke',
  method: 'DELETE',
  path: '/v1/sessions/:sessionId',
  auth: 'actor',
  summary: 'End a session at once: one’s own, or that of a person whose rights one could give.',
  params: z.strictObject({ sessionId: idField('session') }),
  reply: nothing,
  status: 204,
})
