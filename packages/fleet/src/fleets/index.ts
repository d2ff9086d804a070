/** Fleets: named sets of devices that share product, channel and policy. */
import type { RebootPolicy } from '../rollouts/reboot.ts'

export type { RebootPolicy }

export interface Baseline {
  readonly version: string
  readonly sha256: string
  readonly counter: number
}

export interface FleetPolicy {
  readonly name: string
  readonly product: string
  readonly channel: string
  readonly pollSeconds: number
  /** A version to hold the fleet at; `null` follows the newest release of the channel. */
  readonly pinnedVersion: string | null
  /** False stops new assignments. */
  readonly updatesEnabled: boolean
  /**
   * `newest`: the newest release of the channel, or the pin. `rollouts`: what rollouts offer, and
   * the baseline.
   */
  readonly follow: 'newest' | 'rollouts'
  /**
   * The highest release that a finished rollout brought to all; devices that no rollout serves get
   * it.
   */
  readonly baseline: Baseline | null
  readonly reboot: RebootPolicy
  /** Rises with every change of variables and secrets of the fleet or one of its devices. */
  readonly configVersion: number
}

export const pollSecondsDefault = 3600

export type FleetRefusal =
  | 'fleet_exists'
  | 'fleets_too_many'
  | 'fleet_not_found'
  | 'fleet_has_rollouts'
  | 'fleet_has_devices'
  | 'fleet_name_ended'
  | 'channel_not_found'
  | 'enrolment_key_taken'
  | 'provisioning_key_not_found'
  | 'provisioning_key_used_up'
