import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { silentLog } from '@seaworthy/std/log'
import { seededRandom } from '@seaworthy/std/random'
import { ManualClock, systemSleep } from '@seaworthy/std/time'
import type { Db } from '../../db/connection.ts'
import type { App, CheckInInput } from '../app.ts'
import { TooOftenRefusal } from '../worker/index.ts'
import { createCheckIns } from './check-in-writes.ts'
import { checkIn } from './check-ins.ts'
import { createTestBudgets } from '../../testing/budgets.ts'
import { spendReport } from './report-allowance.ts'

const unheard = { onHeard: () => undefined, onChanged: () => undefined }

test('V4 O1 a fifth check-in of a device that waits for four is refused, and others are stored with them', async () => {
  const clock = new ManualClock(new Date('2030-01-01T00:00:00Z'))
  let isUp = false
  const db = {
    async writeRows() {
      if (!isUp) throw new Error('gone')
      return []
    },
    async write() {
      throw new Error('gone')
    },
  } as unknown as Db
  const observer = {
    arrive: () => ({ span: undefined }),
    watchQueue: () => undefined,
    batch: <T>(_arrivals: readonly unknown[], work: () => Promise<T>) => work(),
  }
  const ports = { clock, sleep: systemSleep, random: seededRandom(1), log: silentLog }
  const [budgets] = createTestBudgets(clock)
  const checkIns = createCheckIns(db, observer, { ...ports, budgets }, unheard)
  const submit = (device: string) => {
    const report = { at: '2030-01-01T00:00:00Z', timestampVerifiedAt: null } as never
    const checkIn: CheckInInput['checkIn'] = { device, report, digest: 'x' }
    return checkIns.submit({ checkIn, signed: undefined })
  }
  const refused = (error: unknown) =>
    error instanceof TooOftenRefusal && error.code === 'check_ins_waiting'
  const waiting = Array.from({ length: 4 }, () => submit('device_a'))
  await assert.rejects(submit('device_a'), refused)
  const other = submit('device_b')
  for (const one of await Promise.allSettled([...waiting, other])) {
    assert.equal(one.status === 'rejected' && String(one.reason), 'Error: gone')
  }
  // The calls were answered, if only by an error, so their places are free again.
  isUp = true
  const again = Array.from({ length: 4 }, () => submit('device_a'))
  await assert.rejects(submit('device_a'), refused)
  await Promise.allSettled(again)
})

test('O1 attack: signed reports without end of one device are refused by name and with a time, and nothing is stored', async () => {
  const clock = new ManualClock(new Date('2030-01-01T00:00:00Z'))
  let stored = 0
  const db = {
    async write() {
      stored++
      throw new Error('gone')
    },
  } as unknown as Db
  const observer = {
    arrive: () => ({ span: undefined }),
    watchQueue: () => undefined,
    batch: <T>(_arrivals: readonly unknown[], work: () => Promise<T>) => work(),
  }
  const ports = { clock, sleep: async () => undefined, random: seededRandom(1), log: silentLog }
  const [budgets] = createTestBudgets(clock)
  const checkIns = createCheckIns(db, observer, { ...ports, budgets }, unheard)
  const submit = async (device: string) => {
    const report = { at: '2030-01-01T00:00:00Z', timestampVerifiedAt: null } as never
    const checkIn: CheckInInput['checkIn'] = { device, report, digest: 'x' }
    checkIns.admit(device, true)
    await checkIns.submit({ checkIn, signed: {} as never })
  }
  for (let i = 0; i < 512; i++) await assert.rejects(submit('device_a'), /gone/)
  assert.equal(stored, 512)
  const refused = (error: unknown) =>
    error instanceof TooOftenRefusal &&
    error.code === 'reports_too_often' &&
    error.retryAfterSeconds === 10
  await assert.rejects(submit('device_a'), refused)
  assert.equal(stored, 512)
  await assert.rejects(submit('device_b'), /gone/)
  checkIns.admit('device_a', false)
  clock.advance(10_000)
  await assert.rejects(submit('device_a'), /gone/)
  await assert.rejects(submit('device_a'), refused)
})

test('O1 D5 attack: unsigned reports without end that each say something else are refused by name, and those that repeat what is known are not', async () => {
  const clock = new ManualClock(new Date('2030-01-01T00:00:00Z'))
  const known = { fleet: 'shops', hardware: null, tags: {}, updates: [] }
  let isKnown = false
  let written = 0
  const db = {
    async writeRows() {
      return [isKnown ? known : undefined]
    },
    async write() {
      written++
      throw new Error('gone')
    },
  } as unknown as Db
  const observer = {
    arrive: () => ({ span: undefined }),
    watchQueue: () => undefined,
    batch: <T>(_arrivals: readonly unknown[], work: () => Promise<T>) => work(),
  }
  const ports = { clock, sleep: async () => undefined, random: seededRandom(1), log: silentLog }
  const [budgets] = createTestBudgets(clock)
  const checkIns = createCheckIns(db, observer, { ...ports, budgets }, unheard)
  const submit = async (device: string) => {
    const report = { at: '2030-01-01T00:00:00Z', timestampVerifiedAt: null } as never
    const checkIn: CheckInInput['checkIn'] = { device, report, digest: 'x' }
    checkIns.admit(device, false)
    return checkIns.submit({ checkIn, signed: undefined })
  }
  for (let i = 0; i < 512; i++) await assert.rejects(submit('device_a'), /gone/)
  const refused = (error: unknown) =>
    error instanceof TooOftenRefusal && error.code === 'reports_too_often'
  await assert.rejects(submit('device_a'), refused)
  assert.equal(written, 512)
  // What the device signs is taken all the same, and what repeats what it said before.
  checkIns.admit('device_a', true)
  isKnown = true
  for (let i = 0; i < 600; i++) assert.equal((await submit('device_a')).kind, 'stored')
  isKnown = false
  await assert.rejects(submit('device_b'), /gone/)
  clock.advance(10_000)
  await assert.rejects(submit('device_a'), /gone/)
  await assert.rejects(submit('device_a'), refused)
})

test('O1 a device that was away comes back with all that its outbox holds, twice in an hour, and none of it is refused (property)', async () => {
  // The agent keeps at most this many.
  const outboxMax = 128
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ count: fc.integer({ min: 1, max: outboxMax }), rest: fc.nat(3600) }), {
        maxLength: 50,
      }),
      async (visits) => {
        const clock = new ManualClock(new Date('2030-01-01T00:00:00Z'))
        const [budgets] = createTestBudgets(clock, 128)
        for (const { count, rest } of visits) {
          for (let i = 0; i < count; i++) await spendReport({ budgets }, 'signed', 'device_a')
          clock.advance((1800 + rest) * 1000)
        }
      },
    ),
  )
})

test('A9 attack: one device’s key checks in without end: it is told when to come again, nothing of it is looked at, and others are not told to wait', async () => {
  const clock = new ManualClock(new Date('2030-01-01T00:00:00Z'))
  const workers = createTestBudgets(clock, 3)
  let admitted = 0
  const ask = (device: string, worker: number) => {
    const checkIns = {
      admit() {
        admitted++
        throw new Error('gone')
      },
    }
    const app = { budgets: workers[worker % 3]!, checkIns } as unknown as App
    return checkIn(app, device, { report: {} as never }, clock.now())
  }
  for (let n = 0; n < 3000; n++) await assert.rejects(ask('device_a', n), /gone/)
  for (let n = 0; n < 100; n++) {
    await assert.rejects(
      ask('device_a', n),
      (error) =>
        error instanceof TooOftenRefusal &&
        error.code === 'check_ins_too_often' &&
        error.retryAfterSeconds === 1,
    )
  }
  assert.equal(admitted, 3000)
  await assert.rejects(ask('device_b', 0), /gone/)
})
