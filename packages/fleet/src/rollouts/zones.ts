/**
 * Time zones by the runtime's own tables (Intl). Making a formatter costs about 50 µs and using one
 * 2 µs, so a caller that decides often makes one `Zones` and hands it in; it remembers formatters
 * and nothing that a decision depends on.
 */
import type { Windows } from './rollout.ts'

/** How long a window stays as it is, in one zone. */
export interface WindowSpell {
  readonly fromMs: number
  readonly untilMs: number
  readonly isOpen: boolean
  /** False when nothing changes within the time that is searched. */
  readonly changes: boolean
}

export interface Zones {
  /** How far the zone's wall clock is ahead of UTC, in milliseconds. */
  offsetMs(zone: string, atMs: number): number
  isZone(zone: string): boolean
  /** The spells found last, by zone. */
  spellsOf(windows: Windows): Map<string, WindowSpell>
}

/**
 * Names come from devices' tags, in any case and as any alias, so there are endlessly many
 * spellings.
 */
const zonesMax = 2000

/** Makes the tables, which are empty at first and hold at most 2000 zones. */
export function createZones(): Zones {
  const formatters = new Map<string, Intl.DateTimeFormat | null>()
  const spells = new WeakMap<Windows, Map<string, WindowSpell>>()

  const formatterOf = (zone: string): Intl.DateTimeFormat | null => {
    const known = formatters.get(zone)
    if (known !== undefined) return known
    if (formatters.size >= zonesMax) formatters.clear()
    const made = createFormatter(zone)
    formatters.set(zone, made)
    return made
  }
  return {
    offsetMs(zone, atMs) {
      const formatter = formatterOf(zone)
      if (formatter === null) throw new RangeError(`no time zone ${zone}`)
      return readOffset(formatter, atMs)
    },
    isZone: (zone) => formatterOf(zone) !== null,
    spellsOf(windows) {
      let known = spells.get(windows)
      if (known === undefined || known.size >= zonesMax) {
        known = new Map()
        spells.set(windows, known)
      }
      return known
    },
  }
}

function createFormatter(zone: string): Intl.DateTimeFormat | null {
  // Offsets such as `+01:00` are no names: they know no daylight-saving time.
  if (!/^[A-Za-z]/.test(zone)) return null
  try {
    return new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}

/** The form is `3/9/2026, 02:30:00`: six numbers. */
function readOffset(formatter: Intl.DateTimeFormat, atMs: number): number {
  const wholeSecondMs = Math.floor(atMs / 1000) * 1000
  const text = formatter.format(wholeSecondMs)
  const numbers = [0, 0, 0, 0, 0, 0]
  let index = -1
  let isInNumber = false
  for (let at = 0; at < text.length; at += 1) {
    const digit = text.charCodeAt(at) - 48
    if (digit >= 0 && digit <= 9) {
      if (!isInNumber) index += 1
      numbers[index] = numbers[index]! * 10 + digit
      isInNumber = true
    } else {
      isInNumber = false
    }
  }
  const [month, day, year, hour, minute, second] = numbers as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  return Date.UTC(year, month - 1, day, hour, minute, second) - wholeSecondMs
}
