/**
 * What holders of roles may do. One role allows; every role of the holder denies. So roles are
 * never added up, and whatever one of them denies is denied.
 */
import type { BuiltInRole } from './built-in-roles.ts'
import { allowedByBuiltIn, builtInRoles, isBuiltIn, leastPermissions } from './built-in-roles.ts'
import type { Permission } from './permission-names.ts'

/** A role that people have made. */
export interface RoleRules {
  readonly name: string
  readonly allows: readonly Permission[]
  readonly denies: readonly Permission[]
}

/** The names of the roles of a person, a token and the like. */
export interface RoleNames {
  /** The one role that allows. */
  readonly role: string
  /** Further roles, of which nothing counts but what they deny. */
  readonly deniedBy: readonly string[]
}

export interface HeldRoles extends RoleNames {
  /** What those of the roles say that are not built in. */
  readonly customRoles: readonly RoleRules[]
}

/** A built-in role and no other one. */
export function heldBuiltIn(role: BuiltInRole): HeldRoles {
  return { role, deniedBy: [], customRoles: [] }
}

/**
 * Everything that the holder may do, within their scope. A role that nobody knows allows nothing,
 * and whoever it should limit may do nothing.
 */
export function permissionsOf(held: HeldRoles): readonly Permission[] {
  const { role, deniedBy } = held
  if (isBuiltIn(role) && deniedBy.length === 0) return allowedByBuiltIn(role)
  const rules = [role, ...deniedBy].map((name) => rulesOf(held, name))
  const allowing = rules[0]
  if (allowing === undefined || rules.includes(undefined)) return []
  const denied = new Set(rules.flatMap((one) => one!.denies))
  return allowing.allows.filter((permission) => !denied.has(permission))
}

function rulesOf({ customRoles }: HeldRoles, name: string): RoleRules | undefined {
  if (isBuiltIn(name)) return { name, allows: allowedByBuiltIn(name), denies: [] }
  const custom = customRoles.find((one) => one.name === name)
  return custom && { ...custom, allows: [...new Set([...leastPermissions, ...custom.allows])] }
}

/** The roles that deny this, of those that the holder has. */
export function denyingRoles(held: HeldRoles, permission: Permission): string[] {
  return [...new Set([held.role, ...held.deniedBy])].filter(
    (name) => rulesOf(held, name)?.denies.includes(permission) === true,
  )
}

/** What the holder's role allows and one of their roles denies, with the roles that deny it. */
export function deniedPermissions(
  held: HeldRoles,
): { readonly permission: Permission; readonly by: readonly string[] }[] {
  const allowed = rulesOf(held, held.role)?.allows ?? []
  return allowed
    .map((permission) => ({ permission, by: denyingRoles(held, permission) }))
    .filter(({ by }) => by.length > 0)
}

/** What a change of the roles that need a passkey does. Without `loosened`, nobody needs less. */
export function comparePasskeyRoles(
  before: readonly BuiltInRole[],
  after: readonly BuiltInRole[],
): { readonly tightened: BuiltInRole[]; readonly loosened: BuiltInRole[] } {
  return {
    tightened: builtInRoles.filter((role) => after.includes(role) && !before.includes(role)),
    loosened: builtInRoles.filter((role) => before.includes(role) && !after.includes(role)),
  }
}

/**
 * Whether the holder needs a passkey where these built-in roles do. A role that people have made
 * needs one when it may do anything that built-in roles do with a passkey only, whatever its name.
 */
export function needsPasskey(passkeyRoles: readonly BuiltInRole[], held: HeldRoles): boolean {
  if (isBuiltIn(held.role)) return passkeyRoles.includes(held.role)
  const others = builtInRoles.filter((role) => !passkeyRoles.includes(role))
  const withoutOne = new Set(others.flatMap(allowedByBuiltIn))
  return permissionsOf(held).some((permission) => !withoutOne.has(permission))
}
