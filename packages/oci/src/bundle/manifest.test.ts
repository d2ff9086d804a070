import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname } from 'node:path'
import { after, test } from 'node:test'
import { Refusal } from '@seaworthy/std/refusal'
import { requireLinearWork } from '@seaworthy/std/testing'
import { checkFolderManifest, parseBundleManifest } from './manifest.ts'

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
