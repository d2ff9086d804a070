/** Windows of time as people write them on a command line: `mon-fri 22:00-04:00`. */
import { InvalidArgumentError } from 'commander'
import type { Weekday, Windows, WindowSpan } from '@seaworthy/fleet/rollouts'
import { weekdays } from '@seaworthy/fleet/rollouts'
import { CliError } from './failure.ts'

const timePattern = '([01]\\d|2[0-3]):[0-5]\\d'
const spanPattern = new RegExp(`^(?:(\\S+) )?(${timePattern})-(${timePattern}|24:00)$`)
const form = 'of the form "mon-fri 22:00-04:00", "sat,sun 00:00-24:00" or "22:00-04:00"'

/**
 * Days are names, lists and ranges of `mon` to `sun`; without any, every day is meant. Throws
 * `InvalidArgumentError`.
 */
export function parseWindowSpan(text: string): WindowSpan {
  const match = spanPattern.exec(text.trim().replaceAll(/\s+/g, ' '))
  if (match === null) throw new InvalidArgumentError(`Not ${form}.`)
  const [, days, from, , to] = match
  return {
    days: days === undefined ? [...weekdays] : parseDays(days),
    from: from!,
    to: to === '24:00' ? '00:00' : to!,
  }
}

function parseDays(text: string): Weekday[] {
  const chosen = new Set<Weekday>()
  for (const part of text.toLowerCase().split(',')) {
    const [first, last = first] = part.split('-')
    const start = weekdays.findIndex((day) => day === first)
    const end = weekdays.findIndex((day) => day === last)
    if (start < 0 || end < 0 || part.split('-').length > 2) {
      throw new InvalidArgumentError(`Not ${form}: the days are ${weekdays.join(', ')}.`)
    }
    // A range may run over the end of the week: fri-mon.
    for (let at = start; ; at = (at + 1) % weekdays.length) {
      chosen.add(weekdays[at]!)
      if (at === end) break
    }
  }
  return weekdays.filter((day) => chosen.has(day))
}

export function collectSpans(
  text: string,
  before: readonly WindowSpan[] | undefined,
): WindowSpan[] {
  return [...(before ?? []), parseWindowSpan(text)]
}

export interface ZoneOptions {
  timeZone?: string
  fallbackTimeZone?: string
}

/** `device` needs a zone for devices that do not say theirs; a named zone is its own. */
export function windowsOf(
  spans: readonly WindowSpan[],
  { timeZone = 'UTC', fallbackTimeZone }: ZoneOptions,
): Windows {
  if (timeZone !== 'device') {
    return { timeZone, fallbackTimeZone: fallbackTimeZone ?? timeZone, spans }
  }
  if (fallbackTimeZone === undefined) {
    throw new CliError('usage', '--time-zone device needs --fallback-time-zone', {
      wayOut: 'Name the zone for devices without the tag time-zone, for example Europe/Berlin.',
    })
  }
  return { timeZone, fallbackTimeZone, spans }
}
