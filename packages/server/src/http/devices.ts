import {
  countDevices,
  listDevices,
  listEnrolments,
  moveDevices,
  removeDevice,
  setDevice,
  showDevice,
} from '@seaworthy/api/devices'
import * as devices from '../app/devices/index.ts'
import { audited, read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

export const deviceEndpoints: readonly Endpoint[] = [
  read(listDevices, 'device:read', (app, { actor, query }) =>
    devices.listDevices(app, actor, query),
  ),
  read(countDevices, 'device:read', (app, { actor, query }) =>
    devices.countDevices(app, actor, query),
  ),
  read(showDevice, 'device:read', async (app, { actor, params }) => {
    const device = await devices.findDevice(app.db.reader, actor, params.deviceId)
    return {
      ...devices.viewDevice(device, app.clock.now()),
      failure: device.report?.failure ?? null,
      publicKey: device.publicKey,
      enrolment: await devices.showEnrolment(app.db.reader, device.id),
      reports: await devices.listReports(app.db.reader, device.id),
    }
  }),
  read(listEnrolments, 'device:read', (app, { actor, params, query }) =>
    devices.listEnrolments(app.db.reader, actor, { ...query, ...params }),
  ),
  audited(
    setDevice,
    {
      permission: 'device:write',
      subject: (call) => call.params.deviceId,
      effect: (_app, tx, { actor, params, body }) =>
        devices.deviceEffect(tx, actor, params.deviceId, body),
    },
    async (_app, tx, { actor, params, body }) => {
      const { device, isUnchanged } = await devices.changeDevice(tx, actor, params.deviceId, body)
      return {
        reply: devices.viewDevice(device, await tx.now()),
        detail: {
          name: device.name,
          fleet: device.fleet,
          tags: { ...device.tags },
          ...(body.identityShared === undefined ? {} : { identityShared: body.identityShared }),
        },
        isUnchanged,
      }
    },
  ),
  audited(
    moveDevices,
    {
      permission: 'device:write',
      subject: (call) => call.params.fleet,
      effect: (_app, tx, { actor, params, body }) =>
        devices.moveEffect(tx, actor, { ...params, ...body }),
    },
    async (_app, tx, { actor, params: { fleet }, body: { deviceIds, toFleet } }) => {
      const moved = await devices.moveDevices(tx, actor, { fleet, deviceIds, toFleet })
      return {
        reply: {
          movedIds: [...moved],
          leftIds: [...new Set(deviceIds)].filter((id) => !moved.includes(id)),
        },
        isUnchanged: moved.length === 0,
        entries: moved.map((id) => ({ subject: id, detail: { fleet: toFleet, from: fleet } })),
      }
    },
  ),
  audited(
    removeDevice,
    {
      permission: 'device:write',
      subject: (call) => call.params.deviceId,
      effect: (_app, tx, { actor, params }) => devices.removalEffect(tx, actor, params.deviceId),
    },
    async (app, tx, { actor, params }) => {
      const device = await devices.endDevice(tx, actor, params.deviceId)
      return {
        reply: undefined,
        detail: { keyId: device.keyId, fleet: device.fleet },
        afterCommit: () => app.removedDevices.add(device.id),
      }
    },
  ),
]
