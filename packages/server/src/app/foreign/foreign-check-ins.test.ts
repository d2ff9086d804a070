import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '@seaworthy/std/random'
import { ManualClock } from '@seaworthy/std/time'
import type { Db } from '../../db/connection.ts'
import { createForeignCheckIns } from './foreign-check-ins.ts'
import { slowedPollSeconds } from '../worker/overload.ts'

function start() {
  const clock = new ManualClock(new Date('2030-01-01T00:00:00Z'))
  // A database that answers nobody.
  const db = { writeRows: () => new Promise(() => undefined) } as unknown as Db
  const ports = { clock, sleep: clock.sleep, random: seededRandom(1) }
  const foreignCheckIns = createForeignCheckIns(db, ports, () => undefined)
  const poll = (deviceId: string) =>
    foreignCheckIns.poll({
      deviceId,
      externalId: deviceId,
      protocol: 'ddi',
      gatewayId: null,
      secretSha256: null,
    } as never)
  return { clock, foreignCheckIns, poll }
}

test('O1 foreign devices are slowed down before they are refused, as ours are', async () => {
  const { clock, foreignCheckIns, poll } = start()
  const calm = { slowdown: () => 1 }
  const seconds = () => slowedPollSeconds({ checkIns: calm, foreignCheckIns }, 60)
  assert.equal(seconds(), 60)
  for (let n = 0; n < 100; n++) void poll(`device_${n}`)
  clock.advance(700)
  assert.ok(seconds() > 60 && seconds() < 240, String(seconds()))
  // Either kind of check-in slows down both, because they wait for the same database.
  assert.equal(
    slowedPollSeconds({ checkIns: foreignCheckIns, foreignCheckIns: calm }, 60),
    seconds(),
  )
  clock.advance(301)
  assert.equal(seconds(), 240)
  await assert.rejects(poll('device_late'), { code: 'overloaded' })
})

test('V4 O1 one foreign device’s token does not fill the batches: a fifth poll that would wait is refused', async () => {
  const { poll } = start()
  for (let n = 0; n < 4; n++) void poll('device_greedy')
  await assert.rejects(poll('device_greedy'), { code: 'check_ins_waiting' })
  void poll('device_other')
})
