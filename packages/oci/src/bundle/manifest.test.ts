import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname } from 'node:path'
import { after, test } from 'node:test'
import { Refusal } from '@seaworthy/std/refusal'
import { requireLinearWork } from '@seaworthy/std/testing'
import type { FileEntry } from './file-list.ts'
import { checkFolderManifest, parseBundleManifest, requireRunnableEntries } from './manifest.ts'

const root = mkdtempSync(`${tmpdir()}/seaworthy-manifest-`)
after(() => rmSync(root, { recursive: true }))
const good = JSON.stringify({
  start: ['./app', '--port', '${PORT}'],
  health: { http: 'http://127.0.0.1:${PORT}/health' },
})
const putGood = (path: string) => {
  writeFileSync(path, good)
  writeFileSync(`${dirname(path)}/app`, '', { mode: 0o755 })
}
let count = 0
const folderWith = (put: (manifest: string) => void) => {
  const folder = `${root}/${++count}`
  mkdirSync(folder)
  put(`${folder}/seaworthy.json`)
  return folder
}

test('B10 a seaworthy.json that a device can follow is packed, whatever values it will need; none is none', async () => {
  await checkFolderManifest(folderWith(putGood))
  await checkFolderManifest(folderWith(() => {}))
})

for (const [name, put] of [
  ['a link', (path: string) => symlinkSync('elsewhere.json', path)],
  ['a folder', (path: string) => mkdirSync(path)],
  ['too long', (path: string) => writeFileSync(path, good + ' '.repeat(70_000))],
  ['no JSON', (path: string) => writeFileSync(path, 'start: ./app')],
  ['without a program', (path: string) => writeFileSync(path, '{}')],
] as const) {
  test(`B10 a seaworthy.json that is ${name} is refused before it is packed, as every device would`, async () => {
    await assert.rejects(
      checkFolderManifest(folderWith(put)),
      (error) => error instanceof Refusal && error.code === 'bundle_manifest_malformed',
    )
  })
}

for (const [name, manifest, sentence] of [
  ['is not there', { start: ['./bin/run'] }, /start: the bundle has no \.\/bin\/run/],
  ['is not executable', { start: ['./plain'] }, /\.\/plain is not executable \(chmod \+x\)/],
  ['is a folder', { start: ['./folder'] }, /\.\/folder is no file of the bundle/],
  ['lies elsewhere', { start: ['./out'] }, /\.\/out is no file of the bundle/],
  ['has no script', { start: ['/bin/sh', './gone.sh'] }, /start: the bundle has no \.\/gone\.sh/],
  [
    'has no probe',
    { start: ['./app'], health: { exec: ['bin/probe'] } },
    /health\.exec: the bundle has no bin\/probe/,
  ],
] as const) {
  test(`B10 a bundle whose start ${name} is refused before it is packed: it would end at once on every device`, async () => {
    const folder = folderWith((path) => {
      putGood(path)
      writeFileSync(path, JSON.stringify(manifest))
      writeFileSync(`${dirname(path)}/plain`, '', { mode: 0o644 })
      mkdirSync(`${dirname(path)}/folder`)
      symlinkSync('/bin/sh', `${dirname(path)}/out`)
    })
    await assert.rejects(checkFolderManifest(folder), sentence)
  })
}

for (const [name, manifest, sentence] of [
  [
    'helth',
    { start: ['./app'], helth: {} },
    /the file: unknown member "helth"; did you mean "health"\?/,
  ],
  [
    'url',
    { start: ['./app'], health: { url: 'x' } },
    /health: unknown member "url"; known are http, exec, windowSeconds/,
  ],
  [
    'cpu',
    { start: ['./app'], sandbox: { cpu: 1 } },
    /sandbox: unknown member "cpu"; none is known here/,
  ],
] as const) {
  test(`B10 the unknown member ${name} of a seaworthy.json is refused, and what is known is said`, () => {
    assert.throws(
      () => parseBundleManifest(Buffer.from(JSON.stringify(manifest)), undefined),
      sentence,
    )
  })
}

test('B10 a bundle that was packed elsewhere is refused when what it starts is missing or cannot be executed', () => {
  const file = (path: string, mode: '0644' | '0755') =>
    [path, { type: 'file', path, size: 1, mode, sha256: '0'.repeat(64) }] as const
  const entries = new Map<string, FileEntry>([
    file('bin/app', '0755'),
    file('bin/plain', '0644'),
    ['bin', { type: 'directory', path: 'bin', mode: '0755' }],
    ['lib', { type: 'symlink', path: 'lib', target: 'bin' }],
  ])
  const check = (...start: string[]) =>
    requireRunnableEntries(Buffer.from(JSON.stringify({ start })), entries)
  for (const program of ['./bin/app', './bin/../bin/app', './lib/gone', '/bin/sh', 'sh']) {
    check(program)
  }
  check('sh', './bin/plain')
  assert.throws(() => check('./app'), /start: the bundle has no \.\/app/)
  assert.throws(() => check('./bin'), /\.\/bin is no file of the bundle/)
  assert.throws(() => check('./bin/plain'), /\.\/bin\/plain is not executable/)
  assert.throws(() => check('sh', './gone.sh'), /the bundle has no \.\/gone\.sh/)
})

test('B10 what only the device has is not looked for in the bundle: interpreters, its own programs, its own values', async () => {
  for (const start of [
    ['sh', './plain'],
    ['node', '--enable-source-maps', './made-later.mjs'],
    ['/opt/vendor/program'],
    ['./${ARCHITECTURE}/app'],
    ['printenv'],
    ['./link'],
  ]) {
    const folder = folderWith((path) => {
      putGood(path)
      writeFileSync(path, JSON.stringify({ start }))
      writeFileSync(`${dirname(path)}/plain`, '', { mode: 0o644 })
      symlinkSync('app', `${dirname(path)}/link`)
    })
    await checkFolderManifest(folder)
  }
})

test('T11 attack: a builder’s text of placeholders that never end takes time linear in its length', () => {
  const manifest = (text: string) =>
    new TextEncoder().encode(
      JSON.stringify({ start: ['./app'], health: { http: `http://localhost/${text}` } }),
    )
  const [plain, hostile] = [manifest('${A}'.repeat(15_000)), manifest('${'.repeat(30_000))]
  requireLinearWork(
    'many ${ without an end',
    () => parseBundleManifest(plain, undefined),
    () => parseBundleManifest(hostile, undefined),
  )
})
