/**
 * Feeds at least 100,000 hostile inputs to the parsers of this package: each is accepted or refused
 * by a code, in bounded memory.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { seededRandom, randomBelow } from '@seaworthy/std/random'
import { Refusal } from '@seaworthy/std/refusal'
import { parseFileList } from './bundle/file-list.ts'
import { emptyDescriptor, encodeManifest, mediaTypes, parseManifest } from './manifests.ts'
import { encodeEntry, endBytes, paddingAfter } from './tar/format.ts'
import { createTarReader, defaultTarLimits } from './tar/read.ts'

const random = seededRandom(20_260_101)

/** A copy with a few bytes changed, a piece cut out, doubled or filled. */
function damage(bytes: Uint8Array): Uint8Array {
  let copy = Buffer.from(bytes)
  for (let changes = 1 + randomBelow(random, 4); changes > 0; changes--) {
    const at = randomBelow(random, copy.length)
    const end = Math.min(copy.length, at + randomBelow(random, 600))
    switch (randomBelow(random, 5)) {
      case 0:
        copy[at] = randomBelow(random, 256)
        break
      case 1:
        copy[at]! ^= 1 << randomBelow(random, 8)
        break
      case 2:
        copy = Buffer.concat([copy.subarray(0, at), copy.subarray(end)])
        break
      case 3:
        copy = Buffer.concat([copy.subarray(0, end), copy.subarray(at)])
        break
      default:
        copy.fill('0', at, Math.min(end, at + 12))
    }
    if (copy.length === 0) return copy
  }
  return copy
}

function requireCoded(parse: () => unknown): void {
  try {
    parse()
  } catch (error) {
    assert.ok(error instanceof Refusal, String(error))
  }
}

const manifest = encodeManifest({
  kind: 'manifest',
  mediaType: mediaTypes.manifest,
  artifactType: 'application/x-test',
  config: { ...emptyDescriptor, data: 'e30=' },
  layers: [emptyDescriptor, emptyDescriptor],
  subject: emptyDescriptor,
  annotations: { one: '1', two: 'zwei ä' },
}).bytes

const fileList = Buffer.from(
  `{"format":"seaworthy-files-v1","entries":[{"path":"a","type":"directory","mode":"0755"},
{"path":"a/b","type":"file","size":3,"mode":"0644","sha256":"${'0'.repeat(64)}"},{"path":"c","type":"symlink","target":"a/b"}]}`,
)

const archive = Buffer.concat([
  encodeEntry({ kind: 'directory', path: 'd' }),
  encodeEntry({ kind: 'file', path: 'd/a', size: 700, isExecutable: true }),
  Buffer.alloc(700 + paddingAfter(700), 0).fill('x', 0, 700),
  encodeEntry({ kind: 'symlink', path: 'd/b', target: 'a' }),
  encodeEntry({ kind: 'file', path: 'ä', size: 0, isExecutable: false }),
  Buffer.alloc(endBytes),
])

function readTar(bytes: Uint8Array): void {
  const reader = createTarReader(
    { makeDirectory() {}, makeSymlink() {}, beginFile() {}, writeFile() {}, endFile() {} },
    defaultTarLimits,
  )
  const cut = 1 + randomBelow(random, 1500)
  for (let at = 0; at < bytes.length; at += cut) void reader.push(bytes.subarray(at, at + cut))
  reader.finish()
}

describe('hostile input, 50,000 cases each', () => {
  const cases: [string, Uint8Array, (bytes: Uint8Array) => unknown][] = [
    ['manifests', manifest, parseManifest],
    ['file lists', fileList, parseFileList],
    ['archives', archive, readTar],
  ]
  for (const [name, good, parse] of cases) {
    it(`${name}: coded refusals alone`, () => {
      parse(good)
      const before = process.memoryUsage().heapUsed
      for (let i = 0; i < 50_000; i++) requireCoded(() => parse(damage(good)))
      const grown = process.memoryUsage().heapUsed - before
      assert.ok(grown < 200e6, `the heap grew by ${grown} bytes`)
    })
  }
})
