import {
  cancelForeignDevice,
  createForeignDevice,
  createGatewayToken,
  listGatewayTokens,
  revokeGatewayToken,
  rotateForeignDevice,
  showForeignDevice,
} from '@seaworthy/api/foreign-devices'
import { listActions, viewAction, forceCancel } from '../app/foreign/index.ts'
import { viewDevice } from '../app/devices/index.ts'
import * as foreign from '../app/foreign/index.ts'
import { instantOrNull } from '../app/views.ts'
import { audited, read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

export const foreignDeviceEndpoints: readonly Endpoint[] = [
  audited(
    createForeignDevice,
    { permission: 'device:write', subject: (call) => call.params.fleet },
    async (app, tx, { actor, params, body }) => {
      const now = await tx.now()
      const wanted = { ...params, ...body }
      const { device, token } = await foreign.createForeignDevice(app, tx, actor, wanted, now)
      return {
        reply: { device: viewDevice(device, now), token },
        subject: device.id,
        detail: {
          fleet: device.fleet,
          protocol: device.protocol,
          externalId: body.externalId ?? null,
        },
      }
    },
  ),
  audited(
    rotateForeignDevice,
    {
      permission: 'device:write',
      subject: (call) => call.params.deviceId,
      effect: (_app, tx, { actor, params }) => foreign.rotationEffect(tx, actor, params.deviceId),
    },
    async (app, tx, { actor, params }) => {
      const made = await foreign.rotateForeignDevice(app, tx, actor, params.deviceId)
      return {
        reply: { device: viewDevice(made.device, await tx.now()), token: made.token },
        detail: { fleet: made.device.fleet },
        afterCommit: () => app.foreignIdentities.forget(params.deviceId),
      }
    },
  ),
  audited(
    cancelForeignDevice,
    { permission: 'device:write', subject: (call) => call.params.deviceId },
    async (_app, tx, { actor, params }) => {
      const { device, action } = await forceCancel(tx, actor, params.deviceId)
      return {
        reply: { device: viewDevice(device, await tx.now()), action: viewAction(action) },
        detail: { fleet: device.fleet, action: action.id, version: action.version },
      }
    },
  ),
  read(showForeignDevice, 'device:read', async (app, { actor, params }) => {
    const found = await foreign.findForeignDevice(app.db.reader, actor, params.deviceId)
    return {
      device: viewDevice(found.device, app.clock.now()),
      externalId: found.foreign.externalId,
      gatewayTokenId: found.foreign.gateway,
      tokenMadeBy: found.foreign.tokenMadeBy,
      attributes: { ...found.foreign.attributes },
      attributesAt: instantOrNull(found.foreign.attributesAt),
      actions: await listActions(app.db.reader, params.deviceId),
    }
  }),
  audited(
    createGatewayToken,
    { permission: 'provisioning-key:write', subject: (call) => call.params.fleet },
    async (app, tx, { actor, params, body }) => {
      const now = await tx.now()
      const wanted = { ...params, ...body }
      const { row, token } = await foreign.createGatewayToken(tx, app, actor, wanted, now)
      return {
        reply: { view: foreign.viewGatewayToken(row), token },
        subject: row.id,
        detail: { fleet: row.fleet, uses: row.usesLeft },
      }
    },
  ),
  read(listGatewayTokens, 'provisioning-key:read', (app, { actor, params, query }) =>
    foreign.listGatewayTokens(app.db.reader, actor, { ...query, ...params }),
  ),
  audited(
    revokeGatewayToken,
    {
      permission: 'provisioning-key:write',
      subject: (call) => call.params.gatewayTokenId,
      effect: (_app, tx, { actor, params }) =>
        foreign.gatewayEndEffect(tx, actor, params.gatewayTokenId),
    },
    async (app, tx, { actor, params }) => {
      const now = await tx.now()
      await foreign.endGatewayToken(tx, actor, params.gatewayTokenId, now)
      return {
        reply: undefined,
        afterCommit: () => app.foreignIdentities.forget(params.gatewayTokenId),
      }
    },
  ),
]
