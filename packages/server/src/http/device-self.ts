import {
  checkIn,
  confirmNextPin,
  createDeviceToken,
  readOwnApplication,
  readOwnSettings,
  registerDevice,
  setOwnMetadata,
} from '@seaworthy/api/device-self'
import { formatInstant } from '@seaworthy/std/time'
import { createOriginCheck } from '../app/access/index.ts'
import type { ServedCertificate } from '../app/app.ts'
import { readDeviceSettings } from '../app/settings/index.ts'
import { changeOwnMetadata, checkIn as takeCheckIn } from '../app/devices/index.ts'
import * as devices from '../app/devices/index.ts'
import { slowedPollSeconds } from '../app/worker/index.ts'
import * as trust from '../app/trust/index.ts'
import { createIdleCheckInReader } from './fast-path/index.ts'
import { audited, read, recordedElsewhere } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

/** Tells whether an address is one of the server's, whose certificate may change. */
export function watchOwnOrigin(certificate: ServedCertificate): (origin: string) => boolean {
  let isOwnOrigin = createOriginCheck(certificate.current.namedByPem)
  certificate.onChange((tls) => {
    isOwnOrigin = createOriginCheck(tls.namedByPem)
  })
  return (origin) => isOwnOrigin(origin)
}

export function createOwnEndpoints(
  isOwnOrigin: (origin: string) => boolean,
  hasFastPath: boolean,
): readonly Endpoint[] {
  return [
    audited(
      registerDevice,
      { permission: 'device-self:register', subject: (call) => call.actor.id },
      async (app, tx, { actor, body }) => {
        const now = await tx.now()
        const registered = await devices.registerDevice(app, tx, actor, body, now)
        const { device, fleet, isUnchanged } = registered
        return {
          reply: {
            deviceId: device.id,
            fleet: fleet.name,
            product: fleet.product,
            channel: fleet.channel,
            kind: await trust.findProductKind(app, fleet.product),
            serverTime: formatInstant(now),
          },
          subject: device.id,
          detail: { keyId: device.keyId, fleet: fleet.name },
          isUnchanged,
        }
      },
    ),
    recordedElsewhere(createDeviceToken, 'device-self:sign-in', async (app, { body, now }) => {
      const issued = await devices.issueAccessToken(app, body.assertion, isOwnOrigin, now)
      return { accessToken: issued.accessToken, expiresAt: formatInstant(issued.expiresAt) }
    }),
    recordedElsewhere(
      checkIn,
      'device-self:update',
      async (app, { actor, body, now }) => {
        const reply = await takeCheckIn(app, actor.id, body, now)
        return {
          assignment: reply.assignment,
          pollSeconds: slowedPollSeconds(app, reply.pollSeconds),
          configVersion: reply.fleet.configVersion,
          commands: [],
          serverTime: formatInstant(now),
          acknowledgedSequence: reply.acknowledgedSequence,
        }
      },
      hasFastPath ? createIdleCheckInReader() : undefined,
    ),
    audited(
      setOwnMetadata,
      { permission: 'device-self:metadata', subject: (call) => call.actor.id },
      async (_app, tx, { actor, body }) => {
        const isChanged = await changeOwnMetadata(tx, actor.id, body)
        return {
          reply: undefined,
          detail: { name: body.name ?? null },
          isUnchanged: !isChanged,
        }
      },
    ),
    audited(
      confirmNextPin,
      { permission: 'device-self:update', subject: (call) => call.actor.id },
      async (_app, tx, { actor, body }) => {
        const isChanged = await trust.confirmNextPin(tx, actor.id, body.pin)
        return { reply: undefined, detail: { pin: body.pin }, isUnchanged: !isChanged }
      },
    ),
    read(readOwnSettings, 'device-self:configuration', (app, { actor }) =>
      readDeviceSettings(app, actor.id),
    ),
    read(readOwnApplication, 'device-self:application', async (app, { actor }) => {
      const fleet = await devices.findOwnFleet(app, actor.id)
      return {
        fleet: fleet.name,
        product: fleet.product,
        channel: fleet.channel,
        kind: await trust.findProductKind(app, fleet.product),
        pollSeconds: fleet.pollSeconds,
      }
    }),
  ]
}
