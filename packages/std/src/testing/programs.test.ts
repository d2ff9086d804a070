import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { findProgram, lacks, optionalProgramNames } from './programs.ts'

/** Makes a machine whose PATH has only these programs. */
function pretend(t: TestContext, ...programs: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'seaworthy-programs-'))
  for (const name of programs) writeFileSync(join(folder, name), '', { mode: 0o755 })
  const { PATH, SEAWORTHY_TEST_STRICT } = process.env
  t.after(() => {
    process.env['PATH'] = PATH
    if (SEAWORTHY_TEST_STRICT !== undefined)
      process.env['SEAWORTHY_TEST_STRICT'] = SEAWORTHY_TEST_STRICT
    rmSync(folder, { recursive: true })
  })
  process.env['PATH'] = folder
  delete process.env['SEAWORTHY_TEST_STRICT']
  return folder
}

test('podman as Debian installs it, with crun and without runc, is used with crun', (t) => {
  const folder = pretend(t, 'podman', 'crun')
  assert.equal(lacks('podman', 'container runtime'), false)
  assert.equal(findProgram('container runtime'), join(folder, 'crun'))
})

test('podman without any runtime is not enough', (t) => {
  pretend(t, 'podman')
  assert.equal(lacks('podman', 'container runtime'), 'needs container runtime (apt install crun)')
})

test('on a machine without any optional program each need says its name and the way to it', (t) => {
  const folder = pretend(t)
  writeFileSync(join(folder, 'curl'), '')
  chmodSync(join(folder, 'curl'), 0o644)
  for (const program of optionalProgramNames) {
    const missing = lacks(program)
    // A program that is looked for at a fixed path may be installed.
    if (missing === false) continue
    assert.match(missing, new RegExp(`^needs ${program} \\((?:apt install|run) \\S+\\)$`))
  }
  assert.equal(lacks('curl'), 'needs curl (apt install curl)', 'a file that cannot be executed')
})

test('a strict run fails where a program is missing', (t) => {
  pretend(t)
  process.env['SEAWORTHY_TEST_STRICT'] = '1'
  t.after(() => delete process.env['SEAWORTHY_TEST_STRICT'])
  assert.throws(() => lacks('zstd'), /needs zstd \(apt install zstd\)/)
})
