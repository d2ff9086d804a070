/**
 * Whether two machines use one device's identity, told from the order of its reports. A machine
 * that restarts has a new boot and never an old one again, and within one boot its sequence number
 * never falls. A device that returns to an old boot or to a lower number has gone back: once, that
 * may be a request that came late or a state that was restored; again and again, it is two machines
 * that take turns. Pure.
 */
import { dayMs } from '@seaworthy/std/time'

/** Where a report stands in the life of a device. */
export interface ReportPosition {
  /** `null` from agents that do not tell it: all their reports count as one boot. */
  readonly bootId: string | null
  readonly sequence: number
}

export interface IdentityTrace {
  /** Boots that another one has followed, the newest last. */
  readonly leftBoots: readonly string[]
  /** When reports went back, in milliseconds since 1970, the newest last. */
  readonly wentBackAtMs: readonly number[]
  /** When the identity began to count as shared; it stays so until a person has decided. */
  readonly sharedSinceMs: number | null
}

export const noTrace: IdentityTrace = { leftBoots: [], wentBackAtMs: [], sharedSinceMs: null }

const leftBootsMax = 8
/**
 * Going back this often within this time is no accident. One request that comes late across a
 * restart looks like two.
 */
const wentBackMax = 5
const withinMs = 30 * dayMs

/**
 * Whether the report may change the trace; for nearly all reports it may not, and the trace need
 * not be read.
 */
export function mayMatter(before: ReportPosition, after: ReportPosition): boolean {
  return before.bootId !== after.bootId || after.sequence < before.sequence
}

/** The trace once the report `after` has followed the report `before`. */
export function traceIdentity(
  trace: IdentityTrace,
  before: ReportPosition,
  after: ReportPosition,
  nowMs: number,
): IdentityTrace {
  const isOtherBoot = before.bootId !== after.bootId
  const wentBack = isOtherBoot
    ? after.bootId !== null && trace.leftBoots.includes(after.bootId)
    : after.sequence < before.sequence
  const wentBackAtMs = [
    ...trace.wentBackAtMs.filter((atMs) => nowMs - atMs < withinMs),
    ...(wentBack ? [nowMs] : []),
  ].slice(-wentBackMax)
  const leftBoots =
    isOtherBoot && before.bootId !== null
      ? [...trace.leftBoots.filter((boot) => boot !== before.bootId), before.bootId]
      : trace.leftBoots
  const isShared = wentBackAtMs.length >= wentBackMax
  return {
    leftBoots: leftBoots.slice(-leftBootsMax),
    wentBackAtMs,
    sharedSinceMs: trace.sharedSinceMs ?? (isShared ? nowMs : null),
  }
}
