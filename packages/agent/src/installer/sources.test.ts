import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sourceOrder } from './sources.ts'

test('metadata is asked of the server first, content of mirrors first', () => {
  const sources = [
    { url: 'https://server', isServer: true },
    { url: 'https://a', isServer: false },
    { url: 'https://b', isServer: false },
  ]
  assert.deepEqual(sourceOrder(sources, 'metadata'), [0, 1, 2])
  assert.deepEqual(sourceOrder(sources, 'content'), [1, 2, 0])
})
