/** People: who may sign in, with which role, on which products and fleets (A1, A4). */
import { z } from 'zod'
import { lineField } from './ceremonies.ts'
import { idField, instant, nameField, pageOf, pageQuery, productName } from './fields.ts'
import { dryRunQuery, rightsOutcome } from './handed-out.ts'
import { defineRoute } from './route.ts'
import { deniedByField, roleName } from './roles.ts'

/** A person’s name as others see it. */
export const personName = lineField(100)
export const emailField = z
  .string()
  .max(254)
  .regex(/^[^\s@]+@[^\s@]+$/, 'an e-mail address')

/** The rights of a person or an invitation; a scope that is left out reaches everything. */
export const grantFields = {
  role: roleName,
  deniedBy: deniedByField.optional(),
  products: z.array(productName).max(100).optional(),
  fleets: z.array(nameField).max(100).optional(),
}

export const grantView = {
  role: roleName,
  /** Further roles, of which nothing counts but what they deny. */
  deniedBy: z.array(roleName),
  /** The only products that are reached; null for all. */
  products: z.array(productName).nullable(),
  fleets: z.array(nameField).nullable(),
}

export const personView = z.object({
  id: idField('person'),
  name: z.string(),
  email: z.string().nullable(),
  ...grantView,
  createdAt: instant,
  /** Who invited the person; `server` for the first owner. */
  createdBy: z.string(),
  disabledAt: instant.nullable(),
  lastSignInAt: instant.nullable(),
  passkeysCount: z.number().int().min(0),
})
export type PersonView = z.output<typeof personView>

const personParams = z.strictObject({ personId: idField('person') })

export const listPeople = defineRoute({
  name: 'person.list',
  method: 'GET',
  path: '/v1/people',
  auth: 'actor',
  summary: 'List people, disabled ones included.',
  query: pageQuery,
  reply: pageOf(personView),
})

export const showPerson = defineRoute({
  name: 'person.show',
  method: 'GET',
  path: '/v1/people/:personId',
  auth: 'actor',
  summary: 'Show one person.',
  params: personParams,
  reply: personView,
})

export const setPerson = defineRoute({
  name: 'person.set',
  method: 'PATCH',
  path: '/v1/people/:personId',
  auth: 'actor',
  stepUp: true,
  summary: 'Change a person’s name, e-mail address, role or scope; null in a scope is everything.',
  params: personParams,
  query: dryRunQuery,
  body: z.strictObject({
    name: personName.optional(),
    email: emailField.nullable().optional(),
    role: roleName.optional(),
    deniedBy: deniedByField.optional(),
    products: z.array(productName).max(100).nullable().optional(),
    fleets: z.array(nameField).max(100).nullable().optional(),
  }),
  reply: personView.extend(rightsOutcome),
})

export const disablePerson = defineRoute({
  name: 'person.disable',
  method: 'POST',
  path: '/v1/people/:personId/disable',
  auth: 'actor',
  stepUp: true,
  summary:
    'Disable a person: their sessions and the tokens that they made end at once. Credentials that devices in the field use stay: those that are known are named.',
  params: personParams,
  query: dryRunQuery,
  reply: personView.extend(rightsOutcome),
})

export const enablePerson = defineRoute({
  name: 'person.enable',
  method: 'POST',
  path: '/v1/people/:personId/enable',
  auth: 'actor',
  stepUp: true,
  summary: 'Enable a person again, with the passkeys that they had.',
  params: personParams,
  reply: personView,
})
