/** A person’s own passkeys, and the recovery codes for when all of them are lost. */
import { z } from 'zod'
import { creationOptions, lineField, newPasskey, transportName } from './ceremonies.ts'
import { idField, instant } from './fields.ts'
import { defineRoute, nothing } from './route.ts'
import { selfView } from './sessions.ts'

const passkeyName = lineField(60)

export const passkeyView = z.object({
  id: idField('passkey'),
  name: z.string(),
  createdAt: instant,
  lastUsedAt: instant.nullable(),
  transports: z.array(transportName),
  /** Whether copies of it are kept by a provider, so that a lost device loses no passkey. */
  isBackedUp: z.boolean(),
})
export type PasskeyView = z.output<typeof passkeyView>

const passkeyParams = z.strictObject({ passkeyId: idField('passkey') })

export const listPasskeys = defineRoute({
  name: 'passkey.list',
  method: 'GET',
  path: '/auth/passkeys',
  auth: 'session',
  summary: 'List one’s own passkeys.',
  reply: z.object({ items: z.array(passkeyView) }),
})

export const askPasskey = defineRoute({
  name: 'passkey.options',
  method: 'POST',
  path: '/auth/passkeys/options',
  auth: 'session',
  stepUp: true,
  summary: 'Ask for the challenge for a further passkey.',
  reply: creationOptions,
})

export const addPasskey = defineRoute({
  name: 'passkey.create',
  method: 'POST',
  path: '/auth/passkeys',
  auth: 'session',
  stepUp: true,
  summary: 'Register a further passkey.',
  body: z.strictObject({ name: passkeyName, passkey: newPasskey }),
  reply: passkeyView,
  status: 201,
})

export const renamePasskey = defineRoute({
  name: 'passkey.set',
  method: 'PATCH',
  path: '/auth/passkeys/:passkeyId',
  auth: 'session',
  summary: 'Rename one of one’s own passkeys.',
  params: passkeyParams,
  body: z.strictObject({ name: passkeyName }),
  reply: passkeyView,
})

export const removePasskey = defineRoute({
  name: 'passkey.remove',
  method: 'DELETE',
  path: '/auth/passkeys/:passkeyId',
  auth: 'session',
  stepUp: true,
  summary: 'Remove one of one’s own passkeys; the last one stays.',
  params: passkeyParams,
  reply: nothing,
  status: 204,
})

/** Ten at a time, each good for one use. Codes from before have six groups. */
const recoveryCode = z
  .string()
  .regex(
    /^[0-9a-hjkmnp-tv-z]{4}(?:-[0-9a-hjkmnp-tv-z]{4}){5,6}$/,
    'a recovery code: seven groups of four characters',
  )

export const createRecoveryCodes = defineRoute({
  name: 'recovery-codes.create',
  method: 'POST',
  path: '/auth/recovery-codes',
  auth: 'session',
  stepUp: true,
  summary: 'Make ten recovery codes, shown once. Earlier ones end at once.',
  reply: z.object({ codes: z.array(recoveryCode) }),
  status: 201,
})

export const askRecovery = defineRoute({
  name: 'recovery.options',
  method: 'POST',
  path: '/auth/recovery/options',
  auth: 'public',
  summary: 'Ask for the challenge for a new passkey, with a recovery code.',
  body: z.strictObject({ code: recoveryCode }),
  reply: creationOptions,
})

export const recover = defineRoute({
  name: 'recovery.create',
  method: 'POST',
  path: '/auth/recovery',
  auth: 'public',
  summary:
    'Register a new passkey with a recovery code, which is used up. The person’s other sessions end, and the reply sets the cookie of a new one.',
  body: z.strictObject({ code: recoveryCode, passkey: newPasskey }),
  reply: selfView,
})
