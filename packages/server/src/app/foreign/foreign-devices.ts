/**
 * Devices that speak another system's protocol: adding them, replacing their tokens, and gateways
 * that register them.
 */
import type { GatewayTokenView } from '@seaworthy/api/foreign-devices'
import { newId } from '@seaworthy/std/ids'
import { invariant, Refusal } from '@seaworthy/std/refusal'
import { formatInstant } from '@seaworthy/std/time'
import { appendAudit } from '../../db/audit-log.ts'
import type { ReadTx, WriteTx } from '../../db/connection.ts'
import type { DeviceWithState } from '../../db/devices.ts'
import { getDevice, insertDevice } from '../../db/devices.ts'
import type { FleetRow } from '../../db/fleets.ts'
import { getFleet } from '../../db/fleets.ts'
import * as db from '../../db/foreign-devices.ts'
import type {
  ForeignDeviceRow,
  ForeignProtocol,
  GatewayTokenRow,
} from '../../db/foreign-devices.ts'
import type { Actor, Current } from '../access/index.ts'
import type { App, Ports, ForeignIdentity } from '../app.ts'
import { createCredential } from '../access/index.ts'
import type { GuardedEffect } from '../approvals/index.ts'
import { describeDevice, findDevice } from '../devices/index.ts'
import { findFleet } from '../fleets/index.ts'
import type { ServerRefusal } from '../refusals.ts'
import type { Page, PageQuery } from '../paging.ts'
import { listById } from '../paging.ts'

export interface WantedForeignDevice {
  readonly fleet: string
  readonly protocol: ForeignProtocol
  readonly externalId?: string | undefined
  readonly platform: string
  readonly hardware?: string | undefined
  readonly tags?: Readonly<Record<string, string>> | undefined
}

/** Throws `fleet_not_found`, `out_of_scope`, `external_id_missing`, `external_id_taken`. */
export async function createForeignDevice(
  app: Pick<Ports, 'random'>,
  tx: WriteTx,
  actor: Current,
  wanted: WantedForeignDevice,
  now: Date,
): Promise<{ device: DeviceWithState; token: string }> {
  const { name: fleet } = await findFleet(tx, actor, wanted.fleet)
  if (wanted.protocol === 'ddi' && wanted.externalId === undefined) {
    throw new Refusal<ServerRefusal>(
      'external_id_missing',
      'a DDI device needs the controller id that its client is configured with',
    )
  }
  const id = newId('device', now, app.random)
  const credential = createCredential('device', id, app.random)
  const device = await insertBoth(tx, {
    ...wanted,
    id,
    fleet,
    externalId: wanted.externalId ?? null,
    hardware: wanted.hardware ?? null,
    tags: wanted.tags ?? {},
    secretSha256: credential.secretSha256,
    gateway: null,
    tokenMadeBy: actor.id,
    now,
  })
  return { device, token: credential.text }
}

interface NewForeignDevice {
  readonly id: string
  readonly fleet: string
  readonly protocol: ForeignProtocol
  readonly externalId: string | null
  readonly platform: string
  readonly hardware: string | null
  readonly tags: Readonly<Record<string, string>>
  readonly secretSha256: Uint8Array | null
  readonly gateway: string | null
  readonly tokenMadeBy: string | null
  readonly now: Date
}

async function insertBoth(tx: WriteTx, wanted: NewForeignDevice): Promise<DeviceWithState> {
  const { id, fleet, protocol, externalId } = wanted
  await insertDevice(tx, {
    id,
    fleet,
    protocol,
    keyId: null,
    publicKey: null,
    name: externalId,
    platform: wanted.platform,
    hardware: wanted.hardware,
    agentVersion: protocol,
    tags: wanted.tags,
    provisioningKey: null,
    registeredAt: wanted.now,
  })
  const isNew = await db.insertForeignDevice(tx, {
    device: id,
    protocol,
    externalId,
    homeFleet: fleet,
    secretSha256: wanted.secretSha256,
    gateway: wanted.gateway,
    tokenMadeBy: wanted.tokenMadeBy,
  })
  if (!isNew) {
    throw new Refusal<ServerRefusal>(
      'external_id_taken',
      `the fleet ${fleet} has a device ${externalId} of that protocol`,
    )
  }
  const device = await getDevice(tx, id)
  invariant(device !== undefined, 'what was inserted is there')
  return device
}

/** Throws `device_not_found`, `out_of_scope`, `device_has_no_token`. */
export async function rotateForeignDevice(
  app: Pick<Ports, 'random'>,
  tx: WriteTx,
  actor: Current,
  deviceId: string,
): Promise<{ device: DeviceWithState; token: string }> {
  const device = await findDevice(tx, actor, deviceId)
  const credential = createCredential('device', deviceId, app.random)
  if (!(await db.replaceSecret(tx, deviceId, credential.secretSha256, actor.id))) {
    throw new Refusal<ServerRefusal>(
      'device_has_no_token',
      'the device has a key, or a gateway speaks for it',
    )
  }
  return { device, token: credential.text }
}

/**
 * What another token would do to the device: it is cut off until it has it. Throws
 * `device_not_found`, `out_of_scope`, `device_has_no_token`.
 */
export async function rotationEffect(
  tx: ReadTx,
  actor: Current,
  deviceId: string,
): Promise<GuardedEffect<'device-removal'>> {
  const { device } = await findForeignDevice(tx, actor, deviceId)
  const { product } = (await getFleet(tx, device.fleet))!
  return {
    kind: 'device-removal',
    devicesMax: 1,
    words: [
      `Would replace the token of a device of the fleet ${device.fleet}, ${describeDevice(device)}; the old one ends at once, and the device gets no update until it is given the new one.`,
    ],
    inputs: { fleet: device.fleet },
    needs: { permission: 'device:write', fleet: { name: device.fleet, product } },
  }
}

/** Throws `device_not_found`, `out_of_scope`, `device_has_no_token` for a device of ours. */
export async function findForeignDevice(
  tx: ReadTx,
  actor: Actor,
  deviceId: string,
): Promise<{ device: DeviceWithState; foreign: ForeignDeviceRow }> {
  const device = await findDevice(tx, actor, deviceId)
  const foreign = await db.getForeignDevice(tx, deviceId)
  if (foreign !== undefined) return { device, foreign }
  throw new Refusal<ServerRefusal>('device_has_no_token', 'the device speaks our own protocol')
}

/**
 * Answers the device of that name behind the gateway, and registers it now if the gateway has a use
 * left. Answers `undefined` when it has none, when the name belongs to a device that is not behind
 * this gateway, or when the device was removed before.
 */
export async function registerBehind(
  app: Pick<App, 'db' | 'foreignIdentities' | 'random'>,
  gatewayId: string,
  externalId: string,
): Promise<ForeignIdentity | undefined> {
  const known = await app.foreignIdentities.findBehind(gatewayId, externalId)
  if (known !== undefined) return known
  try {
    const id = await app.db.write(async (tx) => {
      const gateway = await db.getGatewayToken(tx, gatewayId)
      if (gateway === undefined || (await db.isRemovedBehind(tx, gatewayId, externalId))) return
      if (!(await db.takeGatewayUse(tx, gatewayId))) return
      const now = await tx.now()
      const { id: device } = await insertBoth(tx, {
        id: newId('device', now, app.random),
        fleet: gateway.fleet,
        protocol: 'ddi',
        externalId,
        platform: gateway.platform,
        hardware: gateway.hardware,
        tags: {},
        secretSha256: null,
        gateway: gatewayId,
        tokenMadeBy: null,
        now,
      })
      await appendAudit(tx, {
        actor: gatewayId,
        action: 'foreign-device.register',
        subject: device,
        outcome: 'done',
        detail: { fleet: gateway.fleet, externalId },
      })
      return device
    })
    if (id === undefined) return undefined
  } catch (error) {
    // The name belongs to another device, or this very device was registered at the same time: the
    // look-up below tells which.
    if (!(error instanceof Refusal) || error.code !== 'external_id_taken') throw error
  }
  return app.foreignIdentities.findBehind(gatewayId, externalId)
}

export async function createGatewayToken(
  tx: WriteTx,
  { random }: Pick<Ports, 'random'>,
  actor: Current,
  wanted: { fleet: string; uses: number; platform: string; hardware?: string | undefined },
  now: Date,
): Promise<{ row: GatewayTokenRow; token: string }> {
  const fleet = await findFleet(tx, actor, wanted.fleet)
  const id = newId('gateway', now, random)
  const credential = createCredential('gateway', id, random)
  const row: GatewayTokenRow = {
    id,
    fleet: fleet.name,
    platform: wanted.platform,
    hardware: wanted.hardware ?? null,
    secretSha256: credential.secretSha256,
    usesLeft: wanted.uses,
    createdAt: now,
    createdBy: actor.id,
    revokedAt: null,
  }
  await db.insertGatewayToken(tx, row)
  return { row, token: credential.text }
}

/** Throws `gateway_token_not_found`, `out_of_scope`. */
export async function endGatewayToken(
  tx: WriteTx,
  actor: Current,
  id: string,
  now: Date,
): Promise<void> {
  await findGatewayToken(tx, actor, id)
  if (!(await db.revokeGatewayToken(tx, id, now))) throw noGatewayToken()
}

/** What the end of the token would do. Throws `gateway_token_not_found`, `out_of_scope`. */
export async function gatewayEndEffect(
  tx: ReadTx,
  actor: Current,
  id: string,
): Promise<GuardedEffect<'device-removal'>> {
  const { name, product } = await findGatewayToken(tx, actor, id)
  return {
    kind: 'device-removal',
    devicesMax: await db.countDevicesBehind(tx, id),
    words: [
      `Would end the gateway token ${id} of the fleet ${name}; every device behind that gateway is cut off at once, and gets no update.`,
    ],
    inputs: { fleet: name },
    needs: { permission: 'provisioning-key:write', fleet: { name, product } },
  }
}

/** Answers the fleet of the token. Throws `gateway_token_not_found`, `out_of_scope`. */
async function findGatewayToken(tx: ReadTx, actor: Actor, id: string): Promise<FleetRow> {
  const row = await db.getGatewayToken(tx, id)
  if (row === undefined) throw noGatewayToken()
  return findFleet(tx, actor, row.fleet)
}

function noGatewayToken(): Refusal<ServerRefusal> {
  return new Refusal<ServerRefusal>(
    'gateway_token_not_found',
    'no such token, or it was revoked before',
  )
}

/**
 * Lists the gateway tokens of a fleet that still work. Throws `fleet_not_found`, `out_of_scope`.
 */
export async function listGatewayTokens(
  tx: ReadTx,
  actor: Actor,
  query: PageQuery & { readonly fleet: string },
): Promise<Page<GatewayTokenView>> {
  const { name } = await findFleet(tx, actor, query.fleet)
  return listById(
    query,
    (part) => db.listGatewayTokens(tx, { ...part, fleet: name }),
    viewGatewayToken,
  )
}

export function viewGatewayToken(row: GatewayTokenRow): GatewayTokenView {
  return {
    id: row.id,
    fleet: row.fleet,
    platform: row.platform,
    hardware: row.hardware,
    usesLeft: row.usesLeft,
    createdAt: formatInstant(row.createdAt),
    createdBy: row.createdBy,
  }
}
