/** What every decision about the devices of a fleet is made from. */
import type { FleetPolicy } from '../fleets/index.ts'
import type { ReleaseFacts } from '../releases/index.ts'
import type { Rollout } from './rollout.ts'
import type { Zones } from './zones.ts'

/** A rollout of the fleet, with its release while that is in the signed metadata. */
export interface FleetRollout {
  readonly rollout: Rollout
  readonly release: ReleaseFacts | null
}

export interface Situation {
  readonly fleet: FleetPolicy
  /**
   * The fleet's rollouts that are active or paused, or that have ended with updates still under
   * way, in the order of `rankRollouts`.
   */
  readonly rollouts: readonly FleetRollout[]
  /** The verified releases of the fleet's channel. */
  readonly releases: readonly ReleaseFacts[]
  readonly zones: Zones
  readonly now: Date
}
