import assert from 'node:assert/strict'
import { availableParallelism, totalmem } from 'node:os'
import { test } from 'node:test'
import { seededRandom } from '@seaworthy/std/random'
import { updateUnderFire, victims } from './testing/under-fire.ts'

const updatesMin = 200
const agents = 5

test('O1 V1 kill -9 of server, workers, PostgreSQL, fetchers, installers and whole agents during 200 updates', async (t) => {
  const seed = Number(process.env['SEAWORTHY_SEED'] ?? 20_260_911)
  const startMs = performance.now()
  const figures = await updateUnderFire({
    releases: Math.ceil(updatesMin / agents),
    agents,
    random: seededRandom(seed),
    tell: (line) => t.diagnostic(line),
  })
  const seconds = Math.round((performance.now() - startMs) / 1000)
  const machine = `${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GiB`
  t.diagnostic(`seed ${seed}, ${seconds} s, ${machine}: ${JSON.stringify(figures)}`)
  assert.ok(figures.committed + figures.rolledBack >= updatesMin)
  assert.ok(figures.rolledBack <= figures.committed / 10, 'most updates arrive all the same')
  for (const victim of victims) assert.ok(figures.kills[victim] > 0, `${victim} was killed`)
})
