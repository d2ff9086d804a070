/** How far a secret has come to each device, as far as anybody can know. */
import type { SecretView } from '@seaworthy/api/secrets'
import type { CheckedDevice } from '../trust/enrolments.ts'
import type { JudgedFleet } from './verdicts.ts'

/** No device reports which version its application has: the first says the most there is. */
export type SecretArrival =
  /** This version is sealed to it, and it asked its server after it was set. */
  | 'asked_since'
  /** This version is sealed to it, and it has not asked since: it cannot have it. */
  | 'not_seen_since'
  /** A reader, to which this version is not sealed yet. */
  | 'not_sealed'
  /** Enrolled, and nobody here has accepted it as a reader. */
  | 'not_accepted'
  | 'not_enrolled'
  /** It speaks another protocol, and has no key to which anything could be sealed. */
  | 'without_key'

export interface DeviceSecretArrival {
  readonly deviceId: string
  readonly name: string | null
  readonly arrival: SecretArrival
}

type Told = Pick<SecretView, 'name' | 'deviceId' | 'version' | 'setAt'>

/** What the server shows of its devices. */
export interface SeenDevice {
  readonly id: string
  readonly name: string | null
  readonly lastSeenAt: string | null
}

/** The devices that the secret is for, each with how far it has come. */
export function followSecret(
  secret: Told,
  { enrolled, notEnrolled }: Pick<JudgedFleet, 'enrolled' | 'notEnrolled'>,
  seen: readonly SeenDevice[],
): DeviceSecretArrival[] {
  const judged = new Map<string, SecretArrival | CheckedDevice>([
    ...notEnrolled.map(({ deviceId }) => [deviceId, 'not_enrolled'] as const),
    ...enrolled.map(
      ({ device, standing }) =>
        [device.deviceId, standing === 'accepted' ? device : 'not_accepted'] as const,
    ),
  ])
  return seen
    .filter(({ id }) => secret.deviceId === null || secret.deviceId === id)
    .map(({ id: deviceId, name, lastSeenAt }) => {
      const known = judged.get(deviceId) ?? 'without_key'
      if (typeof known === 'string') return { deviceId, name, arrival: known }
      return { deviceId, name, arrival: arrivalAt(known, secret, lastSeenAt) }
    })
}

function arrivalAt(device: CheckedDevice, secret: Told, lastSeenAt: string | null): SecretArrival {
  if (!isSealedTo(device, secret)) return 'not_sealed'
  // Instants have one form, so that their order is that of their texts.
  return lastSeenAt !== null && lastSeenAt > secret.setAt ? 'asked_since' : 'not_seen_since'
}

/** Whether the server says that this very version is sealed to the device. */
export function isSealedTo(
  { seals }: Pick<CheckedDevice, 'seals'>,
  secret: Pick<SecretView, 'name' | 'deviceId' | 'version'>,
): boolean {
  return seals.some(
    (one) =>
      one.name === secret.name &&
      one.isOfFleet === (secret.deviceId === null) &&
      one.version === secret.version,
  )
}
