/** To which devices of a fleet people have accepted that secrets are sealed, decided here. */
import { TrustError } from '@seaworthy/std/refusal'
import type { VerifiedEnrolment } from '@seaworthy/trust/enrolment'
import type { CheckedDevice, CheckedFleet } from '../trust/enrolments.ts'
import type { Reader, ReaderFault, ReaderRecord } from './record.ts'
import { createKeyCheck, rememberedName, requireSameFleet } from './record.ts'

/** How an enrolled device stands to what this machine remembers. */
export type ReaderStanding =
  | 'accepted'
  /** Never seen, by id, key or name. */
  | 'new'
  /** It was ended as a reader, or was not in the list at an earlier sealing. */
  | 'came_back'
  /** A key that was accepted, under another device id. */
  | 'other_id'
  /** Another key under a name that was accepted. */
  | 'same_name'
  /** Known from another fleet. */
  | 'moved'

export interface EnrolledDevice extends CheckedDevice {
  readonly enrolled: VerifiedEnrolment
}

export interface JudgedDevice {
  readonly device: EnrolledDevice
  readonly standing: ReaderStanding
  /** The other reader or fleet that the standing is about, if it is about one. */
  readonly instead: string | undefined
}

export interface JudgedFleet {
  readonly fleet: string
  readonly product: string
  readonly enrolled: readonly JudgedDevice[]
  readonly notEnrolled: readonly CheckedDevice[]
  /** Accepted, and not in the list any more. */
  readonly gone: readonly Reader[]
}

/**
 * Compares the devices of a fleet with what is remembered. Throws `fleet_of_other_product`,
 * `reader_twice` and `reader_exchanged`, which no honest server brings about.
 */
export function judgeReaders(
  record: ReaderRecord,
  { fleet, product, devices }: CheckedFleet,
): JudgedFleet {
  requireSameFleet(record, { fleet, product })
  const enrolled = devices.filter(isEnrolled)
  requireDistinct(devices.map(({ deviceId }) => deviceId))
  requireDistinct(enrolled.map(({ keyId }) => keyId))
  const requireSameKeys = createKeyCheck(record)
  for (const device of enrolled) requireSameKeys(asShown(device))
  const judge = createJudge(record, fleet)
  const listed = new Set(devices.map(({ deviceId }) => deviceId))
  return {
    fleet,
    product,
    enrolled: enrolled.map(judge),
    notEnrolled: devices.filter((device) => !isEnrolled(device)),
    gone: (record.fleets.get(fleet)?.readers ?? []).filter(
      ({ deviceId, endedAt }) => endedAt === null && !listed.has(deviceId),
    ),
  }
}

function createJudge(
  { fleets }: ReaderRecord,
  fleet: string,
): (device: EnrolledDevice) => JudgedDevice {
  const own = fleets.get(fleet)?.readers ?? []
  const byReader = new Map(own.map((one) => [one.readerId, one]))
  const byName = new Map(own.map((one) => [one.name, one]))
  const elsewhere = new Map(
    [...fleets].flatMap(([other, { readers }]) =>
      other === fleet ? [] : readers.map(({ readerId }) => [readerId, other] as const),
    ),
  )
  const standingOf = (device: EnrolledDevice): [ReaderStanding, string?] => {
    const known = byReader.get(device.enrolled.readerId)
    if (known !== undefined) {
      if (known.endedAt !== null) return ['came_back', known.endedAt]
      return known.deviceId === device.deviceId ? ['accepted'] : ['other_id', known.deviceId]
    }
    const other = elsewhere.get(device.enrolled.readerId)
    if (other !== undefined) return ['moved', other]
    const namesake = device.name === null ? undefined : byName.get(device.name)
    return namesake === undefined ? ['new'] : ['same_name', namesake.deviceId]
  }
  return (device) => {
    const [standing, instead] = standingOf(device)
    return { device, standing, instead }
  }
}

function isEnrolled(device: CheckedDevice): device is EnrolledDevice {
  return device.enrolled !== undefined
}

/** The device as a reader that is accepted now. */
export function acceptedReader(device: EnrolledDevice, acceptedAt: string): Reader {
  return { ...asShown(device), name: rememberedName(device.name), acceptedAt, endedAt: null }
}

function asShown({ deviceId, keyId, enrolled }: EnrolledDevice) {
  return { deviceId, keyId, readerId: enrolled.readerId }
}

function requireDistinct(ids: readonly string[]): void {
  const seen = new Set<string>()
  for (const id of ids) {
    if (seen.has(id)) {
      throw new TrustError<ReaderFault>('reader_twice', `the server shows ${id} as two devices`)
    }
    seen.add(id)
  }
}
