import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { after, test } from 'node:test'
import { Refusal } from '@seaworthy/std/refusal'
import { checkFolderManifest } from './manifest.ts'

const root = mkdtempSync(`${tmpdir()}/seaworthy-manifest-`)
after(() => rmSync(root, { recursive: true }))
const good = JSON.stringify({
  start: ['./app', '--port', '${PORT}'],
  health: { http: 'http://127.0.0.1:${PORT}/health' },
})
let count = 0
const folderWith = (put: (manifest: string) => void) => {
  const folder = `${root}/${++count}`
  mkdirSync(folder)
  put(`${folder}/seaworthy.json`)
  return folder
}

test('B10 a seaworthy.json that a device can follow is packed, whatever values it will need; none is none', async () => {
  await checkFolderManifest(folderWith((path) => writeFileSync(path, good)))
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
