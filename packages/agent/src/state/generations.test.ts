import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { test } from 'node:test'
import fc from 'fast-check'
import { utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import { TrustError } from '@seaworthy/std/refusal'
import { createDisk, syncNothing } from '../device/disk.ts'
import type { Disk } from '../ports.ts'
import { DiskError } from '../ports.ts'
import { openDeviceKey } from './device-key.ts'
import { openState } from './device-state.ts'
import { ensureReceivingKey } from './receiving-key.ts'
import {
  decodeGeneration,
  encodeGeneration,
  readGenerations,
  writeGeneration,
} from './generations.ts'

/** A disk of whole files only: the simulation breaks what `replaceFile` promises. */
function memoryDisk(): Pick<Disk, 'read' | 'create' | 'remove' | 'rename' | 'syncFolder'> & {
  files: Map<string, Uint8Array>
} {
  const files = new Map<string, Uint8Array>()
  return {
    files,
    read: async (path) => files.get(path)?.slice(),
    remove: async (path) => void files.delete(path),
    syncFolder: async () => {},
    async rename(from, to) {
      files.set(to, files.get(from)!)
      files.delete(from)
    },
    async create(path) {
      files.set(path, new Uint8Array())
      return {
        size: 0,
        write: async (bytes) => void files.set(path, bytes.slice()),
        sync: async () => {},
        close: async () => {},
      }
    },
  }
}

const unreadable = (error: unknown) =>
  error instanceof TrustError && error.code === 'state_unreadable'
const read = (disk: ReturnType<typeof memoryDisk>) =>
  readGenerations(disk as unknown as Disk, '/state', 1000)
const write = (disk: ReturnType<typeof memoryDisk>, number: number, text: string) =>
  writeGeneration(disk as unknown as Disk, '/state', number, utf8Encode(text))

test('the newest whole generation counts, and writing never touches it', async () => {
  const disk = memoryDisk()
  assert.equal(await read(disk), undefined)
  await write(disk, 1, 'first')
  const newest = disk.files.get('/state.1')
  await write(disk, 2, 'second')
  assert.equal(disk.files.get('/state.1'), newest)
  const generation = await read(disk)
  assert.deepEqual([generation?.number, utf8Decode(generation!.content)], [2, 'second'])
})

test('T7 truncated state: one lost generation is noticed, two are an error and never a fresh start', async () => {
  const disk = memoryDisk()
  await write(disk, 1, 'first')
  await write(disk, 2, 'second')
  disk.files.set('/state.0', disk.files.get('/state.0')!.subarray(0, 20))
  const generation = await read(disk)
  assert.deepEqual([generation?.number, generation?.otherDamaged], [1, true])
  disk.files.set('/state.1', new Uint8Array())
  await assert.rejects(read(disk), unreadable)
})

test('T7 a device that ran before and has no state at all refuses to start over', async () => {
  const disk = memoryDisk() as unknown as Disk
  await assert.rejects(openState(disk, '/state', false), unreadable)
  assert.equal((await openState(disk, '/state', true)).state.committedCounter, 0)
})

test('a generation survives no change of a single byte', async () => {
  const whole = await encodeGeneration(7, utf8Encode('{"a":1}\n'))
  assert.equal((await decodeGeneration(whole))?.number, 7)
  await fc.assert(
    fc.asyncProperty(
      fc.nat(whole.length - 1),
      fc.integer({ min: 1, max: 255 }),
      async (at, flip) => {
        const altered = whole.slice()
        altered[at]! ^= flip
        assert.equal(await decodeGeneration(altered), undefined)
      },
    ),
  )
  await fc.assert(
    fc.asyncProperty(fc.uint8Array(), async (bytes) => {
      assert.equal(await decodeGeneration(bytes), undefined)
    }),
  )
})

/** What may lie in the place of a file and cannot be read. */
const unreadablePlaces: readonly (readonly [string, (path: string) => void])[] = [
  ['longer than any state', (path) => (writeFileSync(path, ''), truncateSync(path, 400e6))],
  ['a folder', (path) => (mkdirSync(path), writeFileSync(`${path}/file`, 'x'))],
  ['a link', (path) => symlinkSync('elsewhere', path)],
]

for (const [name, make] of unreadablePlaces) {
  test(`T7 fault: a generation in whose place is ${name} is a damaged one, and the next write puts it right`, async (t) => {
    const folder = mkdtempSync(`${tmpdir()}/seaworthy-generations-`)
    t.after(() => rmSync(folder, { recursive: true }))
    const disk = createDisk(syncNothing)
    const path = `${folder}/state`
    const put = (slot: 0 | 1) => {
      rmSync(`${path}.${slot}`, { recursive: true, force: true })
      make(`${path}.${slot}`)
    }
    const readReal = async () => {
      const generation = await readGenerations(disk, path, 1000)
      return [generation?.number, generation?.otherDamaged]
    }
    await writeGeneration(disk, path, 1, utf8Encode('first'))
    await writeGeneration(disk, path, 2, utf8Encode('second'))
    put(1)
    assert.deepEqual(await readReal(), [2, true])
    await writeGeneration(disk, path, 3, utf8Encode('third'))
    assert.deepEqual(await readReal(), [3, false])
    put(1)
    assert.deepEqual(await readReal(), [2, true], 'the last write alone is lost')
    put(0)
    await assert.rejects(readReal(), unreadable)
    await assert.rejects(
      readReal(),
      /state\.0.*restore the file/,
      'it names the file and the way out',
    )
  })

  test(`T7 fault: a key in whose place is ${name} is unreadable state, named with the way out, and never made anew`, async (t) => {
    const folder = mkdtempSync(`${tmpdir()}/seaworthy-keys-`)
    t.after(() => rmSync(folder, { recursive: true }))
    const disk = createDisk(syncNothing)
    make(`${folder}/device.key`)
    make(`${folder}/receiving.key`)
    const open = () => openDeviceKey(disk, `${folder}/device.key`, true)
    const receive = () => ensureReceivingKey(disk, { trust: folder })
    await assert.rejects(open(), unreadable)
    await assert.rejects(open(), /\/device\.key.*restore the file/)
    await assert.rejects(receive(), unreadable)
    await assert.rejects(receive(), /\/receiving\.key.*restore the file/)
  })
}

test('T7 fault: a disk that fails under one generation costs no more than that generation, and another error is none of it', async () => {
  const whole = memoryDisk()
  await write(whole, 1, 'first')
  await write(whole, 2, 'second')
  const failing = (fault: Error, ...paths: string[]) => ({
    ...whole,
    read: async (path: string, max: number) => {
      if (paths.includes(path)) throw fault
      return await whole.read(path, max)
    },
  })
  const broken = new DiskError('failed', '/state.0: EIO')
  const generation = await read(failing(broken, '/state.0'))
  assert.deepEqual([generation?.number, generation?.otherDamaged], [1, true])
  await assert.rejects(read(failing(broken, '/state.0', '/state.1')), unreadable)
  await assert.rejects(read(failing(new RangeError('a bug'), '/state.0')), RangeError)
})

test('T7 fault: an empty device key is named with its file and the way out', async () => {
  const disk = memoryDisk()
  disk.files.set('/trust/device.key', new Uint8Array())
  await assert.rejects(
    openDeviceKey(disk as unknown as Disk, '/trust/device.key', false),
    /^TrustError: \/trust\/device\.key: the device key is damaged\. What runs goes on.*restore the file/,
  )
})
