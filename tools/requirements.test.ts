/** The ids of capabilities in titles of tests are those of docs/REQUIREMENTS.md. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { listFiles, repositoryRoot } from './source-tree.ts'

const readText = (path: string) => readFileSync(`${repositoryRoot}/${path}`, 'utf8')

/** Ids in the first column of the document's tables. */
const listDefined = (text: string) => [...text.matchAll(/^\| ([A-Z]\d+) \|/gm)].map(([, id]) => id!)

/** Ids that a title begins with: `T7 T10 a release …`. */
function listUsed(source: string): string[] {
  const titles = source.matchAll(/\b(?:test|it|describe)\(\s*['"`]((?:[TBDVARO]\d+ )+)/g)
  return [...titles].flatMap(([, ids]) => ids!.trim().split(' '))
}

test('O7 every capability that a title of a test names is defined, once', () => {
  const defined = listDefined(readText('docs/REQUIREMENTS.md'))
  assert.equal(new Set(defined).size, defined.length)
  const files = listFiles().filter(
    (path) => /\.(?:test|suite)\.ts$/.test(path) && path !== 'tools/requirements.test.ts',
  )
  const used = files.flatMap((path) => listUsed(readText(path)).map((id) => ({ id, path })))
  assert.ok(used.length > 300, `saw ${used.length} ids`)
  assert.deepEqual(
    used.filter(({ id }) => !defined.includes(id)),
    [],
  )
  assert.ok(!defined.includes('B99'))
  assert.deepEqual(listUsed("test('T7 B99 a', f)\nit(\n  'B1 b', f)\nit('A grey one', f)"), [
    ...['T7', 'B99', 'B1'],
  ])
})
