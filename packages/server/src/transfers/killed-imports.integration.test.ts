/** `--database-url` for exports and imports, and an import that is killed among its tables. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { allowPauses } from '../db/connection.ts'
import { exportServerOf } from './killed-imports.fixture.ts'

test('O4 an import by --database-url that is killed midway leaves an empty server, into which the same import goes, and nothing goes into it twice', async () => {
  const exported = await exportServerOf()
  try {
    const place = await exported.makePlace('moved')
    const db = exported.openDatabase(place)
    // The import waits at its last table, so that it is killed within its transaction.
    await db.write(async (tx) => {
      await allowPauses(tx)
      await tx.sql`lock table tuf_metadata in share mode`
      const killed = exported.startImport(place)
      await killed.said(/^table tokens/m)
      killed.kill()
      const { exitCode, err } = await killed.ended
      assert.equal(exitCode, null, err)
    })
    await db.close()
    assert.ok(await exported.isEmpty(place))
    const imported = await exported.startImport(place).ended
    assert.equal(imported.exitCode, 0, imported.err)
    assert.equal(await exported.isEmpty(place), false)
    const again = await exported.startImport(place).ended
    assert.equal(again.exitCode, 3)
    assert.match(again.err, /an export goes into a new data folder, or an empty database/)
    await exported.moveTo(place)
  } finally {
    await exported.stop()
  }
})
