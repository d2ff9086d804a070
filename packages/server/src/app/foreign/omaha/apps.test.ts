import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requireLinearWork } from '@seaworthy/std/testing'
import { createOmahaAppTable, isAppOf } from './apps.ts'

const table = { get: () => 'ab-1' }
const isKnown = (spelling: string) => isAppOf(table, 'acme', spelling)

test('D6 an app id is the same with and without braces, in any case', () => {
  for (const spelling of ['{AB-1}', ' {ab-1} ', 'ab-1', '{ab-1', '{ { ab-1 } }', '{acme}']) {
    assert.ok(isKnown(spelling), spelling)
  }
  for (const spelling of ['}ab-1{', 'ab-1x', ' {}} ', '']) assert.ok(!isKnown(spelling), spelling)
})

test('D6 attack: no app id that one device sends takes a worker more than time linear in its length', () => {
  const plain = '}'.repeat(64_000)
  for (const frame of ['}', '{', ' ', '} ']) {
    const text = `x${frame.repeat(64_000 / frame.length)}x`
    requireLinearWork(
      `an app id with many ${frame}`,
      () => isKnown(plain),
      () => isKnown(text),
    )
  }
})

test('O1 what a worker has in memory is not set back by a reading that began earlier and ends later', async () => {
  // The database answers the second question before the first one.
  const answers = [Promise.withResolvers<unknown>(), Promise.withResolvers<unknown>()]
  let questionsCount = 0
  const sql = () => answers[questionsCount++]!.promise
  // The table only reads, by this one function.
  const table = createOmahaAppTable({ reader: { sql } } as never)
  const readings = [table.reload(), table.reload()]
  answers[1]!.resolve([{ product: 'gateway', appId: 'new' }])
  await Promise.race([readings[1], new Promise((resolve) => setImmediate(resolve))])
  answers[0]!.resolve([{ product: 'gateway', appId: 'old' }])
  await Promise.all(readings)
  assert.equal(questionsCount, 2, 'who asks while one goes on gets a reading that begins later')
  assert.equal(table.get('gateway'), 'new')
})
