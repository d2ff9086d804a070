/** An import that is killed at each of its commits, before and after the database has it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CommitMoment } from '../testing/commit-link.ts'
import type { ExportedServer, ImportPlace } from './killed-imports.fixture.ts'
import { exportServerOf } from './killed-imports.fixture.ts'

/** The place of an import that was killed there; `undefined` where there is no such commit. */
async function importKilled(
  exported: ExportedServer,
  number: number,
  moment: CommitMoment,
): Promise<ImportPlace | undefined> {
  const place = await exported.makePlace(`killed_${number}_${moment}`)
  const running = exported.startImport(place)
  exported.link.strikeAt(number, moment, running.kill)
  const { exitCode, err } = await running.ended
  const isKilled = exported.link.mend()
  assert.equal(exitCode === 0, !isKilled, err)
  return isKilled ? place : undefined
}

test('O4 an import that is killed at any of its commits leaves an empty server, into which the same import goes, or a whole one', async () => {
  const exported = await exportServerOf()
  try {
    const left = { empty: 0, whole: 0 }
    let emptied: ImportPlace | undefined
    for (let number = 1; ; number++) {
      const moments = [
        await importKilled(exported, number, 'before'),
        await importKilled(exported, number, 'after'),
      ]
      for (const place of moments) {
        if (place === undefined) continue
        if (await exported.isEmpty(place)) {
          left.empty++
          emptied = place
          continue
        }
        left.whole++
        const again = await exported.startImport(place).ended
        assert.equal(again.exitCode, 3)
        assert.match(again.err, /an export goes into a new data folder, or an empty database/)
      }
      if (moments.includes(undefined)) break
    }
    assert.ok(left.empty >= 2 && left.whole >= 1, JSON.stringify(left))
    const again = await exported.startImport(emptied!).ended
    assert.equal(again.exitCode, 0, again.err)
    await exported.moveTo(emptied!)
  } finally {
    await exported.stop()
  }
})
