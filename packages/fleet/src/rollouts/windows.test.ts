import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Weekday, Windows, WindowSpan } from './rollout.ts'
import { weekdays } from './rollout.ts'
import { windowAt } from './windows.ts'
import { createZones } from './zones.ts'

const zones = createZones()
const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

function windowsIn(timeZone: string, ...spans: WindowSpan[]): Windows {
  return { timeZone, fallbackTimeZone: 'UTC', spans }
}

const daily = (from: string, to: string): WindowSpan => ({ days: weekdays, from, to })

/** `isOpen` and the next change, both in UTC. */
function ask(windows: Windows, at: string, tags: Record<string, string> = {}) {
  const { isOpen, changesAt } = windowAt(windows, tags, new Date(at), zones)
  return [isOpen, changesAt?.toISOString().slice(0, 16) ?? null]
}

test('D3 office hours in a named zone, summer and winter', () => {
  const office: Windows = windowsIn('Europe/Berlin', {
    days: ['mon', 'tue', 'wed', 'thu', 'fri'],
    from: '09:00',
    to: '17:00',
  })
  assert.deepEqual(ask(office, '2026-07-01T06:59Z'), [false, '2026-07-01T07:00'])
  assert.deepEqual(ask(office, '2026-07-01T07:00Z'), [true, '2026-07-01T15:00'])
  assert.deepEqual(ask(office, '2026-01-07T08:00Z'), [true, '2026-01-07T16:00'])
  // Friday evening: Monday.
  assert.deepEqual(ask(office, '2026-01-09T16:00Z'), [false, '2026-01-12T08:00'])
})

test('D3 a span that begins in the skipped hour opens at the first instant after it', () => {
  const windows = windowsIn('Europe/Berlin', daily('02:30', '04:00'))
  // 2026-03-29: 01:59 CET is followed by 03:00 CEST.
  assert.deepEqual(ask(windows, '2026-03-29T00:59Z'), [false, '2026-03-29T01:00'])
  assert.deepEqual(ask(windows, '2026-03-29T01:00Z'), [true, '2026-03-29T02:00'])
  const swallowed = windowsIn('Europe/Berlin', daily('02:15', '02:45'))
  assert.deepEqual(ask(swallowed, '2026-03-29T00:30Z'), [false, '2026-03-30T00:15'])
  const weekly = windowsIn('Europe/Berlin', { days: ['sun'], from: '02:15', to: '02:45' })
  assert.deepEqual(ask(weekly, '2026-03-28T12:00Z'), [false, '2026-04-05T00:15'])
})

test('D3 an hour that comes twice counts twice', () => {
  const windows = windowsIn('Europe/Berlin', daily('02:30', '02:45'))
  // 2026-10-25: 02:00 … 02:59 CEST, and again CET.
  assert.deepEqual(ask(windows, '2026-10-25T00:30Z'), [true, '2026-10-25T00:45'])
  assert.deepEqual(ask(windows, '2026-10-25T00:45Z'), [false, '2026-10-25T01:30'])
  assert.deepEqual(ask(windows, '2026-10-25T01:30Z'), [true, '2026-10-25T01:45'])
  const long = windowsIn('Europe/Berlin', daily('02:00', '03:00'))
  assert.deepEqual(ask(long, '2026-10-25T00:00Z'), [true, '2026-10-25T02:00'])
})

test('D3 half an hour of daylight saving (Lord Howe), and a zone 45 minutes off (Kathmandu)', () => {
  const howe = windowsIn('Australia/Lord_Howe', daily('02:10', '03:00'))
  // 2026-10-04: 02:00 becomes 02:30 (from +10:30 to +11).
  assert.deepEqual(ask(howe, '2026-10-03T15:29Z'), [false, '2026-10-03T15:30'])
  assert.deepEqual(ask(howe, '2026-10-03T15:30Z'), [true, '2026-10-03T16:00'])
  // 2026-04-05: 02:00 becomes 01:30.
  const twice = windowsIn('Australia/Lord_Howe', daily('01:40', '01:50'))
  assert.deepEqual(ask(twice, '2026-04-04T14:50Z'), [false, '2026-04-04T15:10'])
  const kathmandu = windowsIn('Asia/Kathmandu', daily('22:00', '23:00'))
  assert.deepEqual(ask(kathmandu, '2026-05-01T16:15Z'), [true, '2026-05-01T17:15'])
})

test('D3 over midnight, round the week, and 24 hours', () => {
  const night = windowsIn('UTC', { days: ['sun'], from: '22:00', to: '04:00' })
  assert.deepEqual(ask(night, '2026-11-22T23:00Z'), [true, '2026-11-23T04:00'])
  assert.deepEqual(ask(night, '2026-11-23T04:00Z'), [false, '2026-11-29T22:00'])
  const sunday = windowsIn('UTC', { days: ['sun'], from: '00:00', to: '00:00' })
  assert.deepEqual(ask(sunday, '2026-11-22T00:00Z'), [true, '2026-11-23T00:00'])
  assert.deepEqual(ask(windowsIn('UTC', daily('00:00', '00:00')), '2026-11-22T00:00Z'), [
    true,
    null,
  ])
  const joined = windowsIn('UTC', daily('10:00', '11:00'), daily('11:00', '12:00'))
  assert.deepEqual(ask(joined, '2026-11-22T10:30Z'), [true, '2026-11-22T12:00'])
})

test("D3 the device's own zone by its tag; without one, or with one that is unknown, the fallback", () => {
  const own: Windows = {
    timeZone: 'device',
    fallbackTimeZone: 'America/New_York',
    spans: [daily('22:00', '23:00')],
  }
  const zoneFor = (tags: Record<string, string>) =>
    windowAt(own, tags, new Date('2026-05-01T00:00Z'), zones).timeZone
  assert.equal(zoneFor({ 'time-zone': 'Asia/Tokyo' }), 'Asia/Tokyo')
  assert.equal(zoneFor({}), 'America/New_York')
  assert.equal(zoneFor({ 'time-zone': 'Mars/Olympus' }), 'America/New_York')
  assert.equal(zoneFor({ 'time-zone': '+01:00' }), 'America/New_York')
  assert.deepEqual(ask(own, '2026-05-01T13:30Z', { 'time-zone': 'Asia/Tokyo' }), [
    true,
    '2026-05-01T14:00',
  ])
})

/** The definition, minute by minute, by another way through Intl. */
function isOpenByDefinition(windows: Windows, zone: string, atMs: number): boolean {
  const parts = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
  }).formatToParts(atMs)
  const of = (type: string) => parts.find((part) => part.type === type)!.value
  const day = weekdays.indexOf(of('weekday').toLowerCase() as Weekday)
  const wall = day * 1440 + Number(of('hour')) * 60 + Number(of('minute'))
  const minutes = (text: string) => Number(text.slice(0, 2)) * 60 + Number(text.slice(3))
  return windows.spans.some(({ days, from, to }) => {
    const length = (minutes(to) - minutes(from) + 1440) % 1440 || 1440
    return days.some((d) => {
      const start = weekdays.indexOf(d) * 1440 + minutes(from)
      return (wall - start + 2 * 7 * 1440) % (7 * 1440) < length
    })
  })
}

const anyTime = fc
  .tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }))
  .map((parts) => parts.map((n) => String(n).padStart(2, '0')).join(':'))
const anySpans = fc.array(
  fc.record({ days: fc.subarray([...weekdays], { minLength: 1 }), from: anyTime, to: anyTime }),
  { minLength: 1, maxLength: 3 },
)
const someZones = [
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
  'Africa/Casablanca',
  'America/St_Johns',
  'Pacific/Chatham',
  'Africa/Cairo',
  'UTC',
]

/** All instants of 2026 and 2027 at which the zone's offset changes, to the half hour. */
function changesOf(zone: string): number[] {
  const found: number[] = []
  const end = Date.UTC(2028, 0)
  for (let day = Date.UTC(2026, 0); day < end; day += dayMs) {
    if (zones.offsetMs(zone, day) === zones.offsetMs(zone, day + dayMs)) continue
    for (let at = day; at < day + dayMs; at += hourMs / 2) {
      if (zones.offsetMs(zone, at) !== zones.offsetMs(zone, at + hourMs / 2)) {
        found.push(at + hourMs / 2)
      }
    }
  }
  return found
}

test('D3 at every daylight-saving change of nine zones, windows are what the wall clock says (property)', () => {
  for (const zone of someZones) {
    const changes = changesOf(zone)
    const isWithoutChange = zone === 'UTC' || zone === 'Asia/Kathmandu'
    assert.equal(changes.length === 0, isWithoutChange, zone)
    const instants = changes.length === 0 ? [Date.UTC(2026, 5, 1)] : changes
    fc.assert(
      fc.property(
        anySpans,
        fc.constantFrom(...instants),
        fc.integer({ min: -2 * 1440, max: 1440 }),
        (spans, changeMs, minutes) => {
          const windows = windowsIn(zone, ...spans)
          const atMs = changeMs + minutes * minuteMs
          const { isOpen, changesAt } = windowAt(windows, {}, new Date(atMs), createZones())
          const open = (ms: number) => isOpenByDefinition(windows, zone, ms)
          assert.equal(isOpen, open(atMs))
          const untilMs = changesAt?.getTime() ?? atMs + 15 * dayMs
          // Whole minutes: no span and no change of these zones lies between.
          assert.equal(untilMs % minuteMs, 0)
          if (changesAt !== null) assert.equal(open(untilMs), !isOpen)
          const step = Math.max(minuteMs, Math.floor((untilMs - atMs) / 150 / minuteMs) * minuteMs)
          for (let ms = atMs; ms < untilMs; ms += step) assert.equal(open(ms), isOpen)
          assert.equal(open(untilMs - minuteMs), isOpen)
        },
      ),
      { numRuns: 8 },
    )
  }
})

test('D3 what is remembered never changes an answer, in whatever order instants come (property)', () => {
  const spans = [daily('22:30', '01:15'), daily('02:30', '03:10')]
  const windows = windowsIn('Europe/Berlin', ...spans)
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 14 * 1440 }), { minLength: 1, maxLength: 30 }),
      (minutes) => {
        for (const minute of minutes) {
          const at = new Date(Date.UTC(2026, 9, 18) + minute * minuteMs)
          const fresh = windowAt(windows, {}, at, createZones())
          assert.deepEqual(windowAt(windows, {}, at, zones), fresh)
        }
      },
    ),
    { numRuns: 50 },
  )
})
