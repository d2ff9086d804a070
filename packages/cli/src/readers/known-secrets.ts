/**
 * The secrets that were sealed to a device: it could read them, and so could whoever has it or had
 * it. The list is the word of the server, which cannot read secrets, and forgets what was sealed to
 * a device once the device is removed.
 */
import { listEnrolments, showDevice } from '@seaworthy/api/devices'
import type { EnrolmentView } from '@seaworthy/api/devices'
import { ProblemError } from '@seaworthy/api/problems'
import type { Connection } from '../connection.ts'
import { collectPages } from '../connection.ts'

export interface KnownSecrets {
  readonly deviceId: string
  readonly fleet: string
  readonly secrets: EnrolmentView['seals']
}

/** A device that has no key of its own has no secrets. */
export async function findKnownSecrets(
  { client }: Pick<Connection, 'client'>,
  deviceId: string,
): Promise<KnownSecrets> {
  const { fleet } = await client.call(showDevice, { params: { deviceId } })
  const shown = await collectPages((query) =>
    client.call(listEnrolments, { params: { fleet }, query }),
  )
  const secrets = shown.find((one) => one.deviceId === deviceId)?.seals ?? []
  return { deviceId, fleet, secrets }
}

/**
 * The same; `undefined` for people who may not see it, and that must not keep them from going on.
 */
export async function findKnownIfAllowed(
  connection: Pick<Connection, 'client'>,
  deviceId: string,
): Promise<KnownSecrets | undefined> {
  try {
    return await findKnownSecrets(connection, deviceId)
  } catch (error) {
    if (error instanceof ProblemError && error.status === 403) return undefined
    throw error
  }
}

/** What to do once the device may be in the wrong hands; nothing where it has no secret. */
export function describeRotation({ fleet, secrets }: KnownSecrets): string[] {
  const ofFleet = secrets.filter(({ isOfFleet }) => isOfFleet).map(({ name }) => name)
  const ofDevice = secrets.filter(({ isOfFleet }) => !isOfFleet).map(({ name }) => name)
  return [
    ...(ofFleet.length === 0
      ? []
      : [
          `It could read these secrets of ${fleet}: ${ofFleet.join(', ')}. If somebody else has it, set each anew: \`seaworthy secret set NAME --fleet ${fleet}\`.`,
        ]),
    ...(ofDevice.length === 0
      ? []
      : [
          `It could read secrets of its own: ${ofDevice.join(', ')}. Change them where they count.`,
        ]),
  ]
}
