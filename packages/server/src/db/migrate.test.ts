import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { test } from 'node:test'

/** Filled when a version is released: from then on its migrations never change. */
const released: Readonly<Record<string, string>> = {}

test('migrations are numbered without gaps, and released ones are as they were', async () => {
  const folder = new URL('./migrations/', import.meta.url)
  const names = (await readdir(folder)).toSorted()
  assert.ok(names.length > 0)
  for (const [i, name] of names.entries()) {
    assert.match(name, new RegExp(`^${String(i + 1).padStart(4, '0')}-[a-z0-9-]+\\.sql$`))
  }
  for (const [name, sha256] of Object.entries(released)) {
    const bytes = await readFile(new URL(name, folder))
    assert.equal(createHash('sha256').update(bytes).digest('hex'), sha256)
  }
})
