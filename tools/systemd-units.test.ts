import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { skipWithout } from '../packages/std/src/testing/programs.ts'
import { repositoryRoot } from './source-tree.ts'

const folder = join(repositoryRoot, 'deploy/systemd')
const units = readdirSync(folder).map((name) => ({
  name,
  text: readFileSync(join(folder, name), 'utf8'),
}))

test('O1 each unit stops its program in order, and starts one that is there with no shell or npm in between', () => {
  assert.deepEqual(
    units.map(({ name }) => name),
    ['seaworthy-agent.service', 'seaworthy.service'],
  )
  for (const { name, text } of units) {
    assert.match(text, /^KillMode=mixed$/m, name)
    assert.doesNotMatch(text, /^ExecStart=.*\b(?:npm|npx|sh)\b/m, name)
  }
  const [, launcher = ''] = /^ExecStart=\/opt\/seaworthy\/(\S+) up /m.exec(units[1]!.text) ?? []
  assert.match(readFileSync(join(repositoryRoot, launcher), 'utf8'), /^exec /m)
})

test('O1 systemd finds no fault in the units', (t) => {
  if (skipWithout(t, 'systemd-analyze')) return
  const copies = mkdtempSync(join(tmpdir(), 'seaworthy-units-'))
  t.after(() => rmSync(copies, { recursive: true }))
  for (const { name, text } of units) {
    // The programs are not installed on the machine that tests.
    const copy = join(copies, name)
    writeFileSync(copy, text.replace(/^ExecStart=\S+/m, 'ExecStart=/bin/true'))
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', copy], { encoding: 'utf8' })
    assert.deepEqual([status, stderr], [0, ''], name)
  }
})
