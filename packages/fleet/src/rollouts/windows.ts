/**
 * Whether a window is open, and when that changes next. Spans are wall-clock times: a span that
 * begins in an hour that daylight-saving time skips opens at the first instant after it, and an
 * hour that comes twice counts twice.
 */
import type { Windows } from './rollout.ts'
import { weekdays } from './rollout.ts'
import type { WindowSpell, Zones } from './zones.ts'

export interface WindowState {
  readonly isOpen: boolean
  /** When it opens or closes next; `null` when it never does. */
  readonly changesAt: Date | null
  /** The zone by which it was judged. */
  readonly timeZone: string
}

/** Key of the tag by which a device names its zone. */
const timeZoneTag = 'time-zone'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs
const weekMs = 7 * dayMs
/** Offsets are looked at this often. No zone has changed its offset and back within less. */
const probeMs = 6 * hourMs
/** A span comes every week, or every second one when a skipped hour swallows it. */
const lookAheadMs = 16 * dayMs

/**
 * The zone by which the device's windows are judged: its own where that is asked for, given and
 * known.
 */
function zoneOf(
  windows: Windows,
  deviceTags: Readonly<Record<string, string>>,
  zones: Zones,
): string {
  if (windows.timeZone !== 'device') return windows.timeZone
  const own = deviceTags[timeZoneTag]
  return own !== undefined && zones.isZone(own) ? own : windows.fallbackTimeZone
}

/** The window of the device now, and when that changes within 16 days. */
export function windowAt(
  windows: Windows,
  deviceTags: Readonly<Record<string, string>>,
  now: Date,
  zones: Zones,
): WindowState {
  const timeZone = zoneOf(windows, deviceTags, zones)
  const spell = spellAt(windows, timeZone, now.getTime(), zones)
  return {
    isOpen: spell.isOpen,
    changesAt: spell.changes ? new Date(spell.untilMs) : null,
    timeZone,
  }
}

/** Whether the window is open. Every check-in asks this, so a call makes no object. */
export function isWindowOpen(
  windows: Windows,
  deviceTags: Readonly<Record<string, string>>,
  now: Date,
  zones: Zones,
): boolean {
  return spellAt(windows, zoneOf(windows, deviceTags, zones), now.getTime(), zones).isOpen
}

function spellAt(windows: Windows, zone: string, nowMs: number, zones: Zones): WindowSpell {
  const spells = zones.spellsOf(windows)
  const known = spells.get(zone)
  if (known !== undefined && nowMs >= known.fromMs && nowMs < known.untilMs) return known
  const found = findSpell(windows, zone, nowMs, zones)
  spells.set(zone, found)
  return found
}

function findSpell(windows: Windows, zone: string, nowMs: number, zones: Zones): WindowSpell {
  const offsetAt = (ms: number) => zones.offsetMs(zone, ms)
  const isOpen = isOpenAt(windows, wallMs(nowMs, offsetAt(nowMs)))
  const endMs = nowMs + lookAheadMs
  let atMs = nowMs
  while (atMs < endMs) {
    const offset = offsetAt(atMs)
    const untilMs = Math.min(atMs + msToBoundary(windows, wallMs(atMs, offset)), endMs)
    const jumpMs = findOffsetChange(offsetAt, atMs, untilMs, offset)
    atMs = jumpMs ?? untilMs
    if (isOpenAt(windows, wallMs(atMs, offsetAt(atMs))) !== isOpen) {
      return { fromMs: nowMs, untilMs: atMs, isOpen, changes: true }
    }
  }
  return { fromMs: nowMs, untilMs: endMs, isOpen, changes: false }
}

/** Milliseconds since Monday 00:00 on the wall clock. */
function wallMs(atMs: number, offsetMs: number): number {
  // 1970-01-05 was a Monday.
  return modulo(atMs + offsetMs - 4 * dayMs, weekMs)
}

function isOpenAt(windows: Windows, wall: number): boolean {
  for (const { days, from, to } of windows.spans) {
    const fromMs = timeOfDayMs(from)
    const length = spanMs(from, to)
    for (const day of days) {
      const start = weekdays.indexOf(day) * dayMs + fromMs
      if (modulo(wall - start, weekMs) < length) return true
    }
  }
  return false
}

/** Milliseconds until a span begins or ends next: above 0, and infinite without a span. */
function msToBoundary(windows: Windows, wall: number): number {
  let nearest = Infinity
  for (const { days, from, to } of windows.spans) {
    const fromMs = timeOfDayMs(from)
    const length = spanMs(from, to)
    for (const day of days) {
      const start = weekdays.indexOf(day) * dayMs + fromMs
      nearest = Math.min(nearest, msUntil(start, wall), msUntil(start + length, wall))
    }
  }
  return nearest
}

function msUntil(boundary: number, wall: number): number {
  const distance = modulo(boundary - wall, weekMs)
  return distance === 0 ? weekMs : distance
}

/**
 * The first instant after `fromMs`, up to `untilMs`, at which the zone's offset is another one;
 * `null` where there is none.
 */
function findOffsetChange(
  offsetAt: (ms: number) => number,
  fromMs: number,
  untilMs: number,
  offset: number,
): number | null {
  let beforeMs = fromMs
  while (beforeMs < untilMs) {
    const afterMs = Math.min(beforeMs + probeMs, untilMs)
    if (offsetAt(afterMs) !== offset) return bisect(offsetAt, beforeMs, afterMs, offset)
    beforeMs = afterMs
  }
  return null
}

function bisect(
  offsetAt: (ms: number) => number,
  fromMs: number,
  untilMs: number,
  offset: number,
): number {
  let beforeMs = fromMs
  let afterMs = untilMs
  while (afterMs - beforeMs > 1) {
    const middleMs = Math.floor((beforeMs + afterMs) / 2)
    if (offsetAt(middleMs) === offset) beforeMs = middleMs
    else afterMs = middleMs
  }
  return afterMs
}

function timeOfDayMs(text: string): number {
  return Number(text.slice(0, 2)) * hourMs + Number(text.slice(3, 5)) * minuteMs
}

function spanMs(from: string, to: string): number {
  const length = modulo(timeOfDayMs(to) - timeOfDayMs(from), dayMs)
  return length === 0 ? dayMs : length
}

function modulo(value: number, by: number): number {
  return ((value % by) + by) % by
}
