import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import { TrustError } from '@seaworthy/std/refusal'
import type { Disk } from '../ports.ts'
import { openState } from './device-state.ts'
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
