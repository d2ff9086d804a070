/**
 * D3 D4: limits hold exactly, whatever replicas, clocks and connections do. `SEAWORTHY_SEED=N` runs
 * one seed again.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { TestDatabase } from '@seaworthy/server/testing'
import { startTestDatabase } from '@seaworthy/server/testing'
import { runOvershoot } from './overshoot.ts'

let database: TestDatabase

before(async () => {
  database = await startTestDatabase()
})

after(async () => {
  await database.stop()
})

const seeds = process.env['SEAWORTHY_SEED']?.split(',').map(Number) ?? [1, 2, 3, 4, 5, 6]

let offersCount = 0

for (const seed of seeds) {
  test(`D3 no limit is overshot by three replicas at once: SEAWORTHY_SEED=${seed}`, async (t) => {
    const result = await runOvershoot(database, {
      seed,
      devicesCount: 120,
      stepsCount: 50,
      replicasCount: 3,
      atOnce: 12,
    })
    offersCount += result.offersCount
    t.diagnostic(JSON.stringify(result))
  })
}

test('D3 there were offers enough for a limit to be overshot', () => {
  assert.ok(offersCount >= 10 * seeds.length, `${offersCount} offers`)
})
