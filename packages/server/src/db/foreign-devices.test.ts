import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'

test('D7 A3 fault: whatever changes the row of a foreign device forgets the mark by which polls go unread, since one function does it', () => {
  const folder = new URL('./', import.meta.url)
  const files = readdirSync(folder).filter((name) => /^[a-z-]+\.ts$/.test(name))
  assert.ok(files.includes('foreign-devices.ts'))
  const writers = files.flatMap((name) => {
    const text = readFileSync(new URL(name, folder), 'utf8')
    return [...text.matchAll(/\bupdate\s+foreign_devices\b/g)].map(({ index }) => ({
      name,
      text,
      index,
    }))
  })
  assert.deepEqual(
    writers.map(({ name }) => name),
    ['foreign-devices.ts'],
  )
  const [{ text, index }] = writers as [(typeof writers)[number]]
  const body = text.slice(index, text.indexOf('\n}\n', index))
  assert.match(body, /update device_states set digest = ''/)
})
