/** What changed about who may do what since somebody reviewed it. */
import type { Scope } from './scopes.ts'

/** One grant as a reviewer saw it. */
export interface ReviewedGrant extends Scope {
  /** What stays when a token is refreshed: the first token of its line. */
  readonly key: string
  readonly kind: string
  readonly id: string
  readonly name: string | null
  /** The person to whom it goes back. */
  readonly holder: string
  readonly role: string | null
  readonly deniedBy: readonly string[]
  readonly permissions: readonly string[]
  readonly networks: readonly string[] | null
  readonly isEnabled: boolean
}

/** A grant that was added has no `before`, one that ended no `now`. */
export interface GrantChange {
  readonly before: ReviewedGrant | null
  readonly now: ReviewedGrant | null
}

/** Lists the changes in the order of the keys. What a thing is called is no right. */
export function changesBetween(
  before: readonly ReviewedGrant[],
  now: readonly ReviewedGrant[],
): GrantChange[] {
  const earlier = new Map(before.map((grant) => [grant.key, grant]))
  const later = new Map(now.map((grant) => [grant.key, grant]))
  const keys = [...new Set([...earlier.keys(), ...later.keys()])].toSorted()
  return keys
    .map((key) => ({ before: earlier.get(key) ?? null, now: later.get(key) ?? null }))
    .filter(({ before: a, now: b }) => a === null || b === null || rightsOf(a) !== rightsOf(b))
}

/** The rights as a text that is equal where they are. */
export function rightsOf(grant: ReviewedGrant): string {
  const { key, role, deniedBy, permissions, products, fleets, networks, isEnabled } = grant
  const sorted = (list: readonly string[] | null) => list?.toSorted() ?? null
  return JSON.stringify([
    ...[key, role, sorted(deniedBy), sorted(permissions), isEnabled],
    ...[sorted(products), sorted(fleets), sorted(networks)],
  ])
}
