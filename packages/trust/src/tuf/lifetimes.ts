/**
 * How long metadata lives, who is told before it ends, and how long an attacker could stay unseen.
 */
import { minOf } from '@seaworthy/std/numbers'
import { dayMs } from '@seaworthy/std/time'
import type { RoleKind } from './names.ts'
import { roleKindOf } from './names.ts'

interface Lifetime {
  /** The lifetime when nobody asks for another. */
  readonly defaultMs: number
  /** The longest lifetime: longer ones are refused, as they would lengthen every freeze. */
  readonly maxMs: number
}

export const lifetimes: Readonly<Record<RoleKind['kind'], Lifetime>> = {
  root: { defaultMs: 365 * dayMs, maxMs: 366 * dayMs },
  targets: { defaultMs: 365 * dayMs, maxMs: 366 * dayMs },
  product: { defaultMs: 180 * dayMs, maxMs: 184 * dayMs },
  channel: { defaultMs: 60 * dayMs, maxMs: 90 * dayMs },
  snapshot: { defaultMs: 7 * dayMs, maxMs: 7 * dayMs },
  timestamp: { defaultMs: dayMs, maxMs: dayMs },
}

/** The expiry to give to new metadata of `role`. Throws `RangeError` when it is no role of ours. */
export function expiryOf(role: string, now: Date): Date {
  const kind = roleKindOf(role)
  if (!kind) throw new RangeError(`${role} is no role of ours`)
  return new Date(now.getTime() + lifetimes[kind.kind].defaultMs)
}

type LifetimeAlarm = 'none' | 'notice' | 'warning' | 'critical' | 'expired'

/** How urgently people are told of a role, by the share of its lifetime that has passed. */
export function lifetimeAlarm(usedPercent: number, isExpired: boolean): LifetimeAlarm {
  if (isExpired) return 'expired'
  if (usedPercent >= 95) return 'critical'
  if (usedPercent >= 80) return 'warning'
  return usedPercent >= 50 ? 'notice' : 'none'
}

/**
 * Maximum blind time: how long somebody with all online keys can keep a device on what it has
 * without its noticing. It ends when the first role expires that such a person cannot sign.
 */
export function blindTimeMs(
  offlineRoles: readonly { readonly expiresAt: Date }[],
  now: Date,
): number {
  const ends = offlineRoles.map(({ expiresAt }) => expiresAt.getTime())
  return Math.max(0, minOf(ends) - now.getTime())
}
