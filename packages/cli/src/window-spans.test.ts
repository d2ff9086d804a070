import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { describeWindows, weekdays } from '@seaworthy/fleet/rollouts'
import { describeReboot, parseReboot, rebootPolicyOf } from './reboot-policy.ts'
import { parseWindowSpan, windowsOf } from './window-spans.ts'

test('spans of time are read as people write them', () => {
  const week = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']
  assert.deepEqual(parseWindowSpan('mon-fri 22:00-04:00'), {
    days: week.slice(0, 5),
    from: '22:00',
    to: '04:00',
  })
  assert.deepEqual(parseWindowSpan('  Sun,sat   00:00-24:00 '), {
    days: ['sat', 'sun'],
    from: '00:00',
    to: '00:00',
  })
  assert.deepEqual(parseWindowSpan('08:30-17:00').days, week)
  assert.deepEqual(parseWindowSpan('fri-mon 08:30-17:00').days, ['mon', 'fri', 'sat', 'sun'])
  for (const wrong of [
    '',
    'mon',
    'mon 8:00-17:00',
    'mon 08:00-24:30',
    'mon 24:00-08:00',
    'someday 08:00-09:00',
    'mon-tue-wed 08:00-09:00',
    'mon, tue 08:00-09:00',
    '08:00-09:00 mon',
  ]) {
    assert.throws(() => parseWindowSpan(wrong), { code: 'commander.invalidArgument' }, wrong)
  }
})

test('what is said of a span is read as the same span again (property)', () => {
  const time = fc
    .tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }))
    .map((parts) => parts.map((part) => String(part).padStart(2, '0')).join(':'))
  const days = fc.subarray([...weekdays], { minLength: 1 })
  fc.assert(
    fc.property(days, time, time, (chosen, from, to) => {
      const span = { days: chosen, from, to }
      const words = describeWindows(windowsOf([span], {})).replace(', time of UTC', '')
      assert.deepEqual(parseWindowSpan(words.replace('every day ', '')), span)
    }),
  )
})

test('windows by the device need a zone for devices that do not say theirs', () => {
  const spans = [parseWindowSpan('22:00-04:00')]
  assert.throws(() => windowsOf(spans, { timeZone: 'device' }), /needs --fallback-time-zone/)
  assert.equal(
    describeWindows(windowsOf(spans, { timeZone: 'device', fallbackTimeZone: 'Asia/Kathmandu' })),
    'every day 22:00-04:00, in the time zone of each device (tag time-zone, else Asia/Kathmandu)',
  )
  assert.deepEqual(
    windowsOf(spans, { timeZone: 'Europe/Berlin' }).fallbackTimeZone,
    'Europe/Berlin',
  )
})

test('policies of restarting are read, and said again', () => {
  const said = (text: string, zones = {}) =>
    describeReboot(rebootPolicyOf(parseReboot(text), zones)!)
  assert.equal(said('immediate'), 'as soon as a release is ready')
  assert.equal(said('off'), 'never by themselves')
  assert.equal(
    said('window:mon-fri 22:00-04:00;sat,sun 00:00-24:00', { timeZone: 'Europe/Berlin' }),
    'mon-fri 22:00-04:00 and sat,sun 00:00-24:00, time of Europe/Berlin',
  )
  assert.equal(said('coordinated:slots=2,ttl=90m'), '2 devices at a time, a slot for 90m')
  assert.equal(
    said('coordinated:slots=1;22:00-04:00'),
    '1 device at a time, every day 22:00-04:00, time of UTC',
  )
  for (const wrong of ['', 'now', 'window', 'window:', 'coordinated', 'coordinated:2']) {
    assert.throws(() => parseReboot(wrong), { code: 'commander.invalidArgument' }, wrong)
  }
  assert.throws(
    () => rebootPolicyOf(parseReboot('off'), { timeZone: 'UTC' }),
    /without a span of time/,
  )
  assert.throws(
    () => rebootPolicyOf(parseReboot('coordinated:slots=2,ttl=1s'), {}),
    /ttl must be between/,
  )
})
