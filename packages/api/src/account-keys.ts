/**
 * A person's own SSH and OpenPGP public keys (A1). They open nothing here: they say whose signature
 * one is.
 */
import { z } from 'zod'
import { lineField } from './ceremonies.ts'
import { idField, instant, text } from './fields.ts'
import { defineRoute, nothing } from './route.ts'

export const accountKeyView = z.object({
  id: idField('accountkey'),
  name: z.string(),
  kind: z.enum(['ssh', 'openpgp']),
  algorithm: z.string(),
  /** What `ssh-keygen -l` or `gpg --fingerprint` shows, without spaces. */
  fingerprint: z.string(),
  publicKey: z.string(),
  createdAt: instant,
  /** The person, or the token of theirs that brought it. */
  createdBy: z.string(),
  /** When the person confirmed it in the browser; null while it counts for nothing. */
  confirmedAt: instant.nullable(),
})
export type AccountKeyView = z.output<typeof accountKeyView>

const accountKeyParams = z.strictObject({ accountKeyId: idField('accountkey') })

export const listAccountKeys = defineRoute({
  name: 'account-key.list',
  method: 'GET',
  path: '/v1/account/keys',
  auth: 'actor',
  summary: 'List one’s own SSH and OpenPGP keys; with a token, those of the person who made it.',
  reply: z.object({ items: z.array(accountKeyView) }),
})

export const addAccountKey = defineRoute({
  name: 'account-key.create',
  method: 'POST',
  path: '/v1/account/keys',
  auth: 'actor',
  stepUp: true,
  summary:
    'Add an SSH or OpenPGP public key to one’s account; what a token adds waits for the person.',
  body: z.strictObject({ name: lineField(60), publicKey: text(40_000, 1) }),
  reply: accountKeyView,
  status: 201,
})

export const confirmAccountKey = defineRoute({
  name: 'account-key.confirm',
  method: 'POST',
  path: '/v1/account/keys/:accountKeyId/confirm',
  auth: 'session',
  stepUp: true,
  summary: 'Confirm a key that a token has added to one’s account.',
  params: accountKeyParams,
  reply: accountKeyView,
})

export const removeAccountKey = defineRoute({
  name: 'account-key.remove',
  method: 'DELETE',
  path: '/v1/account/keys/:accountKeyId',
  auth: 'actor',
  stepUp: true,
  summary: 'Remove a key from one’s account.',
  params: accountKeyParams,
  reply: nothing,
  status: 204,
})

const personParams = z.strictObject({ personId: idField('person') })

export const listPersonKeys = defineRoute({
  name: 'person.keys',
  method: 'GET',
  path: '/v1/people/:personId/keys',
  auth: 'actor',
  summary: 'List the SSH and OpenPGP keys of a person.',
  params: personParams,
  reply: z.object({ items: z.array(accountKeyView) }),
})

export const removePersonKey = defineRoute({
  name: 'person.remove-key',
  method: 'DELETE',
  path: '/v1/people/:personId/keys/:accountKeyId',
  auth: 'actor',
  stepUp: true,
  summary: 'Remove a key from a person’s account.',
  params: personParams.extend(accountKeyParams.shape),
  reply: nothing,
  status: 204,
})
