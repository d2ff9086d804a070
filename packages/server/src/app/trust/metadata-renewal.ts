/** When the online roles are signed again although nothing has changed. */
import { hourMs, parseInstant } from '@seaworthy/std/time'
import { lifetimes } from '@seaworthy/trust/tuf'

const timestampRenewalMs = hourMs
const snapshotRenewalShare = 0.4

/** When the newest snapshot and timestamp were published, and until when they are valid. */
export interface OnlineTimes {
  readonly snapshot: { readonly publishedAt: Date | undefined; readonly expires: string }
  readonly timestamp: { readonly publishedAt: Date | undefined; readonly expires: string }
}

/**
 * Whether the roles are due. Metadata that a fast clock dated into the future is renewed at once:
 * devices refuse metadata that is valid for longer than its maximum lifetime.
 */
export function renewalDue(
  { snapshot, timestamp }: OnlineTimes,
  now: Date,
): { isAnything: boolean; isSnapshotDue: boolean } {
  const isLongLived = (role: 'snapshot' | 'timestamp', expires: string) =>
    parseInstant(expires).getTime() - now.getTime() > lifetimes[role].maxMs
  const isSnapshotDue =
    isLongLived('snapshot', snapshot.expires) ||
    shareUsed(snapshot.expires, snapshot.publishedAt, now) >= snapshotRenewalShare
  const timestampAgeMs = now.getTime() - (timestamp.publishedAt?.getTime() ?? 0)
  const isTimestampDue =
    isLongLived('timestamp', timestamp.expires) ||
    timestampAgeMs < 0 ||
    timestampAgeMs >= timestampRenewalMs
  return { isAnything: isSnapshotDue || isTimestampDue, isSnapshotDue }
}

/** The part of the lifetime that has passed, 0 to 1 and beyond; 1 when its beginning is unknown. */
export function shareUsed(expires: string, issuedAt: Date | undefined, now: Date): number {
  if (issuedAt === undefined) return 1
  const wholeMs = new Date(expires).getTime() - issuedAt.getTime()
  return wholeMs <= 0 ? 1 : (now.getTime() - issuedAt.getTime()) / wholeMs
}
