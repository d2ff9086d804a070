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

export interface RoleLifetime {
  readonly role: string
  /** When this version was signed or published. */
  readonly issuedAt: Date
  readonly expiresAt: Date
}

export interface LifetimeAlarm {
  readonly role: string
  /** Percentage of the lifetime that has passed; 100 once expired. */
  readonly level: 50 | 80 | 95 | 100
  readonly expiresAt: Date
  /** Negative once expired. */
  readonly remainingMs: number
}

/**
 * One alarm, the highest, for each role that has passed 50 % of its lifetime; the most urgent
 * first.
 */
export function lifetimeAlarms(roles: Iterable<RoleLifetime>, now: Date): LifetimeAlarm[] {
  const alarms: LifetimeAlarm[] = []
  for (const { role, issuedAt, expiresAt } of roles) {
    const wholeMs = expiresAt.getTime() - issuedAt.getTime()
    const remainingMs = expiresAt.getTime() - now.getTime()
    // A lifetime of nothing or less is over, whatever the clock says.
    const passed = wholeMs > 0 ? 100 * (1 - remainingMs / wholeMs) : 100
    const level = ([100, 95, 80, 50] as const).find((percent) => passed >= percent)
    if (level !== undefined) alarms.push({ role, level, expiresAt, remainingMs })
  }
  return alarms.toSorted((a, b) => b.level - a.level || a.remainingMs - b.remainingMs)
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
