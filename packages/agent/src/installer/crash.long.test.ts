import { test } from 'node:test'
import { seededRandom } from '@seaworthy/std/random'
import { updateUnderFire } from '../testing/crashes.ts'

test('O1 200 updates under kill -9 leave a whole release each time and lose no report', async (t) => {
  const seed = Number(process.env['SEAWORTHY_SEED'] ?? Date.now() % 1_000_000)
  t.diagnostic(`SEAWORTHY_SEED=${seed}`)
  t.diagnostic(JSON.stringify(await updateUnderFire(200, seededRandom(seed))))
})
