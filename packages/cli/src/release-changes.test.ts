import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FileEntry } from '@seaworthy/oci/bundle/file-list'
import type { PlatformChange } from './release-changes.ts'
import { describeChanges } from './release-changes.ts'

const file = (path: string, mode: '0644' | '0755', size: number): FileEntry => ({
  ...{ type: 'file', path, size, mode },
  sha256: 'a'.repeat(64),
})

test('T11 attack: a changed executable hidden behind many changed texts is shown, and first', () => {
  const texts = Array.from({ length: 100 }, (_, i) => `aa/${String(i).padStart(3, '0')}.txt`)
  const change: PlatformChange = {
    platform: 'linux/amd64',
    presence: 'kept',
    content: 'files',
    bytesBefore: 1000,
    bytesAfter: 1000,
    added: [],
    removed: [],
    changed: [
      ...texts.map((path) => ({ before: file(path, '0644', 1), after: file(path, '0644', 2) })),
      { before: file('bin/helper', '0755', 10), after: file('bin/helper', '0755', 11) },
    ],
    alerts: [],
    unchecked: [],
    start: undefined,
    parts: [],
  }
  const { lines } = describeChanges([change])
  assert.match(lines[1]!, /~ bin\/helper/)
  assert.match(lines.at(-1)!, /and 41 more \(--all shows them\)/)
  const { lines: all } = describeChanges([change], { all: true })
  assert.equal(all.length, 1 + 101)
})
