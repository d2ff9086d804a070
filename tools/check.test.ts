import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { repositoryRoot } from './source-tree.ts'

test('every command of the scripts runs, and one that fails is named and fails the whole', (t) => {
  const root = mkdtempSync(join(tmpdir(), 'seaworthy-check-'))
  t.after(() => rmSync(root, { recursive: true }))
  mkdirSync(join(root, 'tools'))
  for (const name of ['check.ts', 'source-tree.ts', 'source-scan.ts'])
    cpSync(join(repositoryRoot, 'tools', name), join(root, 'tools', name))
  const scripts = { good: 'echo one && echo two', bad: 'false && echo three' }
  writeFileSync(join(root, 'package.json'), JSON.stringify({ type: 'module', scripts }))
  const run = (...names: string[]) =>
    spawnSync(process.execPath, [join(root, 'tools/check.ts'), ...names], { encoding: 'utf8' })
  const good = run('good')
  assert.equal(good.status, 0, good.stderr)
  assert.match(good.stdout, /✔ echo one \([\d.]+ s\)\none\n/)
  assert.match(good.stdout, /✔ echo two \([\d.]+ s\)\ntwo\n/)
  const bad = run('bad', 'good')
  assert.equal(bad.status, 1)
  assert.match(bad.stdout, /✖ false/)
  // The commands after it tell more.
  assert.match(bad.stdout, /✔ echo three/)
  assert.match(bad.stdout, /\nfailed: false\n$/)
  assert.match(run('none').stderr, /package\.json has no script none/)
})
