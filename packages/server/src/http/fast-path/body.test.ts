import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyCodePoint } from '@seaworthy/std/testing/any-code-point'
import { checkIn } from '@seaworthy/api/device-self'
import { digestReport } from '../../app/devices/report-digest.ts'
import { createIdleCheckInReader } from './body.ts'

const instant = fc
  .date({ min: new Date('1971-01-01'), max: new Date('2199-12-31'), noInvalidDate: true })
  .map((at) => `${at.toISOString().slice(0, 19)}Z`)
const hex = fc.stringMatching(/^[0-9a-f]{64}$/)
/** Makes mostly right values, and sometimes odd ones on the edge or beyond. */
const mostly = <T>(right: fc.Arbitrary<T>, odd: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 40, arbitrary: right }, { weight: 1, arbitrary: odd })
const count = mostly(
  fc.integer({ min: 1, max: 2 ** 31 - 1 }),
  fc.constantFrom(0, 1, 999_999_999_999_999, Number.MAX_SAFE_INTEGER),
)
const some = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })
const text = (maxLength: number) =>
  mostly(
    fc.stringMatching(/^[ !#-[\]-~]{0,20}$/),
    fc.oneof(fc.string({ maxLength: maxLength + 2 }), fc.string({ maxLength, unit: anyCodePoint })),
  )
const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/)
const anyReport = fc.record({
  sequence: count,
  at: instant,
  running: fc.option(
    fc.record({
      product: mostly(name, fc.constantFrom('root', 'targets', 'roots')),
      version: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._+-]{0,20}$/),
      sha256: hex,
      counter: count,
    }),
  ),
  committedCounter: count,
  floor: count,
  update: fc.record({
    state: mostly(
      fc.constantFrom('idle', 'downloading', 'restarting', 'failed'),
      fc.constant('other'),
    ),
    targetPath: some(text(300)),
    sha256: some(hex),
    percent: some(mostly(fc.integer({ min: 0, max: 100 }), fc.constantFrom(-1, 101, 1.5))),
    code: some(text(64)),
  }),
  metadata: fc.dictionary(fc.oneof(name, text(20), fc.constant('__proto__')), count, {
    maxKeys: 5,
  }),
  timestampVerifiedAt: fc.option(instant),
  refusals: fc.array(
    fc.record({
      code: fc.stringMatching(/^[a-z][a-z0-9_]{0,10}$/),
      at: instant,
      subject: some(text(10)),
    }),
    { maxLength: 3 },
  ),
  agentVersion: text(64),
  platform: mostly(
    fc.constantFrom('linux/amd64', 'linux/arm/v7'),
    fc.constantFrom('linux', 'Linux/amd64'),
  ),
  bootId: some(text(64)),
})

/** All tests share one reader, which recognises what it has seen before. */
const readIdleCheckIn = createIdleCheckInReader()

const agrees = (body: string): boolean => {
  const quick = readIdleCheckIn(body)
  if (quick === undefined) return false
  const slow = checkIn.body.safeParse(JSON.parse(body))
  const { digest, ...value } = quick
  assert.ok(slow.success, body)
  assert.deepEqual(value, slow.data)
  assert.equal(digest, digestReport(slow.data.report), body)
  assert.equal(JSON.stringify(value.report), JSON.stringify(JSON.parse(body).report))
  return true
}

const typical = {
  report: {
    sequence: 12,
    at: '2026-02-28T23:59:59Z',
    running: { product: 'acme', version: '1.0.0+b.1', sha256: 'ab'.repeat(32), counter: 7 },
    committedCounter: 7,
    floor: 3,
    update: { state: 'committed', targetPath: 'acme/stable/1.0.0', sha256: 'ab'.repeat(32) },
    metadata: { root: 1, 'acme.stable': 12 },
    timestampVerifiedAt: '2026-02-28T23:59:00Z',
    refusals: [{ code: 'wrong_hash', at: '2026-01-01T00:00:00Z', subject: 'acme/stable/2' }],
    agentVersion: '0.1.0',
    platform: 'linux/amd64',
    bootId: '6a7a2b0e-3f2b-4a53-9f83-0c6c1de0b1f1',
  },
}

test('what our agent writes is recognised', () => {
  const { bootId, ...rest } = typical.report
  for (const report of [
    typical.report,
    rest,
    { ...typical.report, running: null, timestampVerifiedAt: null, metadata: {}, refusals: [] },
    { ...typical.report, update: { state: 'idle' }, bootId },
  ]) {
    assert.ok(agrees(JSON.stringify({ report })))
  }
})

test('what is recognised the schema accepts, with the same value (property)', () => {
  let recognised = 0
  fc.assert(
    fc.property(anyReport, (report) => {
      if (agrees(JSON.stringify({ report }))) recognised++
    }),
    { numRuns: 3000 },
  )
  assert.ok(recognised > 500, `only ${recognised} were recognised`)
})

test('a typical body with one character changed, lost or doubled is judged as the schema judges it (property)', () => {
  const body = JSON.stringify(typical)
  const character = fc.oneof(
    fc.constantFrom(
      '"',
      '\\',
      ',',
      '{',
      '}',
      '0',
      '9',
      '-',
      '.',
      'Z',
      '\0',
      '\u007f',
      '\ud800',
      'é',
    ),
    fc.string({ minLength: 1, maxLength: 1, unit: anyCodePoint }),
  )
  let recognised = 0
  fc.assert(
    fc.property(fc.nat(body.length - 1), fc.nat(2), character, (at, kept, inserted) => {
      const changed = body.slice(0, at) + inserted + body.slice(at + kept)
      if (agrees(changed)) recognised++
    }),
    { numRuns: 20_000 },
  )
  assert.ok(recognised > 100, `only ${recognised} were recognised`)
})

test('a second body of a known form with one character changed is judged as the schema judges it (property)', () => {
  const { bootId: _, ...rest } = typical.report
  const bodies = [typical, { report: rest }].map((body) => JSON.stringify(body))
  for (const body of bodies) assert.ok(agrees(body))
  const other = typical.report.bootId.replace('6', '7')
  const next = { ...typical.report, sequence: 13, at: '2026-03-01T00:00:00Z', bootId: other }
  let recognised = 0
  for (const body of [...bodies, JSON.stringify({ report: next })]) {
    for (let at = 0; at <= body.length; at++) {
      for (const changed of ['"', '\n', '0', '}', 'é', ',"bootId":"x"']) {
        for (const kept of [0, 1]) {
          if (agrees(body.slice(0, at) + changed + body.slice(at + kept))) recognised++
        }
      }
    }
  }
  assert.ok(recognised > 100, `only ${recognised} were recognised`)
})
