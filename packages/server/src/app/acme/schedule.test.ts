import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { systemRandom } from '@seaworthy/std/random'
import { dayMs, formatInstant, hourMs, minuteMs, systemClock } from '@seaworthy/std/time'
import fc from 'fast-check'
import { createTestAuthority } from '../../testing/authority.ts'
import { pinOf } from '../trust/index.ts'
import type { AcmeTrouble } from '../trust/index.ts'
import { isFit, isOrderDue, orderableNames, waitAfterFailure } from './schedule.ts'

const wanted = ['ship.example']
const start = systemClock.now()
const at = (days: number) => new Date(start.getTime() + days * dayMs)
let issue: (days: { from: number; until: number }) => Promise<string>
let certificatePem: string
let pin: string

before(async () => {
  const authority = await createTestAuthority()
  const { requestPem } = await authority.request(wanted)
  issue = (days) => authority.issue(requestPem, days)
  certificatePem = await issue({ from: 0, until: 90 })
  pin = pinOf(certificatePem)
})

const troubleOf = (part: Partial<AcmeTrouble>): AcmeTrouble => ({
  ...{ names: wanted, pin, failures: 1, message: 'no', nextAt: formatInstant(at(1)) },
  ...part,
})

test('A6 a certificate is renewed at two thirds of its life, and at once for another name or key', () => {
  const known = { certificatePem, wanted, pin, trouble: undefined }
  assert.equal(isOrderDue({ ...known, now: at(0) }), false)
  assert.equal(isOrderDue({ ...known, now: at(59.9) }), false)
  assert.equal(isOrderDue({ ...known, now: at(60.1) }), true)
  assert.equal(isOrderDue({ ...known, now: at(100) }), true)
  assert.equal(isOrderDue({ ...known, certificatePem: undefined, now: at(0) }), true)
  assert.equal(isOrderDue({ ...known, wanted: [...wanted, 'b.example'], now: at(0) }), true)
  assert.equal(isOrderDue({ ...known, pin: 'sha256:another', now: at(0) }), true)
  assert.equal(isOrderDue({ ...known, certificatePem: undefined, wanted: [], now: at(0) }), false)
})

test('A6 after a failure nothing is ordered before its wait is over, unless names or key are others', () => {
  const known = { certificatePem: undefined, wanted, pin, now: at(0.5) }
  assert.equal(isOrderDue({ ...known, trouble: troubleOf({}) }), false)
  assert.equal(isOrderDue({ ...known, trouble: troubleOf({}), now: at(1) }), true)
  assert.equal(isOrderDue({ ...known, trouble: troubleOf({ names: ['b.example'] }) }), true)
  assert.equal(isOrderDue({ ...known, trouble: troubleOf({ pin: 'sha256:another' }) }), true)
})

test('A6 attack: an authority whose certificates end at once has the server order without end', async () => {
  const ordered = { wanted, pin, now: start }
  assert.equal(isFit(await issue({ from: 0, until: 60 / 86_400 }), ordered), false)
  assert.equal(isFit(await issue({ from: -89, until: 60 / 86_400 }), ordered), false)
  assert.equal(isFit(await issue({ from: -1 / 24, until: 1 }), ordered), true)
  assert.equal(isFit(certificatePem, { ...ordered, wanted: ['b.example'] }), false)
  const minutes = fc.integer({ min: 0, max: 90 * 24 * 60 })
  await fc.assert(
    fc.asyncProperty(minutes, minutes, async (ago, life) => {
      const days = { from: -ago / 1440, until: (life - ago) / 1440 }
      const certificate = await issue(days)
      if (!isFit(certificate, ordered)) return
      for (const rest of [0, 30, 60]) {
        const now = new Date(start.getTime() + rest * minuteMs)
        const known = { ...ordered, certificatePem: certificate, trouble: undefined, now }
        assert.equal(isOrderDue(known), false)
      }
    }),
    { interruptAfterTimeLimit: 20_000 },
  )
})

test('A6 failures wait longer and longer, and as long as the authority asks for', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1000 }),
      fc.option(fc.integer({ min: 0, max: 7 * dayMs }), { nil: undefined }),
      (failures, retryAfterMs) => {
        const ms = waitAfterFailure(failures, retryAfterMs, systemRandom)
        assert.ok(ms >= Math.max(7.5 * minuteMs, retryAfterMs ?? 0))
        assert.ok(ms <= Math.max(6 * hourMs, retryAfterMs ?? 0))
      },
    ),
  )
})

test('A6 only names that an authority of the public can prove are ordered', () => {
  const names = ['localhost', '127.0.0.1', '::1', 'ship.example', '*.ship.example', 'b.example']
  assert.deepEqual(orderableNames(names), ['ship.example', 'b.example'])
})
