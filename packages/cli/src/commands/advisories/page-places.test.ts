import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CliError } from '../../failure.ts'
import { placePage } from './page-places.ts'

const places = { folder: '/export', origin: 'https://updates.example.org' }

test('R10 a page is asked of the server and becomes the file that web servers answer with', () => {
  assert.deepEqual(placePage('/advisories/', places), {
    file: '/export/advisories/index.html',
    url: 'https://updates.example.org/advisories/',
  })
  assert.deepEqual(placePage('/.well-known/csaf/index.txt', places), {
    file: '/export/.well-known/csaf/index.txt',
    url: 'https://updates.example.org/.well-known/csaf/index.txt',
  })
})

test('A6 R10 attack: a server names pages that lead the export to another host or out of its folder', () => {
  for (const path of [
    ...['@evil.example/x', '.evil.example/x', ':9/x', '@evil.example', '\\@evil.example'],
    ...['https://evil.example/x', '//evil.example/x', '/../x', '/a/../../x', '', '/a\0b', '/\\x'],
  ]) {
    let placed
    try {
      placed = placePage(path, places)
    } catch (error) {
      assert.ok(error instanceof CliError)
      continue
    }
    assert.equal(new URL(placed.url).origin, places.origin, path)
    assert.ok(placed.file.startsWith('/export/'), path)
  }
})
