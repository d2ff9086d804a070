import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { tableChoices } from './exported-tables.ts'

const golden = readFileSync(new URL('./schema.golden.sql', import.meta.url), 'utf8')

test('O4 every column of the database is in an export, or named as left out with the reason', () => {
  const columns = [...golden.matchAll(/^([a-z_]+)\.([a-z0-9_]+) /gm)]
  assert.ok(columns.length > 400)
  const tables = [...new Set(columns.map(([, table]) => table!))]
  assert.deepEqual(Object.keys(tableChoices).toSorted(), tables.toSorted())
  const present = columns
    .filter(([, table]) => !('leftOut' in tableChoices[table!]!))
    .map(([, table, column]) => `${table}.${column}`)
  const chosen = Object.entries(tableChoices).flatMap(([table, choice]) =>
    'leftOut' in choice
      ? []
      : [choice.plain, choice.hashes ?? '', choice.sealed ?? '']
          .flatMap((names) => names.split(' ').filter(Boolean))
          .map((column) => `${table}.${column}`),
  )
  assert.deepEqual(chosen.toSorted(), present.toSorted())
})

test('O4 no column whose name says that it holds a secret is exported as it is', () => {
  const secret = /secret|sealed|hash$|salt|code_sha256|holder_copy|password|private/
  for (const [table, choice] of Object.entries(tableChoices)) {
    if ('leftOut' in choice) continue
    const names = choice.plain.split(' ').filter((column) => secret.test(column))
    // The dates and authors of what was sealed say nothing of it.
    assert.deepEqual(
      names.filter((name) => !/^sealed_(?:at|by)$/.test(name)),
      [],
      table,
    )
  }
})
