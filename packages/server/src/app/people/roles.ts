/**
 * Roles that people make. Whoever makes, changes or removes one may do everything that it speaks
 * of: to allow something is to give it, and to end a denial is, too. A change reaches all holders
 * at once, and what they have that they could not be given now ends.
 */
import type { RoleFacts, RoleView } from '@seaworthy/api/roles'
import type { AccessRefusal, BuiltInRole, Grant, Permission } from '@seaworthy/fleet/access'
import {
  allowedByBuiltIn,
  builtInRoles,
  coversGrant,
  isBuiltIn,
  permissionsOf,
  permissionsToAllow,
  permissionsToDeny,
  reachesEverything,
} from '@seaworthy/fleet/access'
import { Refusal } from '@seaworthy/std/refusal'
import { formatInstant } from '@seaworthy/std/time'
import type { ReadTx } from '../../db/connection.ts'
import type { RightsTx } from '../../db/rights.ts'
import { getPerson } from '../../db/people.ts'
import * as db from '../../db/roles.ts'
import type { RoleHolders, RoleRow } from '../../db/roles.ts'
import { getToken, revokeToken } from '../../db/tokens.ts'
import type { Actor, Current, EndedWithMaker } from '../access/index.ts'
import { endHandedOut, findMaker, grantOf, requireUnscoped } from '../access/index.ts'
import type { RoleRefusal } from '../refusals.ts'
import { changeGrant, endWaysOpenToLess } from './people.ts'

/** People read them all at once, and every list of roles is short. */
const rolesMax = 100

const builtInPurposes: Readonly<Record<BuiltInRole, string>> = {
  owner: 'everything, and who else is an owner',
  admin: 'everything but who is an owner',
  releaser: 'publish releases and roll them out',
  builder: 'push what is to be released',
  operator: 'run fleets: devices, rollouts, variables and secrets',
  responder: 'handle reports of flaws and the cases they are read in to',
  support: 'help with devices: look at them and at what their applications are given',
  auditor: 'look at everything, change nothing',
  viewer: 'look at products, fleets and devices',
  monitor: 'read metrics',
}

/**
 * Lists the built-in roles and then the others, by name. Only somebody who reaches everything
 * sees the holders.
 */
export async function listRoles(
  tx: ReadTx,
  actor: Actor,
  now: Date,
): Promise<{ items: RoleView[]; permissions: string[]; always: string[] }> {
  const seesHolders = reachesEverything(grantOf(actor))
  const all = seesHolders ? await db.listHolders(tx, now) : []
  const holders = new Map(all.map((one) => [one.name, one]))
  const rows = await db.listRoles(tx)
  return {
    items: [
      ...builtInRoles.map(viewBuiltIn),
      ...rows.map((row) => viewRole(row, seesHolders ? countHolders(holders.get(row.name)) : null)),
    ],
    permissions: [...permissionsToAllow],
    always: permissionsToAllow.filter((one) => !permissionsToDeny.includes(one)),
  }
}

/** Throws `role_not_found`. */
export async function showRole(
  tx: ReadTx,
  actor: Actor,
  name: string,
  now: Date,
): Promise<RoleFacts> {
  if (isBuiltIn(name)) return { ...viewBuiltIn(name), holders: null }
  const row = await findRole(tx, name)
  if (!reachesEverything(grantOf(actor))) return { ...viewRole(row, null), holders: null }
  const { people, tokens, invitations, providers } = await findHolders(tx, name, now)
  const named = async (
    ids: readonly string[],
    get: (tx: ReadTx, id: string) => Promise<{ readonly name: string } | undefined>,
  ) => {
    const list = []
    for (const id of ids) list.push({ id, name: (await get(tx, id))?.name ?? '' })
    return list
  }
  const holders = {
    people: await named(people, getPerson),
    tokens: await named(tokens, getToken),
    invitations: [...invitations],
    identityProviders: [...providers],
  }
  return {
    ...viewRole(row, countHolders({ people, tokens, invitations, providers })),
    holders,
  }
}

const nobody: RoleHolders = { people: [], tokens: [], invitations: [], providers: [] }

async function findHolders(tx: ReadTx, name: string, now: Date): Promise<RoleHolders> {
  return (await db.listHolders(tx, now)).find((one) => one.name === name) ?? nobody
}

function countHolders({ people, tokens, invitations, providers } = nobody): number {
  return people.length + tokens.length + invitations.length + providers.length
}

/** Throws `role_not_found`. */
async function findRole(tx: ReadTx, name: string): Promise<RoleRow> {
  const row = await db.getRole(tx, name)
  if (row !== undefined) return row
  throw new Refusal<RoleRefusal>(
    'role_not_found',
    `there is no role ${name}: \`seaworthy role list\` shows those there are`,
  )
}

function viewBuiltIn(name: BuiltInRole): RoleView {
  return {
    ...{ name, purpose: builtInPurposes[name], isBuiltIn: true },
    ...{ allows: [...allowedByBuiltIn(name)], denies: [] },
    ...{ version: 0, changedAt: null, changedBy: null, holdersCount: null },
  }
}

export function viewRole(row: RoleRow, holdersCount: number | null): RoleView {
  return {
    ...{ name: row.name, purpose: row.purpose, isBuiltIn: false },
    ...{ allows: [...row.allows], denies: [...row.denies], version: row.version },
    ...{ changedAt: formatInstant(row.changedAt), changedBy: row.changedBy, holdersCount },
  }
}

export interface WantedRole {
  readonly purpose: string
  readonly allows: readonly string[]
  readonly denies: readonly string[]
}

/** Throws `permission_unknown`, `role_contradicts`. */
function readRules(wanted: WantedRole): Pick<RoleRow, 'purpose' | 'allows' | 'denies'> {
  const allows = readPermissions(wanted.allows, permissionsToAllow, 'allows')
  const denies = readPermissions(wanted.denies, permissionsToDeny, 'denies')
  const both = allows.find((one) => denies.includes(one))
  if (both !== undefined) {
    throw new Refusal<RoleRefusal>(
      'role_contradicts',
      `the role both allows and denies ${both}: leave it out of one of the lists`,
    )
  }
  return { purpose: wanted.purpose, allows, denies }
}

/** The permissions in the order of their table, each once. */
function readPermissions(
  names: readonly string[],
  known: readonly Permission[],
  verb: string,
): Permission[] {
  const strange = names.find((name) => !known.some((one) => one === name))
  if (strange === undefined) return known.filter((one) => names.includes(one))
  throw new Refusal<RoleRefusal>(
    'permission_unknown',
    `no role that people make ${verb} ${strange}: \`seaworthy role list --permissions\` shows what one may`,
  )
}

/** Guards what a role speaks of. Throws `out_of_scope`, `grant_exceeds_own`. */
function requireHasAll(actor: Actor, ...rules: readonly Pick<RoleRow, 'allows' | 'denies'>[]) {
  requireUnscoped(actor, 'roles are of')
  const own = permissionsOf(grantOf(actor))
  const named = rules.flatMap(({ allows, denies }) => [...allows, ...denies])
  const lacked = named.find((permission) => !own.includes(permission))
  if (lacked === undefined) return
  throw new Refusal<AccessRefusal>(
    'grant_exceeds_own',
    `the role allows or denies ${lacked}, which you may not do yourself: only somebody who may can make, change or remove it`,
  )
}

/**
 * Throws `role_name_taken`, `permission_unknown`, `role_contradicts`, `out_of_scope`,
 * `grant_exceeds_own`, `roles_too_many`.
 */
export async function createRole(
  tx: RightsTx,
  actor: Current,
  wanted: WantedRole & { readonly name: string },
): Promise<RoleRow> {
  const rules = readRules(wanted)
  requireHasAll(actor, rules)
  const { name } = wanted
  const rows = await db.listRoles(tx)
  if (isBuiltIn(name) || rows.some((row) => row.name === name)) {
    throw new Refusal<RoleRefusal>(
      'role_name_taken',
      `there is a role ${name} already: give yours another name`,
    )
  }
  if (rows.length >= rolesMax) {
    throw new Refusal<RoleRefusal>(
      'roles_too_many',
      `there are ${rows.length} roles already, and no more may be: remove one first`,
    )
  }
  const now = await tx.now()
  const [created, changed] = [
    { createdAt: now, createdBy: actor.id },
    { changedAt: now, changedBy: actor.id },
  ]
  const row: RoleRow = { name, ...rules, version: 1, ...created, ...changed }
  await db.insertRole(tx, row)
  return row
}

export interface ChangedRole {
  readonly row: RoleRow
  readonly before: RoleRow
  readonly holdersCount: number
  readonly ended: EndedWithMaker & {
    readonly endedPasskeys: number
    readonly endedSessions: number
  }
}

/**
 * Throws `role_built_in`, `role_not_found`, `role_changed`, `permission_unknown`,
 * `role_contradicts`, `out_of_scope`, `grant_exceeds_own`.
 */
export async function changeRole(
  tx: RightsTx,
  actor: Current,
  name: string,
  wanted: WantedRole & { readonly version: number },
): Promise<ChangedRole> {
  requireNotBuiltIn(name)
  const before = await findRole(tx, name)
  const rules = readRules(wanted)
  requireHasAll(actor, before, rules)
  if (wanted.version !== before.version) {
    throw new Refusal<RoleRefusal>(
      'role_changed',
      `somebody changed the role ${name} meanwhile: look at it again, then repeat the change`,
    )
  }
  const now = await tx.now()
  const holders = await findHolders(tx, name, now)
  const people = []
  for (const id of holders.people) people.push((await getPerson(tx, id))!)
  const [version, changedBy] = [before.version + 1, actor.id]
  const row: RoleRow = { ...before, ...rules, version, changedAt: now, changedBy }
  await db.updateRole(tx, row)
  const ended = createEnded()
  for (const person of people) {
    const after = (await getPerson(tx, person.id))!
    ended.add(await changeGrant(tx, person, after, { at: now, by: actor.id }))
    // Somebody whom a group lets in uses only the provider: nobody made a link for them.
    if (person.grantedByProvider === null) {
      ended.addWays(await endWaysOpenToLess(tx, person, after, now))
    }
  }
  for (const id of holders.tokens) ended.add(await judgeToken(tx, id, now))
  return { row, before, holdersCount: countHolders(holders), ended: ended.all() }
}

/**
 * Ends the token where whoever made it could not give it now, since they may have kept a copy, and
 * otherwise what it has handed out beyond what it may do now.
 */
async function judgeToken(tx: RightsTx, id: string, now: Date): Promise<EndedWithMaker> {
  const token = await getToken(tx, id)
  // It may have ended with what its person may do.
  if (token === undefined || token.revokedAt !== null) return endHandedOut(tx, id, null, now)
  if (await isStillGivable(tx, token.createdBy, token)) return endHandedOut(tx, id, token, now)
  await revokeToken(tx, id, now)
  const { endedTokens, ...rest } = await endHandedOut(tx, id, null, now)
  return { endedTokens: [id, ...endedTokens], ...rest }
}

async function isStillGivable(tx: ReadTx, makerId: string, given: Grant): Promise<boolean> {
  const maker = await findMaker(tx, makerId)
  return maker !== undefined && coversGrant(maker.grant, given)
}

function createEnded() {
  const tokens: string[] = []
  const invitations: string[] = []
  const keys: string[] = []
  let [endedPasskeys, endedSessions] = [0, 0]
  return {
    add({ endedTokens, endedInvitations, endedProvisioningKeys }: EndedWithMaker): void {
      for (const id of endedTokens) tokens.push(id)
      for (const id of endedInvitations) invitations.push(id)
      for (const id of endedProvisioningKeys) keys.push(id)
    },
    addWays(ways: { readonly endedPasskeys: number; readonly endedSessions: number }): void {
      endedPasskeys += ways.endedPasskeys
      endedSessions += ways.endedSessions
    },
    all: () => ({
      ...{ endedTokens: tokens, endedInvitations: invitations, endedProvisioningKeys: keys },
      ...{ endedPasskeys, endedSessions },
    }),
  }
}

/** Throws `role_built_in`, `role_not_found`, `role_in_use`, `out_of_scope`, `grant_exceeds_own`. */
export async function removeRole(tx: RightsTx, actor: Current, name: string): Promise<RoleRow> {
  requireNotBuiltIn(name)
  const row = await findRole(tx, name)
  requireHasAll(actor, row)
  const { people, tokens, invitations, providers } = await findHolders(tx, name, await tx.now())
  const holders = [...people, ...tokens, ...invitations, ...providers]
  if (holders.length > 0) {
    const named = holders.slice(0, 5).join(', ')
    const rest = holders.length > 5 ? ` and ${holders.length - 5} more` : ''
    throw new Refusal<RoleRefusal>(
      'role_in_use',
      `the role ${name} is held by ${named}${rest}: give each of them another one first, or end it; \`seaworthy role show ${name}\` names all`,
    )
  }
  await db.deleteRole(tx, name)
  return row
}

function requireNotBuiltIn(name: string): void {
  if (!isBuiltIn(name)) return
  throw new Refusal<RoleRefusal>(
    'role_built_in',
    `${name} is built in and stays as it is: make a custom role instead`,
  )
}
