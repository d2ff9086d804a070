import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requireLinearWork } from '@seaworthy/std/testing'
import { isAppOf } from './apps.ts'

const table = { get: () => 'ab-1', reload: async () => {} }
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
