import assert from 'node:assert/strict'
import { test } from 'node:test'
import { listFiles } from './source-tree.ts'
import { aloneFiles, longFiles, orderByLength } from './test-pace.ts'
import { processorMs } from './test-usage.ts'

const listGone = (named: readonly string[], paths: readonly string[]) =>
  named.filter((path) => !paths.includes(path))

test('each file that the order of tests names exists, so that none loses its place by a new name', () => {
  assert.deepEqual(listGone([...Object.keys(longFiles), ...aloneFiles], listFiles()), [])
  assert.deepEqual(listGone(['a.test.ts', 'gone.test.ts'], ['a.test.ts']), ['gone.test.ts'])
})

test('the longest files come first, the others after them in their order', () => {
  const [longest = 'l', second = 's'] = Object.entries(longFiles)
    .toSorted(([, a], [, b]) => b - a)
    .map(([path]) => path)
  assert.deepEqual(orderByLength(['b', second, 'a', longest]), [longest, second, 'b', 'a'])
})

test('processor time is that of a process and of its ended children, whatever its name', () => {
  const stat = `1 (a) b (c) S ${Array.from({ length: 40 }, (_, i) => i + 4).join(' ')}`
  // Fields 14 to 17 of proc_pid_stat(5).
  assert.equal(processorMs(stat), (14 + 15 + 16 + 17) * 10)
})
