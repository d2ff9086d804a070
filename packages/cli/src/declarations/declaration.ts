/**
 * A declaration: what somebody keeps in files of the fleets and devices of a server, by names and
 * never by ids. It is of unknown origin, so it is read within bounds, and what it does not know is
 * refused.
 */
import type { DeviceView } from '@seaworthy/api/devices'
import { setDevice } from '@seaworthy/api/devices'
import { nameField } from '@seaworthy/api/fields'
import { createFleet } from '@seaworthy/api/fleets'
import type { BodyInputOf } from '@seaworthy/api/route'
import { parseJson } from '@seaworthy/std/json'
import { describeKnown } from '@seaworthy/std/nearest'
import { quoted } from '@seaworthy/std/printable'
import { CliError } from '../failure.ts'
import { isDeviceId } from '../find-device.ts'

/** What is said of a fleet; what is left out stays as it is. */
export type DeclaredFleet = Omit<BodyInputOf<typeof createFleet>, 'name'>

/** What is said of a device: its fleet, and all of its tags. */
export type DeclaredDevice = Pick<BodyInputOf<typeof setDevice>, 'fleet' | 'tags'>

export interface Declaration {
  readonly fleets: ReadonlyMap<string, DeclaredFleet>
  readonly devices: ReadonlyMap<string, DeclaredDevice>
}

/** A file with more bytes is not read. */
export const declarationBytesMax = 4 * 1024 * 1024
/** The most fleets, and the most devices, of one declaration. */
const thingsMax = 1000

const fleetForm = createFleet.body.omit({ name: true })
const deviceForm = setDevice.body.pick({ fleet: true, tags: true })

/** Reads one file. Throws `CliError`. */
export function parseDeclaration(path: string, bytes: Uint8Array): Declaration {
  let json: unknown
  try {
    json = parseJson(bytes)
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause
    throw malformed(path, `not JSON: ${cause.message}`, cause)
  }
  const whole = members(path, 'it', json)
  refuseUnknown(path, 'the file', whole, ['fleets', 'devices'])
  const fleets = new Map<string, DeclaredFleet>()
  for (const [name, value] of entries(path, 'fleets', whole['fleets'])) {
    if (!nameField.safeParse(name).success) {
      throw malformed(path, `${quoted(name)} is not the name of a fleet`)
    }
    const where = `fleets.${name}`
    refuseUnknown(path, where, members(path, where, value), Object.keys(fleetForm.shape))
    const parsed = fleetForm.safeParse(value)
    if (!parsed.success) throw malformed(path, describeIssue(where, parsed.error))
    fleets.set(name, definedOnly(parsed.data))
  }
  const devices = new Map<string, DeclaredDevice>()
  for (const [name, value] of entries(path, 'devices', whole['devices'])) {
    // A device says its name itself: one that is another's id would speak for that other one.
    if (isDeviceId(name)) throw malformed(path, `${quoted(name)} is an id, and not a name`)
    const where = `devices.${name}`
    refuseUnknown(path, where, members(path, where, value), Object.keys(deviceForm.shape))
    const parsed = deviceForm.safeParse(value)
    if (!parsed.success) throw malformed(path, describeIssue(where, parsed.error))
    devices.set(name, parsed.data)
  }
  return { fleets, devices }
}

/** What a file may say of the devices that have a name which is theirs alone, and no id. */
export function declareDevices(
  devices: readonly Pick<DeviceView, 'name' | 'fleet' | 'tags'>[],
): Record<string, DeclaredDevice> {
  const counts = new Map<string, number>()
  for (const { name } of devices) {
    if (name !== null) counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return Object.fromEntries(
    devices.flatMap(({ name, fleet, tags }) =>
      name !== null && counts.get(name) === 1 && !isDeviceId(name)
        ? [[name, { fleet, tags }] as const]
        : [],
    ),
  )
}

/** All files as one. Throws `CliError` where two of them declare the same thing. */
export function mergeDeclarations(
  files: readonly { readonly path: string; readonly declaration: Declaration }[],
): Declaration {
  const fleets = new Map<string, DeclaredFleet>()
  const devices = new Map<string, DeclaredDevice>()
  for (const { path, declaration } of files) {
    for (const [name, fleet] of declaration.fleets) {
      if (fleets.has(name)) throw malformed(path, `the fleet ${name} is in another file too`)
      fleets.set(name, fleet)
    }
    for (const [name, device] of declaration.devices) {
      if (devices.has(name)) {
        throw malformed(path, `the device ${quoted(name)} is in another file too`)
      }
      devices.set(name, device)
    }
  }
  for (const [what, { size }] of [
    ['fleets', fleets],
    ['devices', devices],
  ] as const) {
    if (size > thingsMax) {
      throw new CliError('usage', `${size} ${what} are declared, more than ${thingsMax}`, {
        wayOut: 'Apply them in parts, without --prune.',
      })
    }
  }
  return { fleets, devices }
}

function definedOnly(fleet: DeclaredFleet): DeclaredFleet {
  const defined = Object.entries(fleet).filter(([, value]) => value !== undefined)
  return Object.fromEntries(defined) as DeclaredFleet
}

function entries(path: string, where: string, value: unknown): [string, unknown][] {
  return value === undefined ? [] : Object.entries(members(path, where, value))
}

function members(path: string, where: string, value: unknown): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>
  }
  throw malformed(path, `${where} is not an object`)
}

function refuseUnknown(
  path: string,
  where: string,
  value: Readonly<Record<string, unknown>>,
  known: readonly string[],
): void {
  for (const member of Object.keys(value)) {
    if (known.includes(member)) continue
    throw malformed(
      path,
      `${where} has the unknown member ${quoted(member)}; ${describeKnown(member, known)}`,
    )
  }
}

interface Issues {
  readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[]
}

function describeIssue(where: string, { issues }: Issues): string {
  const [first] = issues
  if (first === undefined) return `${where} is malformed`
  return `${[where, ...first.path.map(String)].join('.')}: ${first.message}`
}

function malformed(path: string, why: string, cause?: unknown): CliError {
  return new CliError('usage', `${path}: ${why}`, {
    wayOut: 'See `seaworthy show --declarative` for the form that such a file has.',
    cause,
  })
}
