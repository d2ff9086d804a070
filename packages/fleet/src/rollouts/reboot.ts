/**
 * When a device may restart into what it has installed (D13): its fleet's policy, and slots that
 * devices hold.
 */
import { unreachable } from '@seaworthy/std/refusal'
import { checkCount, checkWindows } from './policy.ts'
import type { Windows } from './rollout.ts'
import { isWindowOpen } from './windows.ts'
import type { Zones } from './zones.ts'

/** When a device may take the step that interrupts its service (V12, D13). */
export type RebootPolicy =
  | { readonly strategy: 'immediate' }
  | { readonly strategy: 'window'; readonly windows: Windows }
  | {
      readonly strategy: 'coordinated'
      /** How many devices of the fleet may hold a slot at once. */
      readonly slots: number
      /**
       * A slot held longer than this is given up, with an alarm; `null` keeps it until it is
       * released.
       */
      readonly ttlSeconds: number | null
      readonly windows?: Windows | undefined
    }
  | { readonly strategy: 'off' }

export type RestartReason = 'allowed' | 'held' | 'off' | 'window_closed' | 'slots_taken'

/** Throws `rollout_policy_invalid` with the field and how to correct it. */
export function checkRebootPolicy(policy: RebootPolicy, zones: Zones): void {
  switch (policy.strategy) {
    case 'immediate':
    case 'off':
      return
    case 'window':
      return checkWindows('reboot.windows', policy.windows, zones)
    case 'coordinated':
      checkCount('reboot.slots', policy.slots, 1, 1_000_000)
      if (policy.ttlSeconds !== null) {
        checkCount('reboot.ttlSeconds', policy.ttlSeconds, 60, 30 * 24 * 60 * 60)
      }
      if (policy.windows !== undefined) checkWindows('reboot.windows', policy.windows, zones)
      return
    default:
      return unreachable(policy)
  }
}

/**
 * Whether the device may restart now. A device that holds a slot may do so at any hour, because it
 * was allowed to begin. `holdersCount` is of the whole fleet.
 */
export function mayRestart(
  policy: RebootPolicy,
  holdersCount: number,
  isHolder: boolean,
  tags: Readonly<Record<string, string>>,
  now: Date,
  zones: Zones,
): { readonly allowed: boolean; readonly reason: RestartReason } {
  if (policy.strategy === 'off') return { allowed: false, reason: 'off' }
  if (isHolder) return { allowed: true, reason: 'held' }
  if (policy.strategy === 'immediate') return { allowed: true, reason: 'allowed' }
  if (policy.windows !== undefined && !isWindowOpen(policy.windows, tags, now, zones)) {
    return { allowed: false, reason: 'window_closed' }
  }
  if (policy.strategy === 'coordinated' && holdersCount >= policy.slots) {
    return { allowed: false, reason: 'slots_taken' }
  }
  return { allowed: true, reason: 'allowed' }
}
