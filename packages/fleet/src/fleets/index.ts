/** Fleets: named sets of devices that share product, channel and policy. */
import type { Windows } from '../rollouts/rollout.ts'

/** When a device may take the step that interrupts its service (V12, D13). */
export type RebootPolicy =
  | { readonly strategy: 'immediate' }
  | { readonly strategy: 'window'; readonly windows: Windows }
  | {
      readonly strategy: 'coordinated'
      /** So many devices of the fleet at once. */
      readonly slots: number
      /** A slot held longer is given up, with an alarm; `null` keeps it until it is released. */
      readonly ttlSeconds: number | null
      readonly windows?: Windows | undefined
    }
  | { readonly strategy: 'off' }

export interface FleetPolicy {
  readonly name: string
  readonly product: string
  readonly channel: string
  readonly pollSeconds: number
  /** A version to hold the fleet at; `null` follows the newest release of the channel. */
  readonly pinnedVersion: string | null
  /** False stops new assignments. */
  readonly updatesEnabled: boolean
  /** `newest`: the newest release of the channel, or the pin. `rollouts`: what rollouts offer, and the baseline. */
  readonly follow: 'newest' | 'rollouts'
  /** The release of the last finished rollout. */
  readonly baseline: { readonly version: string; readonly sha256: string } | null
  readonly reboot: RebootPolicy
}

export const pollSecondsDefault = 3600

export type FleetRefusal =
  | 'fleet_exists'
  | 'fleet_not_found'
  | 'channel_not_found'
  | 'provisioning_key_not_found'
  | 'provisioning_key_invalid'
  | 'provisioning_key_used_up'
