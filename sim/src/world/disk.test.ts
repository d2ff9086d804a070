import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8Encode } from '@seaworthy/std/bytes'
import { seededRandom } from '@seaworthy/std/random'
import type { SimDisk } from './disk.ts'
import { createSimDisk } from './disk.ts'

async function writeFile(disk: SimDisk, path: string, text: string, isSynced: boolean) {
  const writer = await disk.create(path, { mode: 0o600, durable: false })
  await writer.write(utf8Encode(text))
  if (isSynced) await writer.sync()
  await writer.close()
}

async function readText(disk: SimDisk, path: string): Promise<string | undefined> {
  const bytes = await disk.read(path, 100_000)
  return bytes && new TextDecoder().decode(bytes)
}

async function withFolder(): Promise<SimDisk> {
  const disk = createSimDisk()
  await disk.makeFolder('/a', 0o755)
  await disk.syncFolder('/')
  return disk
}

test('a name that was not synced is lost, whatever its content', async () => {
  const disk = await withFolder()
  await writeFile(disk, '/a/f', 'text', true)
  assert.equal(await readText(disk.afterPowerCut('nothing'), '/a/f'), undefined)
  assert.equal(await readText(disk.afterPowerCut('everything'), '/a/f'), 'text')
})

test('content that was not synced is lost under a name that was', async () => {
  const disk = await withFolder()
  await writeFile(disk, '/a/f', 'text', false)
  await disk.syncFolder('/a')
  assert.equal(await readText(disk.afterPowerCut('nothing'), '/a/f'), '')
})

test('what was synced survives every cut', async () => {
  const disk = await withFolder()
  await writeFile(disk, '/a/f', 'text', true)
  await disk.syncFolder('/a')
  await writeFile(disk, '/a/g', 'more', false)
  for (let seed = 0; seed < 50; seed++) {
    const after = disk.afterPowerCut({ random: seededRandom(seed) })
    assert.equal(await readText(after, '/a/f'), 'text')
  }
})

test('a rename happens whole or not at all', async () => {
  const disk = await withFolder()
  await writeFile(disk, '/a/f', 'old', true)
  await writeFile(disk, '/a/f.new', 'new', true)
  await disk.syncFolder('/a')
  await disk.rename('/a/f.new', '/a/f')
  const seen = new Set<string>()
  for (let seed = 0; seed < 50; seed++) {
    const after = disk.afterPowerCut({ random: seededRandom(seed) })
    seen.add(`${await readText(after, '/a/f')} ${await readText(after, '/a/f.new')}`)
  }
  assert.deepEqual([...seen].toSorted(), ['new undefined', 'old new'])
})

test('content is torn at sectors, and a lost sector within holds zeros', async () => {
  const disk = await withFolder()
  await writeFile(disk, '/a/f', 'x'.repeat(2000), false)
  await disk.syncFolder('/a')
  const lengths = new Set<number>()
  let holes = 0
  for (let seed = 0; seed < 100; seed++) {
    const after = disk.afterPowerCut({ random: seededRandom(seed) })
    const text = (await readText(after, '/a/f'))!
    lengths.add(text.length)
    if (text.includes('\0')) holes++
  }
  assert.deepEqual(
    [...lengths].toSorted((a, b) => a - b),
    [0, 512, 1024, 1536, 2000],
  )
  assert.ok(holes > 0)
})

test('nothing returns from a disk whose power is gone', async () => {
  const disk = await withFolder()
  disk.onWrite = () => disk.halt()
  const outcome = await Promise.race([
    writeFile(disk, '/a/f', 'text', true).then(() => 'returned'),
    new Promise((resolve) => {
      setImmediate(() => resolve('silent'))
    }),
  ])
  assert.equal(outcome, 'silent')
})

test('a full disk takes what fits and says no_space', async () => {
  const disk = await withFolder()
  disk.faults.capacityBytes = 3
  await assert.rejects(writeFile(disk, '/a/f', 'text', true), { code: 'no_space' })
  assert.equal(await readText(disk, '/a/f'), 'tex')
})

test('a disk that lies loses what it said was durable', async () => {
  const disk = await withFolder()
  disk.faults.isLying = true
  await writeFile(disk, '/a/f', 'text', true)
  await disk.syncFolder('/a')
  assert.equal(await readText(disk.afterPowerCut('nothing'), '/a/f'), undefined)
})
