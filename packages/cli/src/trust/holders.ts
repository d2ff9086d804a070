/** The holders of keys, with the roles that verified metadata lets each key speak for. */
import { keyId } from '@seaworthy/trust/keys'
import type { CurrentMetadata, RoleAuthority } from '@seaworthy/trust/tuf'
import { currentAuthority, topLevelRoles } from '@seaworthy/trust/tuf'

export interface Holder {
  readonly keyId: string
  readonly roles: readonly string[]
}

/**
 * Every key that signed metadata names, with the roles it speaks for: a holder who leaves must be
 * removed from each of them.
 */
export async function findHolders(current: CurrentMetadata): Promise<Holder[]> {
  const rolesOf = new Map<string, string[]>()
  for (const role of new Set([...topLevelRoles, ...current.roles.keys()])) {
    for (const key of currentAuthority(role, current)?.keys ?? []) {
      const id = await keyId(key)
      rolesOf.set(id, [...(rolesOf.get(id) ?? []), role])
    }
  }
  return [...rolesOf].map(([id, roles]) => ({ keyId: id, roles }))
}

/** Ids of the keys that speak for a role before a change, and no longer after it. */
export async function removedKeys(before: RoleAuthority, after: RoleAuthority): Promise<string[]> {
  const kept = new Set(await Promise.all(after.keys.map((key) => keyId(key))))
  const all = await Promise.all(before.keys.map((key) => keyId(key)))
  return all.filter((id) => !kept.has(id))
}

/** A key removed from one role still speaks for every other role that names it. */
export function describeStays(
  role: string,
  removed: readonly string[],
  holders: readonly Holder[],
): string[] {
  return holders.flatMap(({ keyId: id, roles }) => {
    const others = roles.filter((one) => one !== role)
    if (!removed.includes(id) || others.length === 0) return []
    return [
      `The key ${id.slice(0, 12)} leaves ${role}, but still speaks for ${others.join(', ')}. To take it out there too:`,
      ...others.map((other) => `  seaworthy trust rotate ${other} --remove ${id.slice(0, 12)}`),
    ]
  })
}
