/**
 * Credentials of systems that are not ours, which people borrow for a time (A8). No route answers
 * with a value but the one that opens a lease.
 */
import { z } from 'zod'
import { base64Field, instant, nameField, pageOf, pageQuery, text } from './fields.ts'
import { defineRoute, nothing } from './route.ts'

const credentialParams = z.strictObject({ credential: nameField })
const aboutField = text(200)
const valueField = base64Field(16_384)
/** A role of a PostgreSQL that needs no other quotes than ours. */
const postgresRole = z
  .string()
  .regex(/^[a-z_][a-z0-9_]{0,62}$/, 'a role of a PostgreSQL of a-z, 0-9 and _')

const storedCredentialView = z.object({
  name: nameField,
  /** A value is handed out as it is; with a PostgreSQL, an account is made for each lease. */
  kind: z.enum(['value', 'postgresql']),
  /** Rises by one each time that the value is replaced. */
  version: z.number().int().min(1),
  about: z.string(),
  /** Host, port and database of a PostgreSQL. */
  target: z.string().nullable(),
  /** The role there of which each account for a lease is a member. */
  memberOf: z.string().nullable(),
  leasesOpen: z.number().int().min(0),
  createdAt: instant,
  createdBy: z.string(),
  setAt: instant,
  setBy: z.string(),
})
export type StoredCredentialView = z.output<typeof storedCredentialView>

export const listStoredCredentials = defineRoute({
  name: 'stored-credential.list',
  method: 'GET',
  path: '/v1/stored-credentials',
  auth: 'actor',
  summary: 'List stored credentials, without their values.',
  query: pageQuery,
  reply: pageOf(storedCredentialView),
})

export const showStoredCredential = defineRoute({
  name: 'stored-credential.show',
  method: 'GET',
  path: '/v1/stored-credentials/:credential',
  auth: 'actor',
  summary: 'Show what is known of a stored credential, without its value.',
  params: credentialParams,
  reply: storedCredentialView,
})

export const addStoredCredential = defineRoute({
  name: 'stored-credential.add',
  method: 'POST',
  path: '/v1/stored-credentials',
  auth: 'actor',
  stepUp: true,
  summary: 'Store a credential, encrypted under the key that is kept elsewhere.',
  body: z.strictObject({
    name: nameField,
    kind: z.enum(['value', 'postgresql']),
    /** Bytes; for a PostgreSQL the URL with an account that may make others. */
    value: valueField,
    about: aboutField.optional(),
    memberOf: postgresRole.optional(),
  }),
  reply: storedCredentialView,
  status: 201,
})

export const replaceStoredCredential = defineRoute({
  name: 'stored-credential.replace',
  method: 'PUT',
  path: '/v1/stored-credentials/:credential',
  auth: 'actor',
  stepUp: true,
  summary: 'Replace the value of a stored credential. Leases that are open keep the one before.',
  params: credentialParams,
  body: z.strictObject({
    value: valueField,
    about: aboutField.optional(),
    memberOf: postgresRole.optional(),
  }),
  reply: storedCredentialView,
})

export const removeStoredCredential = defineRoute({
  name: 'stored-credential.remove',
  method: 'DELETE',
  path: '/v1/stored-credentials/:credential',
  auth: 'actor',
  stepUp: true,
  summary: 'Remove a stored credential. Its leases stay on record.',
  params: credentialParams,
  reply: nothing,
  status: 204,
})
