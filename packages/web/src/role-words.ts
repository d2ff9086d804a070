/** Roles and scopes in words. */
import { personRole } from '@seaworthy/api/people'

export type PersonRole = (typeof personRole.options)[number]

export const roleNames = personRole.options

/** What a role is for, as the list for choosing one says it. */
export const roleTexts: Readonly<Record<PersonRole, string>> = {
  owner: 'everything, and the only role that makes owners',
  admin: 'everything but owners',
  releaser: 'releases, proposals and rollouts',
  builder: 'uploads releases',
  operator: 'devices, fleets and rollouts',
  auditor: 'reads everything, the audit log too',
  viewer: 'reads products, fleets and devices',
  monitor: 'reads health and metrics',
}

interface Grant {
  readonly role: PersonRole
  readonly products: readonly string[] | null
  readonly fleets: readonly string[] | null
}

/** `operator of the fleets shops and vans`, `admin of everything`. */
export function describeGrant({ role, products, fleets }: Grant): string {
  return `${role} of ${describeScope({ products, fleets })}`
}

export function describeScope({ products, fleets }: Omit<Grant, 'role'>): string {
  const parts = [
    ...(products === null ? [] : [describeNames('product', products)]),
    ...(fleets === null ? [] : [describeNames('fleet', fleets)]),
  ]
  return parts.length === 0 ? 'everything' : parts.join(', ')
}

function describeNames(noun: string, names: readonly string[]): string {
  if (names.length === 0) return `no ${noun}`
  const list = new Intl.ListFormat('en').format(names)
  return `the ${noun}${names.length === 1 ? '' : 's'} ${list}`
}
