/** The roles that a grant names, as they stand. */
import type { Grant, RoleNames, Scope } from '@seaworthy/fleet/access'
import { isBuiltIn } from '@seaworthy/fleet/access'
import { Refusal } from '@seaworthy/std/refusal'
import type { ReadTx } from '../../db/connection.ts'
import { listRules } from '../../db/roles.ts'
import type { RoleRefusal } from '../refusals.ts'

/** What the names mean now. Throws `role_unknown`. */
export async function readGrant(tx: ReadTx, wanted: RoleNames & Scope): Promise<Grant> {
  const { role, products, fleets } = wanted
  const deniedBy = [...new Set(wanted.deniedBy)].toSorted()
  const named = [role, ...deniedBy].filter((name) => !isBuiltIn(name))
  const customRoles = named.length === 0 ? [] : await listRules(tx, named)
  const isKnown = (name: string) => customRoles.some((one) => one.name === name)
  if (!isBuiltIn(role) && !isKnown(role)) throw unknown(role)
  // A built-in role denies nothing: somebody who limits a person by one has mistaken what it does.
  const strange = deniedBy.find((name) => !isKnown(name))
  if (strange !== undefined) throw unknown(strange, ' of your own, which could deny anything')
  return { role, deniedBy, customRoles, products, fleets }
}

function unknown(name: string, ofWhat = ''): Refusal<RoleRefusal> {
  return new Refusal<RoleRefusal>(
    'role_unknown',
    `${name} is no role${ofWhat}: \`seaworthy role list\` shows those there are`,
  )
}

/** Guards what a token gets. Throws `role_not_for_tokens`. */
export function requireRoleOfTokens(role: string): void {
  if (role !== 'owner') return
  throw new Refusal<RoleRefusal>(
    'role_not_for_tokens',
    'a token can be copied, so none makes or unmakes owners: give it another role, such as admin',
  )
}
