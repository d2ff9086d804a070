/** Which part of what changed a reader may hear of: what the lists would show them. */
import type { ChangeEvent, EventNoun } from '@seaworthy/api/events'
import { eventIdsMax } from '@seaworthy/api/events'
import type { Grant, Permission } from '@seaworthy/fleet/access'
import { permissionsOf, reachesEverything, reachesFleet } from '@seaworthy/fleet/access'
import type { EventPlace } from '../../db/events.ts'

const permissions: Readonly<Record<EventNoun, Permission>> = {
  device: 'device:read',
  fleet: 'fleet:read',
  rollout: 'rollout:read',
  release: 'release:read',
  proposal: 'proposal:read',
  approval: 'approval:read',
}

/** What changed of one noun since the last event, and where those of it belong that are known. */
export interface Changes {
  readonly noun: EventNoun
  readonly ids: readonly string[]
  readonly places: readonly EventPlace[]
}

/**
 * The event for that reader. Whoever has a scope hears only of what is known to be in it, so not of
 * what was removed, and not of what belongs to no fleet.
 */
export function eventFor(grant: Grant, { noun, ids, places }: Changes): ChangeEvent | undefined {
  if (!permissionsOf(grant).includes(permissions[noun])) return undefined
  if (reachesEverything(grant)) return { noun, ids: ids.slice(0, eventIdsMax) }
  const reached = places.filter(({ fleet: name, product }) =>
    reachesFleet(grant, { name, product }),
  )
  if (reached.length === 0) return undefined
  return { noun, ids: reached.map(({ id }) => id).slice(0, eventIdsMax) }
}
