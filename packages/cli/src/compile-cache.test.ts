import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('../bin/seaworthy.mjs', import.meta.url))

function makeHome(t: TestContext): string {
  const home = mkdtempSync(join(tmpdir(), 'seaworthy-home-'))
  t.after(() => rmSync(home, { recursive: true }))
  return home
}

function printVersion(environment: Record<string, string>): void {
  const run = spawnSync(process.execPath, [program, '--version'], {
    encoding: 'utf8',
    env: environment,
  })
  assert.deepEqual([run.status, run.stdout], [0, '0.1.0\n'], run.stderr)
}

test('compiled modules are kept in a folder of the caller, made for nobody else', (t) => {
  const home = makeHome(t)
  printVersion({ HOME: home })
  const folder = join(home, '.cache/seaworthy/compiled')
  assert.equal(statSync(folder).mode & 0o777, 0o700)
  assert.ok(readdirSync(folder).length > 0)
  const other = join(home, 'other')
  printVersion({ HOME: home, XDG_CACHE_HOME: other })
  assert.ok(readdirSync(join(other, 'seaworthy/compiled')).length > 0)
})

test('attack: somebody else lays out the folder of compiled modules, which would be run', (t) => {
  const home = makeHome(t)
  const base = join(home, '.cache')
  const folder = join(base, 'seaworthy/compiled')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  for (const path of [folder, join(base, 'seaworthy'), base]) {
    chmodSync(path, 0o770)
    printVersion({ HOME: home })
    assert.deepEqual(readdirSync(folder), [], `${path} is open to a group`)
    chmodSync(path, 0o700)
  }
  const elsewhere = join(home, 'elsewhere')
  renameSync(join(base, 'seaworthy'), elsewhere)
  symlinkSync(elsewhere, join(base, 'seaworthy'))
  printVersion({ HOME: home })
  assert.deepEqual(readdirSync(join(elsewhere, 'compiled')), [], 'a link leads elsewhere')
  printVersion({ XDG_CACHE_HOME: 'relative' })
  printVersion({ HOME: '/dev/null' })
  assert.ok(!existsSync('relative'))
})
