/** Instants and durations as people read them, in their own time zone. */

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

/** How long ago, or in how long, in one unit: `5 minutes ago`, `in 7 days`. */
export function formatDistance(at: Date, now: Date): string {
  const ms = at.getTime() - now.getTime()
  const size = Math.abs(ms)
  if (size < minuteMs) return ms > 0 ? 'in less than a minute' : 'just now'
  const [count, unit] =
    size < hourMs
      ? [size / minuteMs, 'minute']
      : size < 2 * dayMs
        ? [size / hourMs, 'hour']
        : [size / dayMs, 'day']
  // What has passed is rounded down, and what is to come is rounded up.
  const whole = ms > 0 ? Math.ceil(count) : Math.floor(count)
  const text = `${whole} ${unit}${whole === 1 ? '' : 's'}`
  return ms > 0 ? `in ${text}` : `${text} ago`
}

/** A length of time in its largest unit: `30 days`, `12 hours`. What is begun counts whole. */
export function formatSeconds(seconds: number): string {
  const ms = seconds * 1000
  const [count, unit] =
    ms < hourMs
      ? [ms / minuteMs, 'minute']
      : ms < 2 * dayMs
        ? [ms / hourMs, 'hour']
        : [ms / dayMs, 'day']
  const whole = Math.ceil(count)
  return `${whole} ${unit}${whole === 1 ? '' : 's'}`
}

/** The exact instant in the reader's zone, with the zone. */
export function formatExact(at: Date, locale?: string, timeZone?: string): string {
  return new Intl.DateTimeFormat(locale, {
    dateStyle: 'medium',
    timeStyle: 'long',
    ...(timeZone === undefined ? {} : { timeZone }),
  }).format(at)
}
