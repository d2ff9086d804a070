/** Compares what is declared with what is there: a list of changes, each with the words for it. */
import type { DeviceView } from '@seaworthy/api/devices'
import type { FleetView } from '@seaworthy/api/fleets'
import { quoted } from '@seaworthy/std/printable'
import type { Declaration, DeclaredDevice, DeclaredFleet } from './declaration.ts'

export interface Present {
  readonly fleets: readonly FleetView[]
  /** The devices that are declared, by the name that the declaration gives them. */
  readonly devices: ReadonlyMap<string, Pick<DeviceView, 'id' | 'fleet' | 'tags'>>
  /** Channels of the signed metadata, such as `acme/stable`. */
  readonly channels: ReadonlySet<string>
}

export type DeclarationStep =
  | { readonly kind: 'create-fleet'; readonly name: string; readonly fleet: DeclaredFleet }
  | {
      readonly kind: 'set-fleet'
      readonly name: string
      readonly changes: Partial<DeclaredFleet>
      readonly before: object
    }
  | { readonly kind: 'remove-fleet'; readonly name: string }
  | {
      readonly kind: 'set-device'
      readonly name: string
      readonly id: string
      readonly changes: DeclaredDevice
      readonly before: object
    }

export interface DeclarationPlan {
  /** Fleets are made before devices move into them, and removed after devices have left. */
  readonly steps: readonly DeclarationStep[]
  /** What no change can bring about, in words. Nothing is done while there is any. */
  readonly impossible: readonly string[]
}

/** Fleets that are not declared are left alone, or removed with `prunes`. */
export function planChanges(
  declared: Declaration,
  present: Present,
  prunes: boolean,
): DeclarationPlan {
  const steps: DeclarationStep[] = []
  const impossible: string[] = []
  const existing = new Map(present.fleets.map((fleet) => [fleet.name, fleet]))
  for (const [name, fleet] of declared.fleets) {
    const channel = `${fleet.product}/${fleet.channel}`
    const now = existing.get(name)
    if (now === undefined) {
      if (!present.channels.has(channel)) {
        impossible.push(`fleet ${name}: there is no signed channel ${channel}`)
      }
      steps.push({ kind: 'create-fleet', name, fleet })
    } else if (`${now.product}/${now.channel}` === channel) {
      const { changes, before } = differences(fleet, now)
      if (Object.keys(changes).length > 0) steps.push({ kind: 'set-fleet', name, changes, before })
    } else {
      impossible.push(
        `fleet ${name} follows ${now.product}/${now.channel} and not ${channel}, which never changes: declare another fleet and move its devices`,
      )
    }
  }
  for (const [name, device] of declared.devices) {
    const now = present.devices.get(name)
    if (now === undefined) continue
    if (device.fleet !== undefined && !existing.has(device.fleet)) {
      if (!declared.fleets.has(device.fleet)) {
        impossible.push(`device ${quoted(name)}: there is no fleet ${device.fleet}`)
      }
    }
    const { changes, before } = differences(device, now)
    if (Object.keys(changes).length > 0) {
      steps.push({ kind: 'set-device', name, id: now.id, changes, before })
    }
  }
  for (const name of existing.keys()) {
    if (prunes && !declared.fleets.has(name)) steps.push({ kind: 'remove-fleet', name })
  }
  return { steps, impossible }
}

/** The members of `wanted` that are another in `now`, and what they are there. */
function differences<Facts extends object>(
  wanted: Facts,
  now: object,
): { changes: Partial<Facts>; before: object } {
  const known = new Map(Object.entries(now))
  const differing = Object.entries(wanted).filter(
    ([member, value]) => value !== undefined && sorted(value) !== sorted(known.get(member)),
  )
  return {
    changes: Object.fromEntries(differing) as Partial<Facts>,
    before: Object.fromEntries(differing.map(([member]) => [member, known.get(member)])),
  }
}

/** JSON in which the order of members plays no part. */
function sorted(value: unknown): string {
  return JSON.stringify(value, (_name, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  )
}

/** One line for each change, and one for each of its members. */
export function describeStep(step: DeclarationStep): string[] {
  switch (step.kind) {
    case 'create-fleet': {
      const { product, channel, ...policy } = step.fleet
      return [`+ fleet ${step.name} of ${product}/${channel}`, ...describeMembers(policy)]
    }
    case 'set-fleet':
      return [`~ fleet ${step.name}`, ...describeMembers(step.changes, step.before)]
    case 'set-device':
      return [`~ device ${quoted(step.name)}`, ...describeMembers(step.changes, step.before)]
    case 'remove-fleet':
      return [`- fleet ${step.name}, for good: its name is never used again`]
  }
}

function describeMembers(changes: object, before?: object): string[] {
  const was = new Map<string, unknown>(before === undefined ? [] : Object.entries(before))
  return Object.entries(changes).map(([member, value]) => {
    const old = was.has(member) ? `${JSON.stringify(was.get(member))} -> ` : ''
    return `    ${member}: ${old}${JSON.stringify(value)}`
  })
}
