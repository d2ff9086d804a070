import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silentLog } from '@seaworthy/std/log'
import { hourMs, ManualClock, secondMs } from '@seaworthy/std/time'
import type { Db } from '../../db/connection.ts'
import { followDatabaseClock } from './database-clock.ts'

/** A database whose clock is six hours ahead of ours, and whose answers take their time. */
function start() {
  const own = new ManualClock(new Date('2030-01-01T00:00:00Z'))
  const world = { aheadMs: 6 * hourMs, thereMs: 0, backMs: 0 }
  const truth = () => own.now().getTime() + world.aheadMs
  const sql = () => {
    own.advance(world.thereMs)
    const answer = [{ now: new Date(truth()) }]
    own.advance(world.backMs)
    return Promise.resolve(answer)
  }
  const db = { reader: { sql } } as unknown as Db
  const told: unknown[] = []
  const log = { ...silentLog, warn: (_: string, facts: object = {}) => void told.push(facts) }
  const follow = () => followDatabaseClock(db, { clock: own, log })
  return { own, world, truth, follow, told }
}

test('D3 fault: the clock of a replica is hours behind, and its worker has the time of the database', async () => {
  const { own, truth, follow, told } = start()
  const clock = await follow()
  assert.equal(clock.now().getTime(), truth())
  own.advance(90 * secondMs)
  assert.equal(clock.now().getTime(), truth())
  // Somebody sets the clock of the machine: the worker does not notice.
  own.jumpTo(new Date('2031-01-01T00:00:00Z'))
  assert.equal(clock.now().getTime(), new Date('2030-01-01T06:01:30Z').getTime())
  assert.deepEqual(
    told.map((facts) => (facts as { aheadSeconds: number }).aheadSeconds),
    [-6 * 3600],
  )
})

test('D3 an answer that takes long moves the time of a worker by no more than what it says for sure', async () => {
  const { world, truth, follow } = start()
  const clock = await follow()
  Object.assign(world, { thereMs: 20, backMs: 9000 })
  await clock.compare()
  assert.equal(clock.now().getTime(), truth(), 'the estimate was right, and is kept')
  // The clock of the database is set back, as when another machine takes over.
  world.aheadMs -= hourMs
  await clock.compare()
  assert.ok(Math.abs(clock.now().getTime() - truth()) <= 9020)
  Object.assign(world, { thereMs: 1, backMs: 1 })
  await clock.compare()
  assert.ok(Math.abs(clock.now().getTime() - truth()) <= 2)
})
