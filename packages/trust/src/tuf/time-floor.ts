/**
 * The earliest time that it can be. Three sources are kept apart, because each is worth something
 * else: what offline keys signed (the newest root) and the build date, which stand whatever was
 * stolen; the device's own clock, which may be wrong in both directions; and what the online keys
 * vouched for, which counts only as long as the root lists these keys.
 */
import { parseInstant } from '@seaworthy/std/time'
import { lifetimes } from './lifetimes.ts'
import type { Profile, RootSigned, TimestampSigned } from './metadata.ts'

/**
 * The latest time of a verified cycle. Online keys vouched for it, even where it came from the
 * device's own clock: that clock was believed because metadata that they signed had not expired.
 */
export interface LearntTime {
  readonly at: Date
  /**
   * Version of the root that made these online keys count: another root with other keys voids what
   * they said.
   */
  readonly onlineKeysSince: number
}

/** The sources in which no online key has a say. */
export interface OfflineTime {
  /** A time that has certainly passed, such as the build date. */
  readonly notBefore: Date
  /** The newest trusted root. */
  readonly root: RootSigned
  readonly profile: Profile
}

/**
 * How far a signed instant may lift the floor above a clock of the device that is plausible. It is
 * half of the timestamp's lifetime: a forged instant never makes a genuine timestamp that is
 * renewed hourly look expired.
 */
const signedAheadMaxMs = lifetimes.timestamp.maxMs / 2

/**
 * A root of our own profile was signed at most its maximum lifetime before it expires. Only the
 * newest one counts, so that a root with a mistaken expiry is healed by the next.
 */
function offlineFloor({ notBefore, root, profile }: OfflineTime): Date {
  if (profile !== 'strict') return notBefore
  const signedMs = parseInstant(root.expires).getTime() - lifetimes.root.maxMs
  return new Date(Math.max(notBefore.getTime(), signedMs))
}

/**
 * The floor for a cycle under the keys that `onlineKeysSince` names: what other online keys said is
 * void.
 */
export function timeFloor(
  offline: OfflineTime,
  learnt: LearntTime | undefined,
  onlineKeysSince: number,
): Date {
  const floor = offlineFloor(offline)
  if (learnt?.onlineKeysSince !== onlineKeysSince) return floor
  return new Date(Math.max(floor.getTime(), learnt.at.getTime()))
}

export interface VerifiedCycle {
  readonly offline: OfflineTime
  /** The device's own clock when the cycle began. */
  readonly ownAt: Date
  /** The time that the cycle was verified for: its own clock, or the floor where that is later. */
  readonly startAt: Date
  readonly timestamp: TimestampSigned
  /** When the first of all trusted metadata expires: no instant from then on is believed. */
  readonly expiresAt: Date
}

/**
 * The time to remember after a cycle. The signed instant helps a clock that is behind: it lifts a
 * plausible clock by a tolerance, and one that stands before what offline keys vouch for (a device
 * without a battery starts in 1970) by as much as it says.
 */
export function timeAfter(cycle: VerifiedCycle): Date {
  const { offline, ownAt, startAt, expiresAt } = cycle
  const signedAt = cycle.timestamp.seaworthy?.signedAt
  if (signedAt === undefined) return startAt
  const signedMs = parseInstant(signedAt).getTime()
  if (signedMs >= expiresAt.getTime()) return startAt
  const isOwnPlausible = ownAt.getTime() >= offlineFloor(offline).getTime()
  const ceilingMs = isOwnPlausible ? ownAt.getTime() + signedAheadMaxMs : signedMs
  return new Date(Math.max(startAt.getTime(), Math.min(signedMs, ceilingMs)))
}

/**
 * Whether online metadata would outlive its maximum lifetime, counted from when the timestamp says
 * that it was signed. A device whose clock is behind cannot count from its own clock; where nothing
 * was signed it has to. Where the clock is known to be good (`goodAt`), nothing counts as signed
 * later than half a day after it: a thief could otherwise date a timestamp into next year and show
 * it until then.
 */
export function outlivesMaximum(
  role: 'timestamp' | 'snapshot',
  expires: string,
  timestamp: TimestampSigned,
  startAt: Date,
  goodAt: Date | undefined,
): boolean {
  const signedAt = timestamp.seaworthy?.signedAt
  const signedMs =
    signedAt === undefined ? startAt.getTime() + signedAheadMaxMs : parseInstant(signedAt).getTime()
  const latestMs = goodAt === undefined ? signedMs : goodAt.getTime() + signedAheadMaxMs
  return parseInstant(expires).getTime() - Math.min(signedMs, latestMs) > lifetimes[role].maxMs
}
