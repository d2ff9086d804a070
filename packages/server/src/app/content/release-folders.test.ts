import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FileEntry } from '@seaworthy/oci/bundle/file-list'
import { pickFolder } from './release-folders.ts'

const file = (path: string, size: number, mode: '0644' | '0755' = '0644'): FileEntry => ({
  ...{ type: 'file', path, size, mode },
  sha256: 'a'.repeat(64),
})
const entries: readonly FileEntry[] = [
  { type: 'directory', path: 'bin', mode: '0755' },
  file('bin/run', 10, '0755'),
  { type: 'symlink', path: 'bin/start', target: 'run' },
  file('lib/deep/a.txt', 5),
  file('lib/deep/b.txt', 7),
  file('library.txt', 1),
]

test('a folder lists what is right below it, and stands for everything that is further below', () => {
  const { entries: top, entriesCount } = pickFolder(entries, '')
  assert.equal(entriesCount, 3)
  assert.deepEqual(
    top.map(({ name, type, bytes, filesCount }) => [name, type, bytes, filesCount]),
    [
      ['bin', 'directory', 10, 2],
      ['lib', 'directory', 12, 2],
      ['library.txt', 'file', 1, 0],
    ],
  )
  const { entries: bin } = pickFolder(entries, 'bin')
  assert.deepEqual(
    bin.map(({ name, isExecutable, target }) => [name, isExecutable, target]),
    [
      ['run', true, null],
      ['start', false, 'run'],
    ],
  )
})

test('a folder that is not there, and a part of a name, have no entries', () => {
  for (const folder of ['li', 'bin/run', 'nowhere', '..', '/']) {
    assert.deepEqual(pickFolder(entries, folder), { entries: [], entriesCount: 0 }, folder)
  }
})
