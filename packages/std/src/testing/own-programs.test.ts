import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { programAt } from './own-programs.ts'

const source = new URL('../../../server/src/main.ts', import.meta.url)

test('a test starts the program that the runner has built, and the source where there is none', (t) => {
  const shared = mkdtempSync(join(tmpdir(), 'seaworthy-programs-'))
  const before = process.env['SEAWORTHY_TEST_SHARED']
  t.after(() => {
    if (before === undefined) delete process.env['SEAWORTHY_TEST_SHARED']
    else process.env['SEAWORTHY_TEST_SHARED'] = before
    rmSync(shared, { recursive: true })
  })
  delete process.env['SEAWORTHY_TEST_SHARED']
  assert.equal(programAt(source), fileURLToPath(source))
  process.env['SEAWORTHY_TEST_SHARED'] = shared
  assert.equal(programAt(source.href), fileURLToPath(source))
  const built = join(shared, 'programs/packages/server/src/main.ts.mjs')
  mkdirSync(dirname(built), { recursive: true })
  writeFileSync(built, '')
  assert.equal(programAt(source), built)
})
