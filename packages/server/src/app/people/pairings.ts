/**
 * Command lines to which a person gives a token (RFC 8628). Whoever asks is a stranger until then,
 * so pairings are few and short, and make no entries in the log. The token has no more than its
 * person has when it is handed out, and ends with them.
 */
import type { PairingView } from '@seaworthy/api/pairings'
import type { Grant, Scope } from '@seaworthy/fleet/access'
import { checkGrant, copyScope, coversGrant, tokenRoles } from '@seaworthy/fleet/access'
import { newId } from '@seaworthy/std/ids'
import { Refusal } from '@seaworthy/std/refusal'
import { formatInstant, minuteMs, secondMs } from '@seaworthy/std/time'
import type { ReadTx, WriteTx } from '../../db/connection.ts'
import { readClock } from '../../db/connection.ts'
import * as db from '../../db/pairings.ts'
import type { PairingRow } from '../../db/pairings.ts'
import { getPerson } from '../../db/people.ts'
import { listRoles } from '../../db/roles.ts'
import type { Current, PersonActor } from '../access/index.ts'
import {
  createCredential,
  isSameSecret,
  issueToken,
  requireRoomForToken,
  KnownPersonRefusal,
  parseCredential,
  readGrant,
  requireRoleOfTokens,
} from '../access/index.ts'
import type { IssuedToken } from '../access/index.ts'
import type { App, Ports } from '../app.ts'
import type { PersonRefusal } from '../refusals.ts'
import { intervalSeconds, makeUserCode } from './pairing-codes.ts'

const pairingMs = 10 * minuteMs
/** How long an ended pairing still says why it has ended. */
const rememberedMs = 10 * minuteMs
/** Strangers create these rows, so they are limited: in all, and from one network. */
const waitingMax = 500
const waitingOfNetworkMax = 10

export interface NewPairing extends Scope {
  readonly machine: string
  readonly role: string | null
  readonly lifetimeSeconds: number
  readonly address: string
  readonly network: string
}

export interface BegunPairing {
  readonly row: PairingRow
  /** The secret of the command line: shown to nobody, stored nowhere. */
  readonly deviceCode: string
  readonly intervalSeconds: number
}

/**
 * Refuses what `beginPairing` would refuse, without writing anything, because strangers may ask as
 * often as they like. Throws `pairings_too_many`.
 */
export async function checkNewPairing({ db }: Pick<App, 'db'>, network: string): Promise<void> {
  await requireFew(db.reader, network, await readClock(db.reader))
}

async function requireFew(tx: ReadTx, network: string, now: Date): Promise<void> {
  const { all, ofNetwork } = await db.countPairings(tx, network, now)
  if (all < waitingMax && ofNetwork < waitingOfNetworkMax) return
  throw new Refusal<PersonRefusal>(
    'pairings_too_many',
    'too many command lines already wait for a person: decide about them, or wait ten minutes',
  )
}

/** Throws `pairings_too_many`. */
export async function beginPairing(
  tx: WriteTx,
  { random }: Pick<Ports, 'random'>,
  wanted: NewPairing,
): Promise<BegunPairing> {
  await db.lockPairings(tx)
  const now = await tx.now()
  await db.forgetPairings(tx, new Date(now.getTime() - rememberedMs))
  await requireFew(tx, wanted.network, now)
  const id = newId('pairing', now, random)
  const { text, secretSha256 } = createCredential('pairing', id, random)
  for (;;) {
    const row: PairingRow = {
      ...wanted,
      ...{ id, secretSha256, createdAt: now },
      userCode: makeUserCode(random),
      expiresAt: new Date(now.getTime() + pairingMs),
      state: 'waiting',
      decidedBy: null,
    }
    if (await db.insertPairing(tx, row)) return { row, deviceCode: text, intervalSeconds }
  }
}

/**
 * Answers the command line while there is nothing to hand out: `undefined` once the person has let
 * it have its token. Anybody may ask, so nothing is written. Throws `pairing_not_found`,
 * `pairing_expired`, `pairing_refused`, `pairing_decided`.
 */
export async function askPairing(
  app: Pick<App, 'db' | 'pairingPaces'>,
  deviceCode: string,
): Promise<{ state: 'waiting'; intervalSeconds: number } | undefined> {
  const { reader } = app.db
  const row = await getAsked(reader, deviceCode)
  const now = await readClock(reader)
  return requireOffered(row, now)
    ? undefined
    : { state: 'waiting', intervalSeconds: app.pairingPaces.ask(row, now) }
}

/** The pairing that the command line's secret belongs to. Throws `pairing_not_found`. */
async function getAsked(tx: ReadTx, deviceCode: string): Promise<PairingRow> {
  const credential = parseCredential(deviceCode)
  if (credential?.kind !== 'pairing') throw notFound()
  const row = await db.getPairing(tx, credential.id)
  if (row === undefined || !isSameSecret(row.secretSha256, credential.secretSha256)) {
    throw notFound()
  }
  return row
}

/**
 * Answers false while nobody has decided. Throws `pairing_expired`, `pairing_refused`,
 * `pairing_decided`.
 */
function requireOffered(row: PairingRow, now: Date): boolean {
  requireOpen(row, now)
  switch (row.state) {
    case 'waiting':
      return false
    case 'approved':
      return true
    case 'refused':
      throw new Refusal<PersonRefusal>('pairing_refused', 'the person has refused')
    case 'used':
      throw new Refusal<PersonRefusal>(
        'pairing_decided',
        'the token of this pairing was handed out before: if not to you, revoke it',
      )
  }
}

export interface FetchedPairing {
  readonly personId: string
  readonly issued: IssuedToken
}

/**
 * Hands out the token, once, after `askPairing` found that it may. Throws like it, and
 * `pairing_void`.
 */
export async function fetchPairing(
  tx: WriteTx,
  ports: Pick<Ports, 'random'>,
  deviceCode: string,
): Promise<FetchedPairing> {
  const { id } = await getAsked(tx, deviceCode)
  const row = (await db.lockPairing(tx, id))!
  const now = await tx.now()
  // An approved pairing no longer waits for anybody.
  if (!requireOffered(row, now)) throw notFound()
  const issued = await issuePaired(tx, ports, row, now)
  await db.updatePairing(tx, { ...row, state: 'used' })
  return { personId: row.decidedBy!, issued }
}

/**
 * Throws `pairing_void` when the person may not give it any more, and `handed_out_too_many`.
 */
async function issuePaired(
  tx: WriteTx,
  ports: Pick<Ports, 'random'>,
  row: PairingRow,
  now: Date,
): Promise<IssuedToken> {
  const person = await getPerson(tx, row.decidedBy!)
  const voided = new KnownPersonRefusal(
    'pairing_void',
    'the person who approved this may not do so any more: begin again',
    row.decidedBy!,
  )
  if (person === undefined || person.disabledAt !== null) throw voided
  const grant = await grantIn(tx, person, row.role!, row)
  if (grant === undefined || !coversGrant(person, grant)) throw voided
  const name = `cli-${row.machine.toLowerCase().replaceAll(/[^a-z0-9-]/g, '-')}`.slice(0, 63)
  const lifetimeMs = row.lifetimeSeconds * secondMs
  const { id } = person
  await requireRoomForToken(tx, id, now)
  const wanted = { ...grant, networks: null, name, lifetimeMs, createdBy: id, holder: id }
  return issueToken(tx, ports, wanted, now)
}

function notFound(): Refusal<PersonRefusal> {
  return new Refusal<PersonRefusal>(
    'pairing_not_found',
    'no command line waits with this code: compare it with the one that is shown, or begin again',
  )
}

function requireOpen({ expiresAt }: PairingRow, now: Date): void {
  if (expiresAt.getTime() > now.getTime()) return
  throw new Refusal<PersonRefusal>(
    'pairing_expired',
    'nobody has decided within ten minutes: begin again with `seaworthy login`',
  )
}

/**
 * What the person would give: what is asked for, within what they reach themselves. A scope that is
 * asked for beyond that stays, and is refused when it is given.
 */
function offerOf(person: Scope, asked: Scope): Scope {
  return {
    products: asked.products ?? person.products,
    fleets: asked.fleets ?? person.fleets,
  }
}

/**
 * What the token would get: what denies its person something denies it to the token, too.
 * `undefined` when there is no such role.
 */
async function grantIn(
  tx: ReadTx,
  person: Grant,
  role: string,
  scope: Scope,
): Promise<Grant | undefined> {
  const { products, fleets } = scope
  try {
    return await readGrant(tx, { role, deniedBy: person.deniedBy, products, fleets })
  } catch (error) {
    if (error instanceof Refusal && error.code === 'role_unknown') return undefined
    throw error
  }
}

/** The roles that the person may give, at most one for each role there is. */
async function rolesToGive(tx: ReadTx, person: Grant): Promise<string[]> {
  const { products, fleets, deniedBy } = person
  const rules = await listRoles(tx)
  const names = [...tokenRoles, ...rules.map(({ name }) => name)]
  return names.filter((role) =>
    coversGrant(person, { role, deniedBy, customRoles: rules, products, fleets }),
  )
}

/** The pairing with this code. Throws `pairing_not_found`, `pairing_expired`, `pairing_decided`. */
export async function readPairing(
  tx: ReadTx,
  { person }: PersonActor,
  userCode: string,
  now: Date,
): Promise<PairingView> {
  const row = await db.findPairing(tx, userCode)
  if (row === undefined) throw notFound()
  requireUndecided(row, now)
  return viewPairing({ ...row, ...offerOf(person, row) }, await rolesToGive(tx, person))
}

function requireUndecided(row: PairingRow, now: Date): void {
  requireOpen(row, now)
  if (row.state === 'waiting') return
  throw new Refusal<PersonRefusal>(
    'pairing_decided',
    'this was decided before; if it was not you, tell an owner',
  )
}

interface Decision {
  readonly pairingId: string
  readonly userCode: string
}

/**
 * Lets the command line have its token. Throws `pairing_not_found`, `pairing_expired`,
 * `pairing_decided`, `role_unknown`, `role_not_for_tokens`, `grant_exceeds_own`.
 */
export async function approvePairing(
  tx: WriteTx,
  actor: Current<PersonActor>,
  decision: Decision & { readonly role: string },
): Promise<PairingView> {
  const row = await lockDecided(tx, decision)
  const { person } = actor
  requireRoleOfTokens(decision.role)
  const { deniedBy } = person
  const grant = await readGrant(tx, { role: decision.role, deniedBy, ...offerOf(person, row) })
  checkGrant(person, grant)
  const given = { role: grant.role, products: grant.products, fleets: grant.fleets }
  const approved = { ...row, ...given, state: 'approved', decidedBy: actor.id } as const
  await db.updatePairing(tx, approved)
  return viewPairing(approved, await rolesToGive(tx, person))
}

/** Throws `pairing_not_found`, `pairing_expired`, `pairing_decided`. */
export async function refusePairing(
  tx: WriteTx,
  actor: Current<PersonActor>,
  decision: Decision,
): Promise<PairingRow> {
  const row = await lockDecided(tx, decision)
  await db.updatePairing(tx, { ...row, state: 'refused', decidedBy: actor.id })
  return row
}

/** The decision is about the pairing that was shown: a later one with the same code is another. */
async function lockDecided(tx: WriteTx, { pairingId, userCode }: Decision): Promise<PairingRow> {
  const row = await db.lockPairing(tx, pairingId)
  if (row === undefined || row.userCode !== userCode) throw notFound()
  requireUndecided(row, await tx.now())
  return row
}

function viewPairing(row: PairingRow, roles: string[]): PairingView {
  return {
    id: row.id,
    machine: row.machine,
    address: row.address,
    createdAt: formatInstant(row.createdAt),
    expiresAt: formatInstant(row.expiresAt),
    role: row.role,
    ...copyScope(row),
    lifetimeSeconds: row.lifetimeSeconds,
    roles,
  }
}
