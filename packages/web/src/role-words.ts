/** Roles and scopes in words. */
import type { BuiltInRole } from '@seaworthy/fleet/access'
import { builtInRoles } from '@seaworthy/fleet/access'

const roleTexts: Readonly<Record<BuiltInRole, string>> = {
  owner: 'everything, and the only role that makes owners',
  admin: 'everything but owners',
  releaser: 'releases, proposals and rollouts',
  builder: 'uploads releases',
  operator: 'devices, fleets and rollouts',
  responder: 'reports of flaws, and cases they are read in to',
  support: 'devices and their variables, to help with them',
  auditor: 'reads everything, the audit log too',
  viewer: 'reads products, fleets and devices',
  monitor: 'reads health and metrics',
}

/** What a role is for, as the list for choosing one says it. */
export function describeRole(role: string): string {
  const builtIn = builtInRoles.find((name) => name === role)
  return builtIn === undefined ? 'made by your own people' : roleTexts[builtIn]
}

interface Grant {
  readonly role: string
  readonly deniedBy: readonly string[]
  readonly products: readonly string[] | null
  readonly fleets: readonly string[] | null
}

/** `operator of the fleets shops and vans`, `admin of everything, denied by no-secrets`. */
export function describeGrant({ role, deniedBy, products, fleets }: Grant): string {
  const denied = deniedBy.length === 0 ? '' : `, denied by ${listOf(deniedBy)}`
  return `${role} of ${describeScope({ products, fleets })}${denied}`
}

/** `operator`, or `operator, denied by no-secrets`. */
export function describeRoles({ role, deniedBy }: Pick<Grant, 'role' | 'deniedBy'>): string {
  return deniedBy.length === 0 ? role : `${role}, denied by ${listOf(deniedBy)}`
}

export function describeScope({ products, fleets }: Pick<Grant, 'products' | 'fleets'>): string {
  const parts = [
    ...(products === null ? [] : [describeNames('product', products)]),
    ...(fleets === null ? [] : [describeNames('fleet', fleets)]),
  ]
  return parts.length === 0 ? 'everything' : parts.join(', ')
}

function describeNames(noun: string, names: readonly string[]): string {
  if (names.length === 0) return `no ${noun}`
  return `the ${noun}${names.length === 1 ? '' : 's'} ${listOf(names)}`
}

const listOf = (names: readonly string[]) => new Intl.ListFormat('en').format(names)
