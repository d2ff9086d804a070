import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { ManualClock, minuteMs } from '@seaworthy/std/time'
import { sharesOf } from '../app/worker/budgets.ts'
import { createTestBudgets } from '../testing/budgets.ts'
import { createAttemptLimiter } from './authenticate.ts'
import { poolOf } from './address-pools.ts'

const from = (remoteAddress: string) => ({ socket: { remoteAddress } }) as IncomingMessage
const guess = (n: number) => `sw_${'0'.repeat(26)}_${String(n).padStart(64, '0')}`

test('A9 wrong credentials are counted for the address, the whole IPv6 network, and the account', async () => {
  const clock = new ManualClock(new Date(0))
  const max = sharesOf('wrong-credentials-network', 1).whole.burst
  for (const [addressOf, credentialOf] of [
    [() => '192.0.2.1', () => undefined],
    [(n: number) => `2001:db8:1:2::${n.toString(16)}`, () => undefined],
    // The address is another one each time, and the account always the same.
    [(n: number) => `2001:db8:${n.toString(16)}::1`, guess],
    // A person who has signed in guesses codes of others from everywhere.
    [(n: number) => `2001:db8:${n.toString(16)}::1`, () => `person_${'0'.repeat(26)}`],
  ] as const) {
    const limiter = createAttemptLimiter({ budgets: createTestBudgets(clock)[0] })
    for (let n = 0; n < max; n++) await limiter.countWrong(from(addressOf(n)), credentialOf(n))
    const next = () => limiter.countWrong(from(addressOf(max)), credentialOf(max))
    await assert.rejects(next(), { code: 'too_many_requests' })
    await limiter.countWrong(from('198.51.100.7'), `sw_${'1'.repeat(26)}_${'0'.repeat(64)}`)
    clock.advance(minuteMs)
    await next()
  }
})

test('A9 an address counts as its network, however it is spelt', () => {
  for (const [address, network] of [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:0db8:0:0:1:2:3:4', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
  ] as const) {
    assert.equal(poolOf(address), network)
  }
})
