/**
 * Passwords, each with an authenticator that shows codes (TOTP, RFC 6238), for browsers that refuse
 * passkeys. A password alone opens nothing, and no password opens what needs a passkey.
 */
import { z } from 'zod'
import { text } from './fields.ts'
import { defineRoute, nothing } from './route.ts'
import { selfView } from './sessions.ts'

/** The name for signing in; capitals do not matter. */
export const signInName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._@+-]{1,99}$/, 'a name of letters, digits and . _ @ + -')

/** Long enough for sentences, short enough to be judged quickly. */
const password = text(128, 1)
/** Six digits that the authenticator shows. */
const totpCode = z.string().regex(/^\d{6}$/, 'six digits')
const recoveryCode = z
  .string()
  .regex(/^[0-9a-hjkmnp-tv-z]{4}(?:-[0-9a-hjkmnp-tv-z]{4}){5,6}$/, 'a recovery code')

export const askPassword = defineRoute({
  name: 'password.options',
  method: 'POST',
  path: '/auth/password/options',
  auth: 'session',
  stepUp: true,
  summary: 'Ask for the secret of a new authenticator, which comes with a new password.',
  reply: z.object({
    /** Base32, as authenticators take it by hand. */
    secret: z.string(),
    /** `otpauth://…`, as they take it from a picture. */
    uri: z.string(),
  }),
})

export const setPassword = defineRoute({
  name: 'password.set',
  method: 'PUT',
  path: '/auth/password',
  auth: 'session',
  stepUp: true,
  summary: 'Set one’s password and authenticator, with a code that the authenticator shows.',
  body: z.strictObject({ name: signInName, password, code: totpCode }),
  reply: selfView,
})

export const removePassword = defineRoute({
  name: 'password.remove',
  method: 'DELETE',
  path: '/auth/password',
  auth: 'session',
  stepUp: true,
  summary: 'Remove one’s password and authenticator; other sessions that began with them end.',
  reply: nothing,
  status: 204,
})

export const signInByPassword = defineRoute({
  name: 'password.sign-in',
  method: 'POST',
  path: '/auth/sign-in/password',
  auth: 'public',
  summary: 'Sign in with a password and a code of the authenticator, or a recovery code.',
  body: z.strictObject({ name: signInName, password, code: z.union([totpCode, recoveryCode]) }),
  reply: selfView,
})

export const stepUpByCode = defineRoute({
  name: 'session.step-up-by-code',
  method: 'POST',
  path: '/auth/step-up/code',
  auth: 'session',
  summary: 'Confirm with a code of the authenticator, where the role needs no passkey for that.',
  body: z.strictObject({ code: totpCode }),
  reply: selfView,
})
