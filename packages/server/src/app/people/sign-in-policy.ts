/**
 * Which roles need a passkey: for sign-in, and to confirm what is dangerous. A passkey cannot be
 * phished or guessed; a password and its code can be relayed by a phishing page while the code is
 * valid, and an identity provider can sign in as anybody who has an account there.
 */
import type { SignInPolicyOutcome } from '@seaworthy/api/sign-in-policy'
import type { AccessRefusal, BuiltInRole } from '@seaworthy/fleet/access'
import {
  builtInRoles,
  comparePasskeyRoles,
  coversGrant,
  needsPasskey,
  permissionsOf,
  weightyRoles,
} from '@seaworthy/fleet/access'
import { Refusal } from '@seaworthy/std/refusal'
import type { ReadTx } from '../../db/connection.ts'
import { listPeopleWithoutPasskey } from '../../db/people.ts'
import type { PersonRow } from '../../db/people.ts'
import type { RightsTx } from '../../db/rights.ts'
import { endSessionsBegunBy, listPeopleWhoCameBy } from '../../db/sessions.ts'
import type { SessionRow } from '../../db/sessions.ts'
import { readPasskeyRoles, writePasskeyRoles } from '../../db/sign-in-policy.ts'
import type { Actor, Current } from '../access/index.ts'
import { grantOf, KnownPersonRefusal, requireUnscoped } from '../access/index.ts'
import type { PersonRefusal } from '../refusals.ts'

/** The factors that are not enough where a passkey is needed. */
export const otherFactors: readonly SessionRow['factor'][] = ['password', 'provider']

/**
 * The built-in roles that an owner has named; otherwise those that publish or grant. A role that
 * people have made is judged by what it allows.
 */
export async function passkeyRoles(tx: ReadTx): Promise<BuiltInRole[]> {
  return (await readPasskeyRoles(tx)) ?? weightyRoles()
}

/** Throws `passkey_needed`. */
export async function requireNoPasskeyRole(tx: ReadTx, person: PersonRow): Promise<void> {
  if (!needsPasskey(await passkeyRoles(tx), person)) return
  throw new KnownPersonRefusal(
    'passkey_needed',
    `the role ${person.role} needs a passkey or security key: sign in and confirm with yours; without one, use a recovery code, or ask an owner for a new link, and register it there`,
    person.id,
  )
}

/** What a change of the policy did. */
export interface PolicyChange {
  readonly passkeyRoles: BuiltInRole[]
  readonly tightened: BuiltInRole[]
  readonly loosened: BuiltInRole[]
  readonly endedSessionsCount: number
  /** People without a passkey, who needed none until now. */
  readonly shutOut: readonly PersonRow[]
}

/**
 * Sessions that no longer suffice end at once. Whoever manages people may ask for more, as long as
 * it shuts out nobody whom they could not disable. Throws `policy_loosened`, `out_of_scope`.
 */
export async function setSignInPolicy(
  tx: RightsTx,
  actor: Current,
  wanted: readonly BuiltInRole[],
  /** The page on which owners change the policy. */
  page: string,
): Promise<PolicyChange> {
  requireUnscoped(actor, 'the sign-in policy concerns')
  const before = await passkeyRoles(tx)
  const after = builtInRoles.filter((role) => wanted.includes(role))
  const { tightened, loosened } = comparePasskeyRoles(before, after)
  const isOwner = permissionsOf(grantOf(actor)).includes('owner:write')
  if (loosened.length > 0 && !isOwner) {
    throw new Refusal<PersonRefusal>(
      'policy_loosened',
      `without these roles, the policy would ask less of people than now: ${loosened.join(', ')}. Name them too; to end their need of a passkey, an owner does it in the browser, at ${page}`,
    )
  }
  const shutOut = (await listPeopleWithoutPasskey(tx)).filter(
    (person) => needsPasskey(after, person) && !needsPasskey(before, person),
  )
  if (!isOwner) requireCoversAll(actor, shutOut, page)
  await writePasskeyRoles(tx, after)
  const now = await tx.now()
  let endedSessionsCount = 0
  for (const person of await listPeopleWhoCameBy(tx, otherFactors)) {
    if (!needsPasskey(after, person)) continue
    endedSessionsCount += await endSessionsBegunBy(tx, otherFactors, { personId: person.id }, now)
  }
  return { passkeyRoles: after, tightened, loosened, endedSessionsCount, shutOut }
}

/** Whoever may not disable somebody must not shut them out in another way either. */
function requireCoversAll(actor: Actor, people: readonly PersonRow[], page: string): void {
  const above = people.find((person) => !coversGrant(grantOf(actor), person))
  if (above === undefined) return
  throw new Refusal<AccessRefusal>(
    'out_of_scope',
    `${above.id} has the role ${above.role}, may do more than you, and has no passkey: this would shut them out. They register one first, or an owner sets this in the browser, at ${page}`,
  )
}

const shownMax = 100

export function viewPolicyChange(change: PolicyChange, isDryRun: boolean): SignInPolicyOutcome {
  const { shutOut, ...rest } = change
  return {
    ...rest,
    isDryRun,
    shutOutCount: shutOut.length,
    shutOut: shutOut.slice(0, shownMax).map(({ id, name, role }) => ({ id, name, role })),
  }
}
