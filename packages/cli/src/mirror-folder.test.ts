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

test('D14 a run that is killed once it has published leaves a folder of which the next run removes nothing', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'seaworthy-mirror-'))
  t.after(() => rm(folder, { recursive: true }))
  const open = () => openMirrorFolder(folder, { random: systemRandom, isRead: false })
  const run = async (name: string, end: 'finish' | 'killed') => {
    const mirror = await open()
    await mirror.putMetadata(utf8Encode(name), `${name}.json`)
    await mirror.note()
    await mirror.putMetadata(utf8Encode(name), 'timestamp.json')
    return end === 'finish' ? mirror.finish() : undefined
  }
  assert.equal(await run('1.targets', 'finish'), 0)
  await run('2.targets', 'killed')
  assert.equal(await run('3.targets', 'finish'), 0, 'a device may be reading what was published')
  assert.equal(await readFile(join(folder, 'tuf/2.targets.json'), 'utf8'), '2.targets')
  assert.equal(await run('4.targets', 'finish'), 2)
})
