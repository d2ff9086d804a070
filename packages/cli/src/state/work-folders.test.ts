import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemClock } from '@seaworthy/std/time'
import { makeWorkFolder } from './work-folders.ts'

test('what a killed command left behind is swept, and nothing that is used, recent or somebody else’s', async (t) => {
  const parent = mkdtempSync(join(tmpdir(), 'seaworthy-sweep-'))
  const { TMPDIR } = process.env
  process.env['TMPDIR'] = parent
  t.after(() => {
    if (TMPDIR === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = TMPDIR
    rmSync(parent, { recursive: true })
  })
  const gone = spawnSync(process.execPath, ['--version']).pid
  const make = (name: string) => {
    mkdirSync(join(parent, name, 'layout'), { recursive: true })
    writeFileSync(join(parent, name, 'layout', 'blob'), 'x')
    return join(parent, name)
  }
  const left = make(`seaworthy-release-${gone}-abcDEF`)
  const kept = [
    make(`seaworthy-release-${process.pid}-abcDEF`),
    make(`other-release-${gone}-abcDEF`),
    make(`seaworthy-release-${gone}-abcDEF.old`),
    make('somewhere'),
  ]
  symlinkSync(join(parent, 'somewhere'), join(parent, `seaworthy-release-${gone}-linked`))
  const sweep = (minutes: number) =>
    makeWorkFolder('release', {
      clock: {
        ...systemClock,
        now: () => new Date(systemClock.now().getTime() + minutes * 60_000),
      },
    })
  await sweep(9)
  assert.ok(existsSync(left), 'a command in another container may still use it')
  await sweep(11)
  assert.ok(!existsSync(left))
  for (const path of kept) assert.ok(existsSync(path), path)
  assert.ok(lstatSync(join(parent, `seaworthy-release-${gone}-linked`)).isSymbolicLink())
})

test('a work folder is the command’s own, and goes with it', async () => {
  const { folder, remove } = await makeWorkFolder('release', { clock: systemClock })
  assert.match(folder, new RegExp(`/seaworthy-release-${process.pid}-\\w{6}$`))
  assert.equal(lstatSync(folder).mode & 0o777, 0o700)
  await remove()
  assert.ok(!existsSync(folder))
})
