import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { createSingleflight } from './singleflight.ts'

test('a thousand who ask at once cause two runs', async () => {
  let runs = 0
  const ask = createSingleflight(async () => {
    runs++
    await turn()
    return runs
  })
  const answers = await Promise.all(Array.from({ length: 1000 }, ask))
  assert.deepEqual([answers[0], answers[1], answers[999], runs], [1, 2, 2, 2])
})

test('a run that fails fails for those who share it alone', async () => {
  let runs = 0
  const ask = createSingleflight(async () => {
    const run = ++runs
    await turn()
    if (run === 1) throw new Error('away')
    return run
  })
  const results = await Promise.allSettled([ask(), ask(), ask()])
  assert.deepEqual(
    results.map(({ status }) => status),
    ['rejected', 'fulfilled', 'fulfilled'],
  )
})

test('T4 the answer is never older than the question, and one run is under way at most (property)', async () => {
  const steps = fc.array(fc.constantFrom('ask', 'change', 'turn'), { maxLength: 60 })
  await fc.assert(
    fc.asyncProperty(steps, async (list) => {
      let version = 0
      let underWay = 0
      const ask = createSingleflight(async () => {
        assert.equal(++underWay, 1)
        const seen = version
        await turn()
        underWay--
        return seen
      })
      const asked: Promise<void>[] = []
      for (const step of list) {
        if (step === 'change') version++
        else if (step === 'turn') await turn()
        else {
          const before = version
          asked.push(ask().then((seen) => assert.ok(seen >= before)))
        }
      }
      await Promise.all(asked)
    }),
    { numRuns: 300 },
  )
})
