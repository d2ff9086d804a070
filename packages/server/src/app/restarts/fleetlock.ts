/**
 * What FleetLock clients ask for (`/fleetlock/v1/…`): a slot before a restart, and giving it back
 * when they are well again.
 */
import type { FleetLockKeyView } from '@seaworthy/api/reboot-locks'
import { newId } from '@seaworthy/std/ids'
import { Refusal } from '@seaworthy/std/refusal'
import { formatInstant } from '@seaworthy/std/time'
import type { ReadTx, WriteTx } from '../../db/connection.ts'
import { getDevice } from '../../db/devices.ts'
import * as db from '../../db/reboot-locks.ts'
import type { FleetLockKeyRow } from '../../db/reboot-locks.ts'
import {
  deleteLock,
  findDeviceOfClient,
  getFleetLockKey,
  getHolder,
  insertFleetLockKey,
  isUpdateUnfinished,
  notifyLocks,
  revokeFleetLockKey,
} from '../../db/reboot-locks.ts'
import type { Actor, Current } from '../access/index.ts'
import type { App } from '../app.ts'
import { createCredential, isSameSecret, parseCredential, requireRoomFor } from '../access/index.ts'
import { findFleet } from '../fleets/index.ts'
import type { RebootLockRefusal } from '../refusals.ts'
import type { SlotAnswer, SlotHolder } from './slots.ts'
import { acquireSlot, isOfUpdate } from './slots.ts'
import type { Page, PageQuery } from '../paging.ts'
import { listById } from '../paging.ts'

type Deps = Pick<App, 'db' | 'foreignIdentities' | 'random' | 'rebootLocks' | 'zones'>

/**
 * Who sends the request: a device of another system by its own token, or a client that has a key of
 * the fleet. Our agents are neither: they ask in their check-ins, where the device signs that it
 * waits, and a fetcher's access token must not speak for a restart.
 */
export type LockClient =
  | {
      readonly kind: 'device'
      readonly fleet: string
      readonly device: string
      readonly tags: Readonly<Record<string, string>>
    }
  | { readonly kind: 'client'; readonly fleet: string; readonly key: string }

/** The holder of the credential, or `undefined`. */
export async function identifyLockClient(
  app: Deps,
  credential: string,
): Promise<LockClient | undefined> {
  const parsed = parseCredential(credential)
  if (parsed?.kind === 'fleetlock') {
    const key = await getFleetLockKey(app.db.reader, parsed.id)
    if (key === undefined || !isSameSecret(key.secretSha256, parsed.secretSha256)) return undefined
    return key.revokedAt === null ? { kind: 'client', fleet: key.fleet, key: key.id } : undefined
  }
  const foreign = await app.foreignIdentities.identifyDevice(credential)
  const device = foreign && (await getDevice(app.db.reader, foreign.deviceId))
  if (device === undefined) return undefined
  return { kind: 'device', fleet: device.fleet, device: device.id, tags: device.tags }
}

/** A device is one holder, whatever id it sends; clients of a key are told apart by their ids. */
async function holderOf(app: Pick<App, 'db'>, client: LockClient, id: string): Promise<SlotHolder> {
  const asked = { fleet: client.fleet, sha256: null, sequence: null }
  if (client.kind === 'device') {
    return { ...asked, kind: 'device', holder: client.device, device: client.device }
  }
  const device = await findDeviceOfClient(app.db.reader, client.fleet, id)
  return { ...asked, kind: 'client', holder: id, device }
}

/** Takes a slot; a client that holds one is granted it again each time it asks. */
export async function lockBeforeReboot(
  app: Deps,
  client: LockClient,
  id: string,
  now: Date,
): Promise<SlotAnswer> {
  const holder = await holderOf(app, client, id)
  const tags = client.kind === 'device' ? client.tags : {}
  const answer = await app.db.write((tx) => acquireSlot(app, tx, holder, tags, now))
  if (answer.kind === 'granted' && answer.isNew) await app.rebootLocks.reload()
  return answer
}

/**
 * Gives back the slot that FleetLock took. One that a check-in took for an update is given back by
 * the end of the update alone. The answer is `not-healthy` when the holder is a device of ours in
 * the middle of an update, whose end decides. A client without a slot is told that all is well,
 * since some clients report a steady state before they look for updates.
 */
export async function unlockWhenSteady(
  app: Pick<App, 'db' | 'rebootLocks'>,
  client: LockClient,
  id: string,
): Promise<'steady' | 'not-healthy'> {
  const holder = await holderOf(app, client, id)
  const held = await getHolder(app.db.reader, holder)
  if (held === undefined) return 'steady'
  const device = held.device ?? holder.device
  if (device !== null && (await isUpdateUnfinished(app.db.reader, device))) return 'not-healthy'
  if (isOfUpdate(held)) return 'steady'
  await app.db.write(async (tx) => {
    if (await deleteLock(tx, held.id)) await notifyLocks(tx)
  })
  await app.rebootLocks.reload()
  return 'steady'
}

/**
 * Creates a key of the fleet, which is shown once. Throws `fleet_not_found`, `out_of_scope`,
 * `handed_out_too_many`.
 */
export async function createFleetLockKey(
  tx: WriteTx,
  { random }: Pick<App, 'random'>,
  actor: Current,
  fleetName: string,
  now: Date,
): Promise<{ row: FleetLockKeyRow; key: string }> {
  const fleet = await findFleet(tx, actor, fleetName)
  requireRoomFor('FleetLock keys', await db.countFleetLockKeys(tx, fleet.name))
  const id = newId('fleetlock', now, random)
  const credential = createCredential('fleetlock', id, random)
  const row: FleetLockKeyRow = {
    id,
    fleet: fleet.name,
    secretSha256: credential.secretSha256,
    createdAt: now,
    createdBy: actor.id,
    revokedAt: null,
  }
  await insertFleetLockKey(tx, row)
  return { row, key: credential.text }
}

/** Lists the keys of a fleet that are still valid. Throws `fleet_not_found`, `out_of_scope`. */
export async function listFleetLockKeys(
  tx: ReadTx,
  actor: Actor,
  query: PageQuery & { readonly fleet: string },
): Promise<Page<FleetLockKeyView>> {
  const { name } = await findFleet(tx, actor, query.fleet)
  return listById(
    query,
    (part) => db.listFleetLockKeys(tx, { ...part, fleet: name }),
    viewFleetLockKey,
  )
}

/** Throws `fleetlock_key_not_found`, `out_of_scope`. */
export async function endFleetLockKey(
  tx: WriteTx,
  actor: Current,
  id: string,
  now: Date,
): Promise<void> {
  const row = await getFleetLockKey(tx, id)
  const refusal = () =>
    new Refusal<RebootLockRefusal>(
      'fleetlock_key_not_found',
      'no such key, or it was revoked before',
    )
  if (row === undefined) throw refusal()
  await findFleet(tx, actor, row.fleet)
  if (!(await revokeFleetLockKey(tx, id, now))) throw refusal()
}

export function viewFleetLockKey(row: FleetLockKeyRow): FleetLockKeyView {
  const { id, fleet, createdAt, createdBy } = row
  return { id, fleet, createdAt: formatInstant(createdAt), createdBy }
}
