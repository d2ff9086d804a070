import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { lockKeys } from './lock-keys.ts'

test('O1 no two things wait for each other under one advisory lock, and every key is in the list', async () => {
  const keys = Object.values(lockKeys)
  assert.equal(new Set(keys).size, keys.length)
  const names = (await readdir(import.meta.dirname)).filter((name) => name.endsWith('.ts'))
  for (const name of names) {
    const text = await readFile(new URL(name, import.meta.url), 'utf8')
    for (const [call] of text.matchAll(/pg_advisory_xact_lock\([^)]*\)/g)) {
      assert.match(call, /\$\{lockKeys\./, name)
    }
  }
})
