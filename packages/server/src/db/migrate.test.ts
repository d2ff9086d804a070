import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readMigrations } from './migrate.ts'

/** Filled when a version is released: from then on its migrations never change. */
const released: Readonly<Record<string, string>> = {}

test('migrations are numbered without gaps, and released ones are as they were', async () => {
  const migrations = await readMigrations()
  assert.ok(migrations.length > 0)
  for (const [name, sha256] of Object.entries(released)) {
    assert.equal(migrations.find((migration) => migration.name === name)?.sha256, sha256)
  }
})
