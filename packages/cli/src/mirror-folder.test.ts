import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { digestOf } from '@seaworthy/oci/digests'
import { utf8Encode } from '@seaworthy/std/bytes'
import { systemRandom } from '@seaworthy/std/random'
import { openMirrorFolder } from './mirror-folder.ts'

test('T7 attack: content of a mirror that was changed in its length is replaced by a run that reads it', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'seaworthy-mirror-'))
  t.after(() => rm(folder, { recursive: true }))
  const bytes = utf8Encode('what was signed')
  const blob = { digest: digestOf(bytes), size: bytes.length }
  const place = join(folder, 'v2/acme/blobs')
  await mkdir(place, { recursive: true })
  const path = join(place, blob.digest)
  await writeFile(path, 'what was forged')
  const open = async (isRead: boolean) =>
    (await openMirrorFolder(folder, { random: systemRandom, isRead })).content('acme')
  assert.equal(await (await open(false)).hasBlob(blob), true)
  const read = await open(true)
  assert.equal(await read.hasBlob(blob), false)
  await read.putBlob(blob, async function* once() {
    yield bytes
  })
  assert.equal(await readFile(path, 'utf8'), 'what was signed')
  assert.equal(await read.hasBlob(blob), true)
  await rm(path)
  assert.equal(await read.hasBlob(blob), false)
})
