import { test } from 'node:test'
import { seededRandom } from '@seaworthy/std/random'
import { updateUnderFire } from '../testing/crashes.ts'

test('O1 kill -9 of installer, fetcher, application or all at random moments leaves a whole release and loses no report', async (t) => {
  const seed = Number(process.env['SEAWORTHY_SEED'] ?? Date.now() % 1_000_000)
  t.diagnostic(`SEAWORTHY_SEED=${seed}`)
  t.diagnostic(JSON.stringify(await updateUnderFire(6, seededRandom(seed))))
})
