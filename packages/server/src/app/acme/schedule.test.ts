import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { systemRandom } from '@seaworthy/std/random'
import { dayMs, formatInstant, hourMs, minuteMs, systemClock } from '@seaworthy/std/time'
import fc from 'fast-check'
import { createTestAuthority } from '../../testing/authority.ts'
import { pinOf } from '../trust/index.ts'
import type { AcmeTrouble } from '../trust/index.ts'
import { isOrderDue, orderableNames, waitAfterFailure } from './schedule.ts'

const wanted = ['ship.example']
const start = systemClock.now()
const at = (days: number) => new Date(start.getTime() + days * dayMs)
let certificatePem: string
let pin: string

before(async () => {
  const authority = await createTestAuthority()
  const { requestPem } = await authority.request(wanted)
  certificatePem = await authority.issue(requestPem, { from: 0, until: 90 })
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
