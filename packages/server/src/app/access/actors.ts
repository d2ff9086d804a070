/** Who sends a request, and what they may do. */
import type { Grant, Permission } from '@seaworthy/fleet/access'
import {
  denyingRoles,
  devicePermissions,
  permissionsOf,
  provisioningKeyPermissions,
  reachesEverything,
  reachesFleet,
  reachesProduct,
  reachesWholeProduct,
} from '@seaworthy/fleet/access'
import type { AccessRefusal } from '@seaworthy/fleet/access'
import type { FleetRefusal } from '@seaworthy/fleet/fleets'
import { Refusal } from '@seaworthy/std/refusal'
import type { PersonRow } from '../../db/people.ts'
import type { ProvisioningKeyRow } from '../../db/provisioning-keys.ts'
import type { SessionRow } from '../../db/sessions.ts'
import type { TokenRow } from '../../db/tokens.ts'

export type Actor =
  | { readonly kind: 'token'; readonly id: string; readonly token: TokenRow }
  | PersonActor
  | { readonly kind: 'device'; readonly id: string }
  | { readonly kind: 'provisioning-key'; readonly id: string; readonly key: ProvisioningKeyRow }
  | { readonly kind: 'anonymous'; readonly id: 'anonymous' }

/** A person who has signed in with a browser. */
export interface PersonActor {
  readonly kind: 'person'
  readonly id: string
  readonly person: PersonRow
  readonly session: SessionRow
}

export const anonymous: Actor = { kind: 'anonymous', id: 'anonymous' }

/** Throws `permission_denied` unless the actor's role (or kind) has the permission. */
export function requirePermission(actor: Actor, permission: Permission): void {
  if (!permissionsOfActor(actor).includes(permission)) {
    throw new Refusal<AccessRefusal>(
      'permission_denied',
      `this needs the permission ${permission}${describeDenial(actor, permission)}`,
    )
  }
}

/** The roles that deny it, as the end of a sentence. */
function describeDenial(actor: Actor, permission: Permission): string {
  if (actor.kind !== 'token' && actor.kind !== 'person') return ''
  const names = denyingRoles(grantOf(actor), permission)
  return names.length === 0 ? '' : `, which the role ${names.join(' and the role ')} denies`
}

function permissionsOfActor(actor: Actor): readonly Permission[] {
  switch (actor.kind) {
    case 'token':
      return permissionsOf(actor.token)
    case 'person':
      return permissionsOf(actor.person)
    case 'device':
      return devicePermissions
    case 'provisioning-key':
      return provisioningKeyPermissions
    case 'anonymous':
      // The assertion in the body is the credential; it is verified before anything happens.
      return ['device-self:sign-in']
  }
}

/**
 * What the token or person reaches; devices and the like have scopes of their own and never come
 * here.
 */
export function grantOf(actor: Actor): Grant {
  if (actor.kind === 'token') return actor.token
  if (actor.kind === 'person') return actor.person
  throw new Refusal<AccessRefusal>('permission_denied', 'this needs a token or a session')
}

/**
 * Guards what a person does with their own account. Throws `permission_denied` for anybody else.
 */
export function requirePerson<A extends Actor>(actor: A): Extract<A, PersonActor>
export function requirePerson(actor: Actor): PersonActor {
  if (actor.kind === 'person') return actor
  throw new Refusal<AccessRefusal>(
    'permission_denied',
    'this is about a person’s own account: sign in with a browser',
  )
}

/** Throws `out_of_scope`. */
export function requireProduct(actor: Actor, product: string): void {
  if (!reachesProduct(grantOf(actor), product)) {
    throw new Refusal<AccessRefusal>('out_of_scope', `the token does not reach ${product}`)
  }
}

/** Guards changes of what all fleets of a product share. Throws `out_of_scope`. */
export function requireWholeProduct(actor: Actor, product: string): void {
  requireProduct(actor, product)
  if (reachesWholeProduct(grantOf(actor), product)) return
  throw new Refusal<AccessRefusal>(
    'out_of_scope',
    `this concerns every fleet of ${product}: it needs a token that is not limited to fleets`,
  )
}

/**
 * Guards what concerns the whole installation; `what` begins the message. Throws `out_of_scope`.
 */
export function requireUnscoped(actor: Actor, what: string): void {
  if (reachesEverything(grantOf(actor))) return
  throw new Refusal<AccessRefusal>(
    'out_of_scope',
    `${what} the whole installation: this needs a token without a scope`,
  )
}

/** The person, or maker of a line of tokens, who answers for what the actor hands out. */
export function holderBehind(actor: Actor): string {
  return actor.kind === 'token' ? actor.token.holder : actor.id
}

/** Throws `out_of_scope`. */
export function requireFleet(actor: Actor, fleet: { name: string; product: string }): void {
  if (!reachesFleet(grantOf(actor), fleet)) throw beyondFleet(fleet.name)
}

/**
 * Guards a fleet that may not exist. Whoever has a scope gets the same answer for fleets outside of
 * it as for those that do not exist. Throws `fleet_not_found`, `out_of_scope`.
 */
export function checkFleet<F extends { readonly name: string; readonly product: string }>(
  fleet: F | undefined,
  actor: Actor,
  name: string,
): F {
  if (fleet === undefined) {
    if (!reachesEverything(grantOf(actor))) throw beyondFleet(name)
    throw new Refusal<FleetRefusal>('fleet_not_found', `no fleet ${name}`)
  }
  requireFleet(actor, fleet)
  return fleet
}

function beyondFleet(name: string): Error {
  return new Refusal<AccessRefusal>('out_of_scope', `the token reaches no fleet ${name}`)
}
