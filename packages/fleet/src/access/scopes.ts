/** What a token reaches, and who may hand out what. */
import { Refusal } from '@seaworthy/std/refusal'
import type { HeldRoles } from './roles.ts'
import { permissionsOf } from './roles.ts'

/** `null` reaches everything; a list reaches its members only. */
export interface Scope {
  readonly products: readonly string[] | null
  readonly fleets: readonly string[] | null
}

/** The scope with lists of its own, as replies and statements take them. */
export function copyScope({ products, fleets }: Scope): {
  products: string[] | null
  fleets: string[] | null
} {
  return { products: products && [...products], fleets: fleets && [...fleets] }
}

export interface Grant extends Scope, HeldRoles {}

export type AccessRefusal = 'permission_denied' | 'out_of_scope' | 'grant_exceeds_own'

/** Whether the grant reaches the product, or fleets of it. */
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

/**
 * Whether the grant reaches what belongs to the product as a whole (what it publishes, its content,
 * its settings), which concerns all of its fleets.
 */
export function reachesWholeProduct(grant: Grant, product: string): boolean {
  return grant.fleets === null && reachesProduct(grant, product)
}

/**
 * Whether the scope has no limit, which everything that belongs to the whole installation requires.
 */
export function reachesEverything({ products, fleets }: Scope): boolean {
  return products === null && fleets === null
}

/** Whether everything that `other` reaches is reached by `own` too. */
export function coversScope(own: Scope, other: Scope): boolean {
  return isNarrower(other.products, own.products) && isNarrower(other.fleets, own.fleets)
}

/** Whether the holder of `own` may give `other`, and so may revoke it too. */
export function coversGrant(own: Grant, other: Grant): boolean {
  const ownPermissions = new Set(permissionsOf(own))
  return (
    permissionsOf(other).every((permission) => ownPermissions.has(permission)) &&
    coversScope(own, other)
  )
}

/** Whether both may do the same in the same scope, by roles of the same names. */
export function isSameGrant(a: Grant, b: Grant): boolean {
  const names = ({ role, deniedBy }: Grant) => [role, ...deniedBy.toSorted()].join(' ')
  return names(a) === names(b) && coversGrant(a, b) && coversGrant(b, a)
}

/** Throws `grant_exceeds_own` unless everything in `wanted` is within `own`. */
export function checkGrant(own: Grant, wanted: Grant): void {
  if (!coversGrant(own, wanted)) {
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
