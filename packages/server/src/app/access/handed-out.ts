/**
 * What somebody has handed out, at however many removes, and what of it ends with their right to do
 * so: tokens, invitations that wait, and keys by which devices register. Devices that are
 * registered, people who have come in, and the credentials of foreign devices, gateways and
 * FleetLock clients stay: they are in use in the field, and a person must review and end them one
 * by one.
 */
import type { Grant } from '@seaworthy/fleet/access'
import { coversGrant, heldBuiltIn, permissionsOf, reachesFleet } from '@seaworthy/fleet/access'
import type { ReadTx } from '../../db/connection.ts'
import { listForeignDevicesOf, listGatewayTokensOf } from '../../db/foreign-devices.ts'
import { listInvitationsOf, revokeInvitation } from '../../db/invitations.ts'
import type { RightsTx } from '../../db/people.ts'
import { getPerson } from '../../db/people.ts'
import { listProvisioningKeysOf, revokeProvisioningKey } from '../../db/provisioning-keys.ts'
import { listFleetLockKeysOf } from '../../db/reboot-locks.ts'
import { findHeir, listMakers, listWorkingTokens, revokeToken } from '../../db/tokens.ts'

export interface EndedWithMaker {
  readonly endedTokens: readonly string[]
  readonly endedInvitations: readonly string[]
  readonly endedProvisioningKeys: readonly string[]
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

interface StaysOfMaker {
  readonly fleetLockKeys: { id: string; fleet: string }[]
  readonly gatewayTokens: { id: string; fleet: string }[]
  /** Devices of other protocols, whose tokens they made. */
  readonly foreignDevices: { id: string; fleet: string }[]
}

const stayingMax = 100

/** What the maker has handed out, at however many removes, that a person must end one by one. */
export async function listStaying(tx: ReadTx, maker: string): Promise<StaysOfMaker> {
  const makers = await listMakers(tx, maker)
  return {
    fleetLockKeys: await listFleetLockKeysOf(tx, makers, stayingMax),
    gatewayTokens: await listGatewayTokensOf(tx, makers, stayingMax),
    foreignDevices: (await listForeignDevicesOf(tx, makers, stayingMax)).map((one) => ({ ...one })),
  }
}

/** What the maker's row lets it hand out, and whether its right to do so has ended. */
interface Maker {
  readonly grant: Grant
  readonly hasEnded: boolean
}

/** The person or token. A token that was replaced is its successor. */
export async function findMaker(tx: ReadTx, id: string): Promise<Maker | undefined> {
  if (id === 'server') {
    return { grant: { ...heldBuiltIn('owner'), products: null, fleets: null }, hasEnded: false }
  }
  const person = await getPerson(tx, id)
  if (person !== undefined) return { grant: person, hasEnded: person.disabledAt !== null }
  const token = await findHeir(tx, id)
  return token && { grant: token, hasEnded: token.revokedAt !== null }
}

/** The same for an entry of the log. */
export function detailOf(ended: EndedWithMaker): Record<string, string[]> {
  const lists = Object.entries(ended) as [string, readonly string[]][]
  return Object.fromEntries(lists.map(([name, ids]) => [name, [...ids]]))
}
