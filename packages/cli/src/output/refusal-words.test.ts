import assert from 'node:assert/strict'
import { test } from 'node:test'
import { trustCodes } from '@seaworthy/trust/tuf'
import { describeRefusal } from './refusal-words.ts'

test('D5 each code by which a device refuses has words of its own, and nothing else has any', () => {
  const words = trustCodes.map((code) => describeRefusal(code))
  assert.equal(new Set(words).size, trustCodes.length)
  assert.ok(words.every((text) => text !== undefined && text.length < 80))
  for (const code of ['', 'constructor', '__proto__', 'wrong', 'a_code_of_later']) {
    assert.equal(describeRefusal(code), undefined)
  }
})
