import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyCodePoint } from '@seaworthy/std/testing/any-code-point'
import { ManualClock } from '@seaworthy/std/time'
import type { Screen } from '../ports.ts'
import { formatAgo, formatBytes, formatMs, harmless, shortDigest } from './format.ts'
import { printableJson } from '@seaworthy/std/printable'
import { harmlessLine } from './harmless.ts'
import { createPaint } from './paint.ts'
import { createProgress } from './progress.ts'
import { formatFields, formatTable } from './table.ts'

function recordingScreen(isTerminal: boolean): Screen & { text: string } {
  return {
    text: '',
    isTerminal,
    columns: 60,
    rows: 24,
    write(text) {
      this.text += text
    },
  }
}

test('amounts and spans read as people say them', () => {
  assert.deepEqual(
    [0, 1023, 1024, 1536, 250 * 1024, 5e9].map((bytes) => formatBytes(bytes)),
    ['0 B', '1023 B', '1.0 KiB', '1.5 KiB', '250 KiB', '4.7 GiB'],
  )
  assert.deepEqual(
    [0, 59_499, 65_000, 7_500_000, 270_000_000].map((ms) => formatMs(ms)),
    ['0s', '59s', '1m 05s', '2h 05m', '3d 3h'],
  )
  const now = new Date('2026-06-01T00:00:00Z')
  assert.equal(formatAgo('2026-05-31T23:59:00Z', now), '1m 00s ago')
  assert.equal(formatAgo('2026-06-03T00:00:01Z', now), 'in 2d 0h')
  assert.equal(formatAgo(null, now), 'never')
  assert.equal(shortDigest('sha256:0123456789abcdef0123'), 'sha256:0123456789ab')
})

test('a hostile name cannot steer the terminal', () => {
  const hostile = 'a\u001b[2Jb\rc\u202ed\u009b1m'
  const row = formatTable([{ title: 'name', text: () => hostile }], [{}]).join('\n')
  assert.equal(row, 'NAME\na\\u{1b}[2Jb\\u{d}c\\u{202e}d\\u{9b}1m')
  fc.assert(
    fc.property(fc.string({ unit: anyCodePoint }), (text) => {
      assert.doesNotMatch(harmless(text), /[\p{C}\p{Default_Ignorable_Code_Point}]/u)
    }),
  )
})

test('tables align, numbers to the right, and only shrinkable columns are cut', () => {
  const columns = [
    { title: 'name', text: (row: { name: string; count: number }) => row.name, isShrinkable: true },
    {
      title: 'count',
      text: (row: { count: number }) => String(row.count),
      align: 'right' as const,
    },
  ]
  const rows = [
    { name: 'a-rather-long-name', count: 7 },
    { name: 'b', count: 1234567 },
  ]
  assert.deepEqual(formatTable(columns, rows), [
    'NAME                  COUNT',
    'a-rather-long-name        7',
    'b                   1234567',
  ])
  assert.deepEqual(formatTable(columns, rows, 20), [
    'NAME           COUNT',
    'a-rather-l…        7',
    'b            1234567',
  ])
  fc.assert(
    fc.property(fc.array(fc.string()), fc.integer({ min: 30, max: 200 }), (names, width) => {
      const lines = formatTable(
        columns,
        names.map((name) => ({ name, count: 1 })),
        width,
      )
      assert.equal(lines.length, names.length + 1)
      for (const line of lines) assert.ok(Array.from(line).length <= width, line)
    }),
  )
})

test('at 80 columns a list loses what is missed least, then puts the id on a line of its own', () => {
  const id = `rollout_${'0'.repeat(26)}`
  const columns = [
    { title: 'id', text: () => id },
    { title: 'fleet', text: (fleet: string) => fleet, isShrinkable: true },
    { title: 'progress', text: () => 'wave 2 of 4, 12 healthy' },
    { title: 'created', text: () => '3m 05s ago', isDroppable: true },
  ]
  assert.deepEqual(formatTable(columns, ['harbour'], 76), [
    `ID                                  FLEET    PROGRESS`,
    `${id}  harbour  wave 2 of 4, 12 healthy`,
    '(no room for created)',
  ])
  assert.deepEqual(formatTable(columns, ['the-fleet-of-the-harbour'], 80), [
    'ID',
    '  FLEET                     PROGRESS                 CREATED',
    id,
    '  the-fleet-of-the-harbour  wave 2 of 4, 12 healthy  3m 05s ago',
  ])
  fc.assert(
    fc.property(fc.array(fc.string()), fc.integer({ min: 40, max: 200 }), (fleets, width) => {
      const lines = formatTable(columns, fleets, width)
      for (const line of lines) assert.ok(Array.from(line).length <= width, line)
      const text = lines.join('\n')
      assert.equal(text.split('wave 2 of 4, 12 healthy').length - 1, fleets.length)
      assert.equal(text.split(id).length - 1, fleets.length)
    }),
  )
})

test('fields without a value are left out', () => {
  assert.deepEqual(
    formatFields([
      ['id', 'x'],
      ['gone', undefined],
      ['longer', 'y'],
    ]),
    ['id:     x', 'longer: y'],
  )
})

test('colours need a terminal, and NO_COLOR or --no-color turns them off', () => {
  const on = { isTerminal: true, wantsColour: true, noColor: undefined }
  assert.equal(createPaint(on).red('x'), '\u001b[31mx\u001b[39m')
  for (const off of [{ isTerminal: false }, { wantsColour: false }, { noColor: '1' }]) {
    assert.equal(createPaint({ ...on, ...off }).red('x'), 'x')
  }
})

test('progress keeps silent for a second, then draws a bar at a terminal and lines elsewhere', () => {
  const clock = new ManualClock(new Date(0))
  const terminal = recordingScreen(true)
  const bar = createProgress({ title: 'push', screen: terminal, clock })
  bar.update(10, 100)
  assert.equal(terminal.text, '')
  clock.advance(2000)
  bar.update(50)
  const bytes = 'push  [############------------]  50%  50 B / 100 B'
  assert.ok(terminal.text.startsWith(`\r\u001b[K${bytes}`), terminal.text)
  bar.finish()
  assert.ok(terminal.text.endsWith('\n'))

  const file = recordingScreen(false)
  const lines = createProgress({ title: 'push', screen: file, clock })
  for (let second = 0; second < 25; second++) {
    clock.advance(1000)
    lines.update(second, 100)
  }
  assert.equal(file.text.split('\n').length - 1, 2)
  const quick = recordingScreen(false)
  const none = createProgress({ title: 'push', screen: quick, clock })
  none.update(1, 1)
  none.finish()
  assert.equal(quick.text, '')
})

test('progress shows rate and time left; without a total it shows what is done', () => {
  const clock = new ManualClock(new Date(0))
  const screen = recordingScreen(true)
  const progress = createProgress({ title: 'hash', screen, clock })
  clock.advance(2000)
  progress.update(1024)
  assert.ok(screen.text.endsWith('hash  1.0 KiB  512 B/s'), screen.text)
  clock.advance(2000)
  progress.update(2048, 4096)
  assert.match(screen.text, / 50% {2}2\.0 KiB/)
  const wide = { ...recordingScreen(true), columns: 200 }
  const other = createProgress({ title: 'hash', screen: wide, clock })
  clock.advance(1000)
  other.update(1024, 4096)
  const line = 'hash  [######------------------]  25%  1.0 KiB / 4.0 KiB  1.0 KiB/s  3s left'
  assert.ok(wide.text.endsWith(line), wide.text)
})

test('T9 attack: what was forgotten to be cleaned steers no terminal, in lines, errors and JSON', () => {
  const evil = '\u001b]0;title\u0007\u001b[8m\u202e\u{e0001}\r\u001b[2K'
  const steers = /[\p{C}\p{Default_Ignorable_Code_Point}]/u
  assert.doesNotMatch(harmlessLine(`a device called ${evil}`), steers)
  const painted = `\u001b[31mfailed:\u001b[39m ${evil}`
  assert.ok(harmlessLine(painted).startsWith('\u001b[31mfailed:\u001b[39m '))
  assert.doesNotMatch(harmlessLine(painted).slice(19), steers)
  const value = { name: evil, '\u202e': ['\u{1f600} ü', evil] }
  const json = printableJson(JSON.stringify(value, undefined, 2))
  assert.deepEqual(JSON.parse(json), value)
  assert.doesNotMatch(json.replaceAll('\n', ''), steers)
})
