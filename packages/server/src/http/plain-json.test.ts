import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findUnstorable } from './plain-json.ts'

test('T10 texts that the database or a signature cannot hold are found wherever they stand', () => {
  for (const bad of ['"a\\u0000"', '"\\ud800"', '"\\udc00\\ud800"']) {
    for (const text of [bad, `{"a":[1,{"b":${bad}}]}`, `{${bad}:1}`, `[[],${bad}]`]) {
      assert.match(findUnstorable(JSON.parse(text))!, /NUL/, text)
    }
  }
})

test('nesting is bounded without a stack of its own', () => {
  const nested = (depth: number): unknown => JSON.parse('['.repeat(depth) + ']'.repeat(depth))
  assert.equal(findUnstorable(nested(64)), undefined)
  assert.match(findUnstorable(nested(65))!, /nested/)
  assert.match(findUnstorable(nested(100_000))!, /nested/)
})

test('everything else passes', () => {
  const value = { a: 'text \u{1F511}', b: [1, null, true, { '': 'é' }], c: '\u0001' }
  assert.equal(findUnstorable(value), undefined)
  assert.equal(findUnstorable(undefined), undefined)
})
