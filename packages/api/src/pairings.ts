/**
 * Pairing of a command line by a person in a browser (A3), with the flow of RFC 8628: the command
 * line shows a short code, the person types it into the page and decides. The token goes to whoever
 * has the long code, which the command line sends to this server alone.
 */
import { z } from 'zod'
import { credentialField } from './credentials.ts'
import { idField, instant, nameField, productName } from './fields.ts'
import { roleName } from './roles.ts'
import { defineRoute, nothing } from './route.ts'
import { tokenView } from './tokens.ts'

/** Letters that neither make words nor are mistaken for digits (RFC 8628, 6.1). */
export const userCodeLetters = 'BCDFGHJKLMNPQRSTVWXZ'

const userCode = z
  .string()
  .regex(new RegExp(`^[${userCodeLetters}]{4}-[${userCodeLetters}]{4}$`), 'a code, XXXX-XXXX')

/**
 * What a machine calls itself. It is shown to the person who decides, so no character in it may
 * imitate other words of the page.
 */
export const machineName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'a name of letters, digits and . _ -')

export const tokenLifetime = z
  .number()
  .int()
  .min(60)
  .max(366 * 86400)

export const beginPairing = defineRoute({
  name: 'pairing.create',
  method: 'POST',
  path: '/auth/pairings',
  auth: 'pairing',
  summary: 'Ask for a token: a person who has signed in decides, within ten minutes.',
  body: z.strictObject({
    machine: machineName,
    /** Without one, the person chooses. */
    role: roleName.optional(),
    products: z.array(productName).max(100).optional(),
    fleets: z.array(nameField).max(100).optional(),
    lifetimeSeconds: tokenLifetime,
  }),
  reply: z.object({
    /** The secret with which the token is fetched; it is shown to nobody. */
    deviceCode: z.string(),
    /** The person types it into the page. */
    userCode,
    /** The page to open; it does not have the code in it, so that no link can bring one. */
    page: z.string(),
    expiresAt: instant,
    /** The shortest time between two questions. */
    intervalSeconds: z.number().int().min(1),
  }),
  status: 201,
})

export const fetchPairing = defineRoute({
  name: 'pairing.fetch',
  method: 'POST',
  path: '/auth/pairings/fetch',
  auth: 'pairing',
  summary: 'Ask whether the person has decided. The token is handed out once.',
  body: z.strictObject({ deviceCode: z.string().regex(/^[A-Za-z0-9_-]{1,200}$/) }),
  reply: z.discriminatedUnion('state', [
    /** Ask again after this many seconds; asking too often makes them more. */
    z.object({ state: z.literal('waiting'), intervalSeconds: z.number().int().min(1) }),
    z.object({ state: z.literal('paired'), view: tokenView, token: credentialField }),
  ]),
})

export const pairingView = z.object({
  id: idField('pairing'),
  /** What the asker calls their machine; nobody has verified it. */
  machine: machineName,
  /** Where the question came from. */
  address: z.string(),
  createdAt: instant,
  expiresAt: instant,
  /** The role that is asked for; null leaves it to the person. */
  role: roleName.nullable(),
  /** What the token would reach: what is asked for, within what the person reaches; null is all. */
  products: z.array(productName).nullable(),
  fleets: z.array(nameField).nullable(),
  lifetimeSeconds: tokenLifetime,
  /** The roles that the person may give. */
  roles: z.array(roleName),
})
export type PairingView = z.output<typeof pairingView>

export const readPairing = defineRoute({
  name: 'pairing.read',
  method: 'POST',
  path: '/auth/pairings/read',
  auth: 'session',
  summary: 'Show who asks for a token, by the code that their command line shows.',
  body: z.strictObject({ userCode }),
  reply: pairingView,
})

const decided = { pairingId: idField('pairing'), userCode }

export const approvePairing = defineRoute({
  name: 'pairing.approve',
  method: 'POST',
  path: '/auth/pairings/approve',
  auth: 'session',
  stepUp: true,
  summary: 'Let the command line have a token of this role. It never exceeds what one has oneself.',
  body: z.strictObject({ ...decided, role: roleName }),
  reply: pairingView,
})

export const refusePairing = defineRoute({
  name: 'pairing.refuse',
  method: 'POST',
  path: '/auth/pairings/refuse',
  auth: 'session',
  summary: 'Refuse a command line its token.',
  body: z.strictObject(decided),
  reply: nothing,
  status: 204,
})
