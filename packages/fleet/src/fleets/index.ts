/** Fleets: named sets of devices that share product, channel and policy. */

export interface FleetPolicy {
  readonly name: string
  readonly product: string
  readonly channel: string
  readonly pollSeconds: number
  /** A version to hold the fleet at; `null` follows the newest release of the channel. */
  readonly pinnedVersion: string | null
  /** False stops new assignments. */
  readonly updatesEnabled: boolean
}

export const pollSecondsDefault = 3600

export type FleetRefusal =
  | 'fleet_exists'
  | 'fleet_not_found'
  | 'channel_not_found'
  | 'provisioning_key_not_found'
  | 'provisioning_key_invalid'
  | 'provisioning_key_used_up'
