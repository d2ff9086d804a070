/**
 * Instants, durations and shares in words for people: English, 24 hours, with the name of the time
 * zone.
 */

const minuteMs = 60_000
const daySeconds = 86_400
/** One of these locales names most zones by letters; where none does, the offset stands. */
const localesWithZoneNames = ['en-GB', 'en-US', 'en-AU', 'en-IN', 'en-ZA']

/**
 * `14:20 CEST` on the same day there, `Tue 3 Nov 14:20 CET` in the same year, otherwise with the
 * year. Whole minutes: what is to come is rounded up, because nothing happens before the time that
 * was named, and what has happened is rounded down, because it happened no later than now.
 * `timeZone` is an IANA name that exists.
 */
export function formatWhen(at: Date, now: Date, timeZone: string): string {
  const round = at.getTime() > now.getTime() ? Math.ceil : Math.floor
  const minute = new Date(round(at.getTime() / minuteMs) * minuteMs)
  const there = partsOf(minute, timeZone)
  const today = partsOf(now, timeZone)
  const time = `${there.hour}:${there.minute} ${zoneName(minute, timeZone)}`
  if (there.year !== today.year) {
    return `${there.weekday} ${there.day} ${there.month} ${there.year} ${time}`
  }
  const isToday = there.month === today.month && there.day === today.day
  return isToday ? time : `${there.weekday} ${there.day} ${there.month} ${time}`
}

function partsOf(at: Date, timeZone: string) {
  const parts = new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
  }).formatToParts(at)
  const of = (type: Intl.DateTimeFormatPartTypes) =>
    parts.find((part) => part.type === type)?.value ?? ''
  return {
    weekday: of('weekday'),
    day: of('day'),
    month: of('month'),
    year: of('year'),
    hour: of('hour'),
    minute: of('minute'),
  }
}

function zoneName(at: Date, timeZone: string): string {
  let name = ''
  for (const locale of localesWithZoneNames) {
    const parts = new Intl.DateTimeFormat(locale, {
      timeZone,
      timeZoneName: 'short',
    }).formatToParts(at)
    name = parts.find(({ type }) => type === 'timeZoneName')?.value ?? ''
    if (!/\d/.test(name)) break
  }
  return name
}

/** `30 min`, `2 h`, `1 h 30 min`, `3 d`. */
export function formatSeconds(seconds: number): string {
  const parts = [
    [Math.floor(seconds / daySeconds), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [Math.floor(seconds) % 60, 's'],
  ] as const
  const words = parts.filter(([count]) => count > 0).map(([count, unit]) => `${count} ${unit}`)
  return words.length === 0 ? '0 s' : words.join(' ')
}

/** Two decimals at most, never rounded up to what was not reached. */
export function formatPercent(percent: number): string {
  return `${Math.floor(percent * 100 + 1e-9) / 100} %`
}

export function formatDevices(count: number): string {
  return count === 1 ? '1 device' : `${count} devices`
}
