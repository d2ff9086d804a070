/** Devices and their standing in words, with their keys. */
import { quoted } from '@seaworthy/std/printable'
import type { Reader } from './record.ts'
import { shortReaderId } from './record.ts'
import { howToEnrol } from '../trust/enrolments.ts'
import type { EnrolledDevice, JudgedDevice, JudgedFleet, ReaderStanding } from './verdicts.ts'

const shownMax = 50

/**
 * What is said of devices that get nothing, or nothing yet. Those that a person is
 * about to accept are shown whole, and first.
 */
export function describeOthers({
  judgement,
  unaccepted,
  notEnrolled,
}: Pick<JudgedFleet, 'notEnrolled'> & {
  readonly judgement: Pick<JudgedFleet, 'fleet' | 'gone'>
  readonly unaccepted: readonly JudgedDevice[]
}): string[] {
  const { fleet, gone } = judgement
  const lines = [
    ...notEnrolled.map(
      ({ deviceId, refusal }) =>
        `${deviceId} is not enrolled and does not get it: ${refusal?.why ?? 'nothing proves it'}.`,
    ),
    ...gone.map(
      (one) => `${nameReader(one)} is not in ${fleet} any more: it is no longer a reader.`,
    ),
  ]
  const left = lines.length - shownMax
  return [
    ...unaccepted.map(
      (one) => `${nameDevice(one.device)} is no reader yet: ${describeStanding(one)}.`,
    ),
    ...lines.slice(0, shownMax),
    ...(left > 0 ? [`There are ${left} more: \`seaworthy reader list --fleet ${fleet}\`.`] : []),
    ...(notEnrolled.length > 0 ? [howToEnrol(fleet)] : []),
  ]
}

/**
 * A device is never named without its key, because its id and its name are the server's; the name
 * comes last, so that it cannot show a key of its own making first.
 */
export function nameDevice(device: EnrolledDevice): string {
  return nameReader({ ...device, readerId: device.enrolled.readerId })
}

function nameReader(one: Pick<Reader, 'deviceId' | 'name' | 'readerId'>): string {
  const name = one.name === null ? '' : `, named ${quoted(one.name)}`
  return `${one.deviceId} (key ${shortReaderId(one)}${name})`
}

const standings: Readonly<Record<ReaderStanding, (instead: string) => string>> = {
  accepted: () => 'accepted',
  new: () => 'not accepted on this machine',
  came_back: (since) => `came back, it was ended at ${since}`,
  other_id: (id) => `its key was accepted as ${id}`,
  same_name: (id) => `another key under the name of ${id}`,
  moved: (fleet) => `known from the fleet ${fleet}`,
}

export function describeStanding({
  standing,
  instead = '',
}: Pick<JudgedDevice, 'standing' | 'instead'>): string {
  return standings[standing](instead)
}
