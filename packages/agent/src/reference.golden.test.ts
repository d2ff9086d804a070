import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { expectGolden } from '../../../tools/golden.ts'
import { renderReference } from './testing/reference-pages.ts'

test('V1 every code of a device, and every member of its files, is explained in docs/reference', () => {
  const folder = new URL('../../../docs/reference/', import.meta.url)
  const pages = renderReference()
  for (const [name, text] of pages) expectGolden(new URL(name, folder), text)
  // The page about the server's settings is made from their own table.
  const others = readdirSync(folder).filter((name) => name !== 'server-json.md')
  assert.deepEqual(others.toSorted(), [...pages.keys()].toSorted())
})
