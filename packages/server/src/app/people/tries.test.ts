import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Refusal } from '@seaworthy/std/refusal'
import { ManualClock, minuteMs } from '@seaworthy/std/time'
import { createTestBudgets } from '../../testing/budgets.ts'
import type { PersonRefusal } from '../refusals.ts'
import type { Try } from '../worker/index.ts'
import { sharesOf } from '../worker/budgets.ts'
import { judgeTry, takeTries } from './tries.ts'
import { requireStrongPassword } from './password-strength.ts'
import { createSlowHashes } from './slow-hashes.ts'

const refused = { code: 'tries_too_many' }
const triesOfAccount = sharesOf('sign-in-account', 1).whole
const triesOfNetwork = sharesOf('sign-in-network', 1).whole
const account: Try = { budget: 'sign-in-account', who: 'account ann' }

/** Takes tries, each at the next of three workers. */
function createBrakes(clock: ManualClock) {
  const workers = createTestBudgets(clock, 3)
  let turn = 0
  return {
    take: (tries: readonly [Try, ...Try[]]) =>
      takeTries({ budgets: workers[turn++ % workers.length]! }, tries),
  }
}

test('A1 A9 tries of an account and of a network are braked, come back one by one, and right ones cost nothing', async () => {
  const clock = new ManualClock(new Date('2030-01-01T00:00:00Z'))
  const brakes = createBrakes(clock)
  const network = (n: number): Try => ({ budget: 'sign-in-network', who: `${n}` })
  for (let n = 0; n < 50; n++) {
    ;(await brakes.take([account, network(1)])).giveBack()
  }
  for (let n = 0; n < triesOfAccount.burst; n++) await brakes.take([account, network(n)])
  await assert.rejects(brakes.take([account, network(99)]), refused)
  clock.advance(triesOfAccount.everyMs)
  await brakes.take([account, network(99)])
  await assert.rejects(brakes.take([account, network(99)]), refused)
  // One network tries all accounts.
  const of = (n: number): Try => ({ budget: 'sign-in-account', who: `account ${n}` })
  for (let n = 0; n < triesOfNetwork.burst; n++) await brakes.take([of(n), network(7)])
  await assert.rejects(brakes.take([of(99), network(7)]), refused)
  clock.advance(minuteMs)
  await brakes.take([of(99), network(7)])
})

test('A1 attack: a crowd keeps the server busy: a try that could not be judged costs its person none, and one that was wrong does', async () => {
  const brakes = createBrakes(new ManualClock(new Date('2030-01-01T00:00:00Z')))
  const free = Promise.withResolvers<Uint8Array>()
  const hashes = createSlowHashes(() => free.promise)
  const how = { memoryKiB: 8, passes: 1, salt: new Uint8Array(16) }
  const hash = () => hashes.hash(() => undefined, 'secret', how)
  const crowd = Array.from({ length: 9 }, hash)
  const busy = async () => {
    await judgeTry(await brakes.take([account]), hash)
  }
  for (let n = 0; n < 3 * triesOfAccount.burst; n++) {
    await assert.rejects(busy(), { code: 'hashes_waiting' })
  }
  free.resolve(new Uint8Array(32))
  await Promise.all(crowd)
  const wrong = async () => {
    await judgeTry(await brakes.take([account]), async () => {
      await hash()
      throw new Refusal<PersonRefusal>('password_wrong', 'wrong')
    })
  }
  for (let n = 0; n < triesOfAccount.burst; n++) {
    await assert.rejects(wrong(), { code: 'password_wrong' })
  }
  await assert.rejects(wrong(), refused)
})

test('A1 attack: strangers use up the tries of an account: a browser in which its person was has its own', async () => {
  const brakes = createBrakes(new ManualClock(new Date('2030-01-01T00:00:00Z')))
  for (let n = 0; n < triesOfAccount.burst; n++) await brakes.take([account])
  await assert.rejects(brakes.take([account]), refused)
  await brakes.take([{ budget: 'sign-in-account', who: 'browser b ann' }])
})

test('A1 a password is long, in no dictionary, and not made of the person’s own words', async () => {
  const own = ['ann.okafor', 'Ann Okafor', 'ann@example.org']
  for (const password of [
    'short1!',
    'password1234',
    'qwertyuiop12',
    'aaaaaaaaaaaaaaaa',
    'AnnOkafor2026',
    'seaworthy2026',
    'letmeinletmein',
  ]) {
    await assert.rejects(requireStrongPassword(password, own), { code: 'password_weak' }, password)
  }
  await requireStrongPassword('gravel otter seventeen lamps', own)
  await requireStrongPassword('x7$Kq!v2Lm@9', own)
})
