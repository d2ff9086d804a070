/**
 * Links, shown once, by which a person comes in with a passkey: of the first owner, which `up`
 * prints, and of invitations. The secret is the fragment, which browsers send to nobody.
 */
import { z } from 'zod'
import { creationOptions, newPasskey } from './ceremonies.ts'
import { idField, instant, pageOf, pageQuery } from './fields.ts'
import { emailField, grantFields, grantView, personName } from './people.ts'
import { defineRoute, nothing } from './route.ts'
import { selfView } from './sessions.ts'

/** The secret in the link, after `#`: of the first owner or of an invitation. */
export const linkCode = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'the code of a link: what follows # in it')

/** The link itself: people open it, so no other text is allowed. */
const linkField = z
  .string()
  .max(1024)
  .regex(/^https:\/\/[\w.:[\]-]+\/invitation#[0-9a-f]{64}$/, 'the link of an invitation')

export const askFirstOwner = defineRoute({
  name: 'first-owner.options',
  method: 'POST',
  path: '/auth/first-owner/options',
  auth: 'public',
  summary: 'Ask for the challenge for the first owner’s passkey, with the code that `up` printed.',
  body: z.strictObject({ code: linkCode, name: personName }),
  reply: creationOptions,
})

export const becomeFirstOwner = defineRoute({
  name: 'first-owner.create',
  method: 'POST',
  path: '/auth/first-owner',
  auth: 'public',
  summary: 'Become the first owner. The reply sets the cookie of the session.',
  body: z.strictObject({ code: linkCode, name: personName, passkey: newPasskey }),
  reply: selfView,
  status: 201,
})

export const invitationView = z.object({
  id: idField('invitation'),
  name: z.string().nullable(),
  email: z.string().nullable(),
  /** The person who gets a new passkey by it; null for somebody new. */
  personId: idField('person').nullable(),
  ...grantView,
  createdAt: instant,
  createdBy: z.string(),
  expiresAt: instant,
  usedAt: instant.nullable(),
})
export type InvitationView = z.output<typeof invitationView>

export const createInvitation = defineRoute({
  name: 'invitation.create',
  method: 'POST',
  path: '/v1/invitations',
  auth: 'actor',
  stepUp: true,
  summary: 'Invite a person. Nobody can give more than they have. The link is shown once.',
  body: z.strictObject({
    name: personName.optional(),
    email: emailField.optional(),
    ...grantFields,
  }),
  reply: z.object({ view: invitationView, link: linkField }),
  status: 201,
})

export const reinvitePerson = defineRoute({
  name: 'person.reinvite',
  method: 'POST',
  path: '/v1/people/:personId/invitations',
  auth: 'actor',
  stepUp: true,
  summary: 'Let a person who has lost every passkey register a new one. The link is shown once.',
  params: z.strictObject({ personId: idField('person') }),
  reply: z.object({ view: invitationView, link: linkField }),
  status: 201,
})

export const listInvitations = defineRoute({
  name: 'invitation.list',
  method: 'GET',
  path: '/v1/invitations',
  auth: 'actor',
  summary: 'List invitations that are open, without the links.',
  query: pageQuery,
  reply: pageOf(invitationView),
})

export const revokeInvitation = defineRoute({
  name: 'invitation.revoke',
  method: 'DELETE',
  path: '/v1/invitations/:invitationId',
  auth: 'actor',
  stepUp: true,
  summary: 'Revoke an invitation: its link no longer works.',
  params: z.strictObject({ invitationId: idField('invitation') }),
  reply: nothing,
  status: 204,
})

/** The page behind the link calls this before the person has entered anything. */
export const readInvitation = defineRoute({
  name: 'invitation.read',
  method: 'POST',
  path: '/auth/invitation/read',
  auth: 'public',
  summary: 'Read the invitation that a link is about.',
  body: z.strictObject({ code: linkCode }),
  reply: invitationView,
})

export const askInvitation = defineRoute({
  name: 'invitation.options',
  method: 'POST',
  path: '/auth/invitation/options',
  auth: 'public',
  summary: 'Ask for the challenge for the invited person’s passkey.',
  body: z.strictObject({ code: linkCode, name: personName }),
  reply: creationOptions,
})

export const acceptInvitation = defineRoute({
  name: 'invitation.accept',
  method: 'POST',
  path: '/auth/invitation',
  auth: 'public',
  summary: 'Accept an invitation with a passkey. The reply sets the cookie of the session.',
  body: z.strictObject({ code: linkCode, name: personName, passkey: newPasskey }),
  reply: selfView,
  status: 201,
})
