/** What a token reaches, and who may hand out what. */
import { Refusal } from '@seaworthy/std/refusal'
import type { Role } from './permissions.ts'
import { permissionsOf } from './permissions.ts'

/** `null` reaches everything; a list reaches its members alone. */
export interface Grant {
  readonly role: Role
  readonly products: readonly string[] | null
  readonly fleets: readonly string[] | null
}

export type AccessRefusal = 'permission_denied' | 'out_of_scope' | 'grant_exceeds_own'

export function reachesProduct(grant: Grant, product: string): boolean {
  return grant.products === null || grant.products.includes(product)
}

/** A fleet is reached when both it and its product are. */
export function reachesFleet(grant: Grant, fleet: { name: string; product: string }): boolean {
  return (
    (grant.fleets === null || grant.fleets.includes(fleet.name)) &&
    reachesProduct(grant, fleet.product)
  )
}

/** Throws `grant_exceeds_own` unless everything in `wanted` is within `own`. */
export function checkGrant(own: Grant, wanted: Grant): void {
  const ownPermissions = new Set(permissionsOf(own.role))
  const isWithin =
    permissionsOf(wanted.role).every((permission) => ownPermissions.has(permission)) &&
    isNarrower(wanted.products, own.products) &&
    isNarrower(wanted.fleets, own.fleets)
  if (!isWithin) {
    throw new Refusal<AccessRefusal>(
      'grant_exceeds_own',
      'nobody can give rights that they do not have themselves',
    )
  }
}

function isNarrower(wanted: readonly string[] | null, own: readonly string[] | null): boolean {
  if (own === null) return true
  return wanted !== null && wanted.every((name) => own.includes(name))
}
