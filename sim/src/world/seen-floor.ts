/**
 * The floor of a channel that a device has seen, told from outside: from the versions that it says
 * it trusts, and the files that the server served under them.
 */
import { utf8Decode } from '@seaworthy/std/bytes'
import { channelMarks, channelRole } from '@seaworthy/trust/tuf'
import type { TargetsSigned } from '@seaworthy/trust/tuf'
import type { SimDevice } from './device.ts'
import type { World } from './world.ts'

/** A floor, and the keys that spoke for the channel when they signed it, as one text. */
export interface SeenFloor {
  readonly ring: string
  readonly floor: number
}

/** Answers `undefined` where the device knows no channel yet, or nobody serves what it knows. */
export function readSeenFloor(
  { server }: Pick<World, 'server'>,
  { setup: { product, channel } }: SimDevice,
  versions: Readonly<Record<string, number>>,
): SeenFloor | undefined {
  const role = channelRole(product, channel)
  const read = (name: string): TargetsSigned | undefined => {
    const bytes = server.artifacts.metadata.get(`${versions[name]}.${name}.json`)
    // Attackers serve what is no JSON as well, which no device says that it trusts.
    return bytes && (JSON.parse(utf8Decode(bytes)) as { signed: TargetsSigned }).signed
  }
  const [signed, owner] = [read(role), read(product)]
  const ring = owner?.delegations?.roles?.find(({ name }) => name === role)
  if (signed === undefined || ring === undefined) return undefined
  const keys = ring.keyids.toSorted().join(' ')
  return { ring: `${ring.threshold} of ${keys}`, floor: channelMarks(signed).floorHighest }
}
