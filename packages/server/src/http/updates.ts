import { explainDevice, listDeviceUpdates, showFleetVersions } from '@seaworthy/api/updates'
import { findDevice } from '../app/devices/index.ts'
import { findFleet } from '../app/fleets/index.ts'
import * as rollouts from '../app/rollouts/index.ts'
import { explainDevice as explain } from '../app/why.ts'
import { read } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'
import { readTimeZone } from './time-zones.ts'

export const updateEndpoints: readonly Endpoint[] = [
  read(explainDevice, 'update:read', (app, { actor, params, query, now }) =>
    explain(app, actor, { ...params, timeZone: readTimeZone(app, query.timeZone) }, now),
  ),
  read(listDeviceUpdates, 'update:read', async (app, { actor, params, query }) => {
    const { id } = await findDevice(app.db.reader, actor, params.deviceId)
    return rollouts.listDeviceUpdates(app.db.reader, id, query)
  }),
  read(showFleetVersions, 'fleet:read', async (app, { actor, params, now }) => {
    const { name } = await findFleet(app.db.reader, actor, params.fleet)
    return rollouts.showFleetVersions(app.db.reader, name, now)
  }),
]
