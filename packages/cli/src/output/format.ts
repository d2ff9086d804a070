/**
 * Values as people read them. Text from elsewhere is made harmless before it reaches a terminal.
 */
import { printable } from '@seaworthy/std/printable'
import { formatInstant } from '@seaworthy/std/time'

export { formatBytes } from '@seaworthy/std/byte-words'
export { printable as harmless }

/**
 * Rough, for waiting people: `42s`, `3m 05s`, `2h 10m`, `5d 3h`. Fractions of a second are dropped.
 */
export function formatMs(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds < 60) return `${seconds}s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes}m ${String(seconds % 60).padStart(2, '0')}s`
  const hours = Math.floor(minutes / 60)
  if (hours < 48) return `${hours}h ${String(minutes % 60).padStart(2, '0')}m`
  return `${Math.floor(hours / 24)}d ${hours % 24}h`
}

/** `3m 05s ago`, `in 5d 3h`, or `never` for null. */
export function formatAgo(instant: string | null, now: Date): string {
  if (instant === null) return 'never'
  const ms = now.getTime() - Date.parse(instant)
  if (Number.isNaN(ms)) return printable(instant)
  // A future time is rounded up, because it does not come earlier.
  return ms >= 0 ? `${formatMs(ms)} ago` : `in ${formatMs(Math.ceil(-ms / 1000) * 1000)}`
}

/** Formats a time that has certainly passed: where a clock says otherwise, the clock is wrong. */
export function formatPast(instant: string | null, now: Date): string {
  if (instant === null) return 'never'
  return formatAgo(Date.parse(instant) > now.getTime() ? formatInstant(now) : instant, now)
}

/** The first 12 hexadecimal digits, for tables; never for comparing. */
export function shortDigest(digest: string): string {
  const start = digest.indexOf(':') + 1
  return digest.slice(0, start + 12)
}

/** `1 release`, `2 releases`. */
export function formatCount(count: number, noun: string, nouns = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : nouns}`
}
