import { reportField } from '@seaworthy/api/device'
import { listDevices, removeDevice, setDevice, showDevice } from '@seaworthy/api/devices'
import { base64Encode, utf8Decode } from '@seaworthy/std/bytes'
import { formatInstant } from '@seaworthy/std/time'
import { grantOf } from '../app/actors.ts'
import * as devices from '../app/devices.ts'
import { pageLimitDefault, pageOf } from '../app/views.ts'
import * as db from '../db/devices.ts'
import { audited, read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

const reportsShownMax = 20

export const deviceEndpoints: readonly Endpoint[] = [
  read(listDevices, 'device:read', async (app, { actor, query }) => {
    const limit = query.limit ?? pageLimitDefault
    const { fleets, products } = grantOf(actor)
    const rows = await db.listDevices(app.db.reader, {
      after: query.after ?? '',
      limit: limit + 1,
      fleet: query.fleet ?? null,
      fleets,
      products,
    })
    return pageOf(rows, limit, devices.viewDevice, (row) => row.id)
  }),
  read(showDevice, 'device:read', async (app, { actor, params }) => {
    const device = await devices.findDevice(app.db.reader, actor, params.deviceId)
    const reports = await db.listReports(app.db.reader, device.id, reportsShownMax)
    return {
      ...devices.viewDevice(device),
      publicKey: device.publicKey,
      reports: reports.map(({ report, signature, receivedAt }) => ({
        report: reportField.parse(JSON.parse(utf8Decode(report))),
        signature: base64Encode(signature),
        receivedAt: formatInstant(receivedAt),
      })),
    }
  }),
  audited(
    setDevice,
    { permission: 'device:write', subject: (call) => call.params.deviceId },
    async (_app, tx, { actor, params, body }) => {
      const device = await devices.changeDevice(tx, actor, params.deviceId, body)
      return {
        reply: devices.viewDevice(device),
        detail: { name: device.name, fleet: device.fleet, tags: { ...device.tags } },
      }
    },
  ),
  audited(
    removeDevice,
    { permission: 'device:write', subject: (call) => call.params.deviceId },
    async (app, tx, { actor, params, now }) => {
      const device = await devices.endDevice(tx, actor, params.deviceId, now)
      return {
        reply: undefined,
        detail: { keyId: device.keyId, fleet: device.fleet },
        afterCommit: () => app.removedDevices.add(device.id),
      }
    },
  ),
]
