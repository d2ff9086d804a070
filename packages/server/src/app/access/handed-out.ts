/**
 * What somebody has handed out, at however many removes, and what of it ends with their right to do
 * so: tokens, invitations that wait, and keys by which devices register. Devices that are
 * registered, people who have come in, and the credentials of foreign devices, gateways and
 * FleetLock clients stay: they are in use in the field, and a person must review and end them one
 * by one.
 */
import type { Grant } from '@seaworthy/fleet/access'
import { coversGrant, heldBuiltIn, permissionsOf, reachesFleet } from '@seaworthy/fleet/access'
import type { RightsOutcome } from '@seaworthy/api/handed-out'
import { Refusal } from '@seaworthy/std/refusal'
import { listOpenApprovalsOf } from '../../db/approvals.ts'
import type { ReadTx } from '../../db/connection.ts'
import { listForeignDevicesOf, listGatewayTokensOf } from '../../db/foreign-devices.ts'
import { listInvitationsOf, revokeInvitation } from '../../db/invitations.ts'
import type { RightsTx } from '../../db/rights.ts'
import { getPerson } from '../../db/people.ts'
import { listProvisioningKeysOf, revokeProvisioningKey } from '../../db/provisioning-keys.ts'
import { listFleetLockKeysOf } from '../../db/reboot-locks.ts'
import { countSessionsOf } from '../../db/sessions.ts'
import type { ServerRefusal } from '../refusals.ts'
import { sessionLimits } from './session-limits.ts'
import { findHeir, listMakers, listWorkingTokens, revokeToken } from '../../db/tokens.ts'

export interface EndedWithMaker {
  readonly endedTokens: readonly string[]
  readonly endedInvitations: readonly string[]
  readonly endedProvisioningKeys: readonly string[]
}

/**
 * The most that work at once: tokens and invitations of one person or other maker, keys of one
 * fleet. Whoever reviews access reads these lists. Calls at the same moment may exceed it by a few.
 */
const workingMax = {
  tokens: 1000,
  invitations: 200,
  'provisioning keys': 1000,
  'FleetLock keys': 100,
} as const

/** Throws `handed_out_too_many`. */
export function requireRoomFor(kind: keyof typeof workingMax, count: number): void {
  const max = workingMax[kind]
  if (count < max) return
  throw new Refusal<ServerRefusal>(
    'handed_out_too_many',
    kind === 'tokens' || kind === 'invitations'
      ? `${max} ${kind} that go back to you work already: revoke those that nobody needs`
      : `${max} ${kind} of this fleet work already: revoke those that nobody needs`,
  )
}

/** Ends what exceeds `left`, which is all that the maker may do now (`null` for nothing). */
export async function endHandedOut(
  tx: RightsTx,
  maker: string,
  left: Grant | null,
  now: Date,
): Promise<EndedWithMaker> {
  const exceeds = (given: Grant) => left === null || !coversGrant(left, given)
  const makers = await listMakers(tx, maker)
  const tokens = (await listWorkingTokens(tx, makers, now)).filter(exceeds)
  for (const { id } of tokens) await revokeToken(tx, id, now)
  const invitations = (await listInvitationsOf(tx, makers)).filter(exceeds)
  for (const { id } of invitations) await revokeInvitation(tx, id, now)
  const makesKeys =
    left !== null && permissionsOf(left).includes('provisioning-key:write') ? left : null
  const keys = (await listProvisioningKeysOf(tx, makers, now)).filter(
    (fleet) => makesKeys === null || !reachesFleet(makesKeys, fleet),
  )
  for (const { id } of keys) await revokeProvisioningKey(tx, id, now)
  return {
    endedTokens: tokens.map(({ id }) => id),
    endedInvitations: invitations.map(({ id }) => id),
    endedProvisioningKeys: keys.map(({ id }) => id),
  }
}

type Stays = RightsOutcome['stays']

const listMax = 100

/** What is shown to whoever changes the rights; lists are cut off. */
export function viewEnded(
  { endedTokens, endedInvitations, endedProvisioningKeys }: EndedWithMaker,
  ways: { readonly endedSessions: number; readonly endedPasskeys: number },
): RightsOutcome['ends'] {
  return {
    tokens: endedTokens.slice(0, listMax),
    invitations: endedInvitations.slice(0, listMax),
    provisioningKeys: endedProvisioningKeys.slice(0, listMax),
    sessionsCount: ways.endedSessions,
    passkeysCount: ways.endedPasskeys,
  }
}

/** What still works of what the maker has and has handed out, at however many removes. */
export async function listStaying(tx: ReadTx, maker: string, now: Date): Promise<Stays> {
  const makers = await listMakers(tx, maker)
  const idleSince = new Date(now.getTime() - sessionLimits.idleMs)
  const idsOf = (rows: readonly { readonly id: string }[]) =>
    rows.slice(0, listMax).map(({ id }) => id)
  return {
    tokens: idsOf(await listWorkingTokens(tx, makers, now)),
    invitations: idsOf(await listInvitationsOf(tx, makers)),
    provisioningKeys: idsOf(await listProvisioningKeysOf(tx, makers, now)),
    sessionsCount: await countSessionsOf(tx, maker, { now, idleSince }),
    approvals: await listOpenApprovalsOf(tx, makers, listMax, now),
    fleetLockKeys: await listFleetLockKeysOf(tx, makers, listMax),
    gatewayTokens: await listGatewayTokensOf(tx, makers, listMax),
    foreignDevices: await listForeignDevicesOf(tx, makers, listMax),
  }
}

/** What the maker's row lets it hand out, and whether its right to do so has ended. */
interface Maker {
  readonly grant: Grant
  readonly hasEnded: boolean
}

/** The person or token; for a token that was replaced, its successor. */
export async function findMaker(tx: ReadTx, id: string): Promise<Maker | undefined> {
  if (id === 'server') {
    return { grant: { ...heldBuiltIn('owner'), products: null, fleets: null }, hasEnded: false }
  }
  const person = await getPerson(tx, id)
  if (person !== undefined) return { grant: person, hasEnded: person.disabledAt !== null }
  const token = await findHeir(tx, id)
  return token && { grant: token, hasEnded: token.revokedAt !== null }
}

/** The same facts for an entry of the log. */
export function detailOf(ended: EndedWithMaker): Record<string, string[]> {
  const lists = Object.entries(ended) as [string, readonly string[]][]
  return Object.fromEntries(lists.map(([name, ids]) => [name, [...ids]]))
}
