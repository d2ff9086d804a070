/** How far variables and secrets have come to each device, as far as anybody can know. */
import type { DeviceView } from '@seaworthy/api/devices'
import type { SecretView } from '@seaworthy/api/secrets'
import type { VariableView } from '@seaworthy/api/variables'
import type { CheckedDevice } from '../trust/enrolments.ts'
import type { JudgedFleet } from './verdicts.ts'

export type SecretArrival =
  | SettingArrival
  /** A reader, to which this version is not sealed yet. */
  | 'not_sealed'
  /** Enrolled, and nobody here has accepted it as a reader. */
  | 'not_accepted'
  | 'not_enrolled'

/** How far a variable has come, or a secret that is sealed to the device. */
export type SettingArrival =
  /** It signed that its application is healthy with all that is set for it now. */
  | 'confirmed'
  /** It signed that its application was not healthy with it, and has again what it had before. */
  | 'failed'
  /** It asked its server after it was set, and has not said yet how its application is. */
  | 'asked_since'
  /** It has not asked since it was set, and cannot have it. */
  | 'not_seen_since'
  /** It speaks another protocol, and has no key to which anything could be sealed. */
  | 'without_key'

export interface DeviceArrival<Arrival> {
  readonly deviceId: string
  readonly name: string | null
  readonly arrival: Arrival
  /** Why its application was not healthy. */
  readonly code?: string
}

type Told = Pick<SecretView, 'name' | 'deviceId' | 'version' | 'setAt'>

/** What the server shows of its devices. */
export type SeenDevice = Pick<
  DeviceView,
  'id' | 'name' | 'lastSeenAt' | 'configuration' | 'protocol'
>

/**
 * The devices that the secret is for, each with how far it has come. `newest` is the version of all
 * that is set for the fleet: a secret may be sealed long after its own version was given.
 */
export function followSecret(
  secret: Told,
  newest: number,
  { enrolled, notEnrolled }: Pick<JudgedFleet, 'enrolled' | 'notEnrolled'>,
  seen: readonly SeenDevice[],
): DeviceArrival<SecretArrival>[] {
  const judged = new Map<string, SecretArrival | CheckedDevice>([
    ...notEnrolled.map(({ deviceId }) => [deviceId, 'not_enrolled'] as const),
    ...enrolled.map(
      ({ device, standing }) =>
        [device.deviceId, standing === 'accepted' ? device : 'not_accepted'] as const,
    ),
  ])
  return whomItIsFor(secret, seen).map((device) => {
    const known = judged.get(device.id) ?? 'without_key'
    const sealed = typeof known !== 'string' && isSealedTo(known, secret)
    if (sealed) return settingArrival(secret, newest, device)
    const arrival = typeof known === 'string' ? known : 'not_sealed'
    return { deviceId: device.id, name: device.name, arrival }
  })
}

/** The devices that the variable is for, each with how far it has come. */
export function followVariable(
  variable: Pick<VariableView, 'deviceId' | 'version' | 'setAt'>,
  seen: readonly SeenDevice[],
): DeviceArrival<SettingArrival>[] {
  return whomItIsFor(variable, seen).map((device) =>
    device.protocol === 'agent'
      ? settingArrival(variable, variable.version, device)
      : { deviceId: device.id, name: device.name, arrival: 'without_key' },
  )
}

function whomItIsFor(
  { deviceId }: Pick<Told, 'deviceId'>,
  seen: readonly SeenDevice[],
): readonly SeenDevice[] {
  return seen.filter(({ id }) => deviceId === null || deviceId === id)
}

/** `needed` is the version with which a device has it for certain. */
function settingArrival(
  { version, setAt }: Pick<Told, 'version' | 'setAt'>,
  needed: number,
  { id: deviceId, name, lastSeenAt, configuration }: SeenDevice,
): DeviceArrival<SettingArrival> {
  const { version: has = null, failed } = configuration ?? {}
  const hadBefore = has === null || has < version
  if (has !== null && has >= needed) return { deviceId, name, arrival: 'confirmed' }
  if (failed !== undefined && failed.version >= version && hadBefore) {
    return { deviceId, name, arrival: 'failed', code: failed.code }
  }
  // Instants have one form, so that their order is that of their texts.
  const hasAsked = lastSeenAt !== null && lastSeenAt > setAt
  return { deviceId, name, arrival: hasAsked ? 'asked_since' : 'not_seen_since' }
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
