/** Roles in words. */
import { builtInRoles, tokenRoles } from '@seaworthy/fleet/access'

const own = 'or a custom role (`seaworthy role list`)'

/** The roles that a person may have, as the help of an option says it. */
export const rolesOfPeople = `${builtInRoles.join(', ')}, ${own}`
/** The same for tokens. */
export const rolesOfTokens = `${tokenRoles.join(', ')}, ${own}`

interface Held {
  readonly role: string
  readonly deniedBy: readonly string[]
}

/** `operator`, or `operator, denied by no-secrets`. */
export function describeRoles({ role, deniedBy }: Held): string {
  return deniedBy.length === 0 ? role : `${role}, denied by ${deniedBy.join(', ')}`
}
