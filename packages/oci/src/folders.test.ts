import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { makeFolders } from './folders.ts'

test('folders are made with their parents, and where nothing can be made that is said at once', (t) => {
  const root = mkdtempSync(join(tmpdir(), 'seaworthy-folders-'))
  t.after(() => rmSync(root, { recursive: true }))
  assert.equal(makeFolders(join(root, 'a/b/c'), 0o700), join(root, 'a'))
  assert.equal(statSync(join(root, 'a/b')).mode & 0o777, 0o700)
  assert.equal(makeFolders(join(root, 'a/b/c')), undefined)
  assert.equal(makeFolders(join(root, 'a/b/d')), join(root, 'a/b/d'))
  assert.equal(makeFolders('/'), undefined)
  writeFileSync(join(root, 'file'), '')
  for (const [path, code] of [
    // Node's recursive mkdir never ends here.
    ['/proc/foo', 'ENOENT'],
    ['/proc/foo/bar', 'ENOENT'],
    [join(root, 'file'), 'EEXIST'],
    [join(root, 'file/below'), 'ENOTDIR'],
    [join(root, 'x'.repeat(300)), 'ENAMETOOLONG'],
  ] as const) {
    assert.throws(
      () => makeFolders(path),
      (error: NodeJS.ErrnoException) => error.code === code,
      path,
    )
  }
})
