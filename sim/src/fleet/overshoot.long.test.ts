/**
 * D3 D4: the same as `overshoot.integration.test.ts`, over thousands of interleavings. The seeds
 * are those of the day.
 */
import { after, before, test } from 'node:test'
import type { TestDatabase } from '@seaworthy/server/testing'
import { startTestDatabase } from '@seaworthy/server/testing'
import { systemClock } from '@seaworthy/std/time'
import { runOvershoot } from './overshoot.ts'

let database: TestDatabase

before(async () => {
  database = await startTestDatabase()
})

after(async () => {
  await database.stop()
})

const runsCount = 60
const first = Number(
  process.env['SEAWORTHY_SEED'] ?? Math.floor(systemClock.now().getTime() / 86_400_000) * 1000,
)

for (let seed = first; seed < first + runsCount; seed++) {
  test(`D3 no limit is overshot by five replicas at once: SEAWORTHY_SEED=${seed}`, async (t) => {
    const result = await runOvershoot(database, {
      seed,
      devicesCount: 400,
      stepsCount: 100,
      replicasCount: 5,
      atOnce: 24,
    })
    t.diagnostic(JSON.stringify(result))
  })
}
