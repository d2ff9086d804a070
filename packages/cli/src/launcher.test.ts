import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const read = (path: string) => readFileSync(join(root, path), 'utf8')

/** A checkout that has only the launcher, and a PATH with what a shell script needs. */
function makeCheckout(t: TestContext) {
  const above = mkdtempSync(join(tmpdir(), 'seaworthy-launcher-'))
  t.after(() => rmSync(above, { recursive: true }))
  const folder = join(above, 'checkout')
  const setRoot = (name: string) =>
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name }, undefined, 2))
  const bin = join(folder, 'packages/cli/bin')
  cpSync(join(root, 'packages/cli/bin'), bin, { recursive: true })
  setRoot((JSON.parse(read('package.json')) as { name: string }).name)
  const path = join(folder, 'path')
  mkdirSync(path)
  for (const name of ['sh', 'dirname', 'readlink', 'uname'])
    symlinkSync(`/usr/bin/${name}`, join(path, name))
  const places = {
    path: 'path/node',
    pinned: `node_modules/node-linux-${process.arch}/bin/node`,
    package: `packages/cli/node_modules/node-linux-${process.arch}/bin/node`,
    between: `packages/node_modules/node-linux-${process.arch}/bin/node`,
    above: `../node_modules/node-linux-${process.arch}/bin/node`,
  } as const
  return {
    setRoot,
    /** Puts a program called `node` there, which prints this text and ends with this code. */
    addNode: (where: keyof typeof places, text: string, exitCode = 0) => {
      const file = join(folder, places[where])
      mkdirSync(dirname(file), { recursive: true })
      const script = `#!/bin/sh\nprintf '%s\\n' '${text}' >&${exitCode === 0 ? 1 : 2}\nexit ${exitCode}\n`
      writeFileSync(file, script, { mode: 0o755 })
      return file
    },
    start: () => {
      const options = { encoding: 'utf8', env: { PATH: path } } as const
      const { status, stdout, stderr } = spawnSync(join(bin, 'seaworthy'), ['whoami'], options)
      return { status, output: stdout + stderr }
    },
  }
}

test('a library that the pinned Node lacks is named with the package that brings it, in one sentence', (t) => {
  const { addNode, start } = makeCheckout(t)
  for (const [library, wayOut] of [
    ['libatomic.so.1', 'install it with `apt-get install libatomic1`'],
    ['libstdc++.so.6', 'install it with `apt-get install libstdc++6`'],
  ]) {
    const text = `node: error while loading shared libraries: ${library}: cannot open shared object file: No such file or directory`
    addNode('pinned', text, 127)
    assert.deepEqual(start(), {
      status: 1,
      output: `seaworthy: start: Node 26 needs the system's library ${library}: ${wayOut}\n`,
    })
  }
  const file = addNode('pinned', 'Exec format error', 126)
  assert.deepEqual(start(), {
    status: 1,
    output: `seaworthy: start: Node at ${file} cannot start: Exec format error\n`,
  })
})

test('without the pinned Node the one on the PATH is used if it is new enough, and named if it is not', (t) => {
  const { addNode, start } = makeCheckout(t)
  assert.deepEqual(start(), {
    status: 1,
    output: 'seaworthy: start: needs Node 26, which `npm ci` in the checkout installs\n',
  })
  const file = addNode('path', 'v24.22.3')
  assert.deepEqual(start(), {
    status: 1,
    output: `seaworthy: start: Node at ${file} is v24.22.3 and too old: \`npm ci\` in the checkout installs Node 26\n`,
  })
  addNode('path', 'v26.0.0')
  assert.deepEqual(start(), { status: 0, output: 'v26.0.0\n' }, 'it runs')
  addNode('pinned', 'v26.10.0')
  assert.deepEqual(start(), { status: 0, output: 'v26.10.0\n' }, 'the pinned one comes first')
})

test('T7 attack: a Node that somebody put into a folder above the checkout, or between its packages, is not run', (t) => {
  const { addNode, setRoot, start } = makeCheckout(t)
  addNode('above', 'of an attacker')
  addNode('between', 'of an attacker')
  addNode('path', 'v26.0.0')
  assert.deepEqual(start(), { status: 0, output: 'v26.0.0\n' })
  // A root of another name is somebody else's, as where the package is installed.
  setRoot('another')
  addNode('pinned', 'of an attacker')
  assert.deepEqual(start(), { status: 0, output: 'v26.0.0\n' })
  addNode('package', 'v26.9.9')
  assert.deepEqual(start(), { status: 0, output: 'v26.9.9\n' })
})

test('there is one minimum for Node: launcher, package.json and README agree', () => {
  const { engines, optionalDependencies } = JSON.parse(read('package.json')) as {
    engines: { node: string }
    optionalDependencies: Record<string, string>
  }
  const majors = Object.values(optionalDependencies).map((version) => version.split('.')[0])
  assert.deepEqual(majors, ['26', '26'])
  assert.match(read('packages/cli/bin/seaworthy-node'), /^nodeMajorMin=26$/m)
  assert.equal(engines.node, '>=20.19')
  assert.match(read('README.md'), /Node\.js ≥ 20\.19 and npm/)
  assert.match(read('README.md'), /`apt-get install libatomic1`/)
})
