import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import { describe, it } from 'node:test'
import { constants, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { Refusal, TrustError } from '@seaworthy/std/refusal'
import { craftLayer } from '../crafted-release.ts'
import type { ExpectedContent } from '../digests.ts'
import { digestOf, readVerified, verifyStream } from '../digests.ts'
import { encodeEntry, endBytes, paddingAfter } from '../tar/format.ts'
import type { TarSink } from '../tar/read.ts'
import { createFrameScanner } from './frame.ts'
import { unpackBundle } from './unpack.ts'

const honest = craftLayer([{ path: 'bin/app', content: 'honest', isExecutable: true }]).layer
const expect = (bytes: Uint8Array): ExpectedContent => ({
  digest: digestOf(bytes),
  size: bytes.length,
})
const hasCode =
  (code: string, kind: typeof Refusal | typeof TrustError = Refusal) =>
  (error: unknown) => {
    assert.ok(error instanceof kind, String(error))
    assert.equal(error.code, code)
    return true
  }

/** Pieces that come one by one, each a while after the one before: turns are counted, not time. */
async function* arriving(pieces: readonly Uint8Array[], turns = 0, onEnd?: () => void) {
  for (const piece of pieces) {
    yield piece
    for (let i = 0; i < turns; i++) await turn()
  }
  onEnd?.()
}

function cut(bytes: Uint8Array, at: readonly number[]): Uint8Array[] {
  const ends = [...at.map((one) => one % (bytes.length + 1)), bytes.length].toSorted(
    (a, b) => a - b,
  )
  return ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end))
}

function unpack(source: AsyncIterable<Uint8Array>, expected: ExpectedContent) {
  const paths: string[] = []
  const sink: TarSink = {
    makeDirectory: (path) => void paths.push(path),
    makeSymlink: (path) => void paths.push(path),
    beginFile: (path) => void paths.push(path),
    writeFile() {},
    endFile() {},
  }
  return unpackBundle({ source, expected, sink }).then((summary) => ({ ...summary, paths }))
}

/** A bundle that does not compress, so that its frame has many blocks. */
function makeTar(): Buffer {
  const content = randomBytes(200_000)
  const entry = { kind: 'file', path: 'noise', size: content.length, isExecutable: false } as const
  const padding = Buffer.alloc(paddingAfter(content.length) + endBytes)
  return Buffer.concat([encodeEntry(entry), content, padding])
}

describe('unpackBundle', () => {
  it('T11 attack: an honest frame, a byte behind it and anything up to the length is not the content of another digest', async () => {
    const expected = { digest: digestOf(Buffer.from('the layer that is signed')), size: 10_000 }
    const lure = Buffer.concat([honest, Buffer.from('x')])
    const rest = Buffer.alloc(expected.size - lure.length)
    for (const turns of [0, 1, 500]) {
      await assert.rejects(
        unpack(arriving([lure, rest], turns), expected),
        hasCode('wrong_hash', TrustError),
      )
      await assert.rejects(
        unpack(arriving([lure], turns), expected),
        hasCode('wrong_length', TrustError),
      )
      await assert.rejects(
        unpack(arriving([lure, rest, rest], turns), expected),
        hasCode('endless_data', TrustError),
      )
    }
  })

  it('T11 whatever comes, in whatever pieces and pauses: bytes of another digest are never a success, and a success was read to its end (property)', async () => {
    const frames = { honest, noise: zstdCompressSync(makeTar()), none: new Uint8Array() }
    const frame = fc.constantFrom('honest', 'noise', 'none')
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(frame, fc.uint8Array({ maxLength: 300 }), frame),
        fc.array(fc.nat(), { maxLength: 4 }),
        fc.constantFrom(0, 1, 30),
        fc.constantFrom('right', 'wrong digest', 'too short', 'too long'),
        async ([first, between, second], at, turns, how) => {
          const bytes = Buffer.concat([frames[first], between, frames[second]])
          const right = expect(bytes)
          const expected = {
            digest: how === 'wrong digest' ? digestOf(Buffer.from('another')) : right.digest,
            size: right.size + ({ 'too short': 7, 'too long': -1 }[how as string] ?? 0),
          }
          if (expected.size < 0) return
          let isEnded = false
          const source = arriving(cut(bytes, at), turns, () => (isEnded = true))
          const outcome = await unpack(source, expected).catch((error: unknown) => error)
          if (how === 'right') {
            assert.ok(isEnded)
            if (!(outcome instanceof Error)) return
            assert.ok(outcome instanceof Refusal, String(outcome))
          } else {
            const code = { 'wrong digest': 'wrong_hash', 'too short': 'wrong_length' }[
              how as string
            ]
            hasCode(code ?? 'endless_data', TrustError)(outcome)
          }
        },
      ),
      { numRuns: 150, interruptAfterTimeLimit: 60_000 },
    )
  })

  it('T7 the right bytes are one frame and nothing else, however they are cut: a further frame, an empty one, a skippable one and garbage are refused', async () => {
    const tar = makeTar()
    const whole = zstdCompressSync(tar)
    const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4])
    const frame = (bytes: Uint8Array) => zstdCompressSync(bytes)
    const bad = {
      'a byte behind': [whole, Buffer.from('x')],
      'garbage behind': [whole, Buffer.from('garbage that is no frame')],
      'another frame': [whole, honest],
      'the frame again': [whole, whole],
      'an empty frame': [whole, frame(Buffer.alloc(0))],
      'an empty frame before': [frame(Buffer.alloc(0)), whole],
      'a skippable frame behind': [whole, skippable],
      'a skippable frame before': [skippable, whole],
      'one archive in two frames': [frame(tar.subarray(0, 700)), frame(tar.subarray(700))],
      'a frame cut short': [whole.subarray(0, -1)],
      nothing: [],
    }
    for (const [name, parts] of Object.entries(bad)) {
      const bytes = Buffer.concat(parts)
      for (const [pieces, turns] of [
        [[bytes], 0],
        [parts, 0],
        [parts, 100],
        [cut(bytes, [1, 2, 3, 4, 5, 6, bytes.length - 1]), 1],
      ] as const) {
        const outcome = unpack(arriving(pieces, turns), expect(bytes))
        await assert.rejects(outcome, hasCode('zstd_damaged'), name)
      }
    }
  })

  it('T7 every shape of a frame header and of blocks is one frame, in pieces of one byte too', async () => {
    const tar = makeTar()
    const few = Buffer.from(tar.subarray(0, 512))
    for (const checksum of [0, 1]) {
      for (const contentSize of [0, 1]) {
        for (const content of [
          few,
          tar,
          Buffer.alloc(300_000),
          Buffer.alloc(70_000),
          few.subarray(0, 9),
        ]) {
          const params = {
            [constants.ZSTD_c_checksumFlag]: checksum,
            [constants.ZSTD_c_contentSizeFlag]: contentSize,
          }
          const bytes = zstdCompressSync(content, { params })
          const scanner = createFrameScanner()
          for (const byte of bytes.subarray(0, -1)) {
            assert.equal(scanner.push(Uint8Array.of(byte)), 1)
            assert.ok(!scanner.isWhole())
          }
          assert.equal(scanner.push(bytes.subarray(-1)), 1)
          assert.ok(scanner.isWhole())
          assert.equal(scanner.push(Uint8Array.of(0)), 0)
          assert.ok(!scanner.isWhole())
        }
      }
    }
    const bytes = zstdCompressSync(tar)
    const single = Array.from(bytes.subarray(0, 300), (byte) => Uint8Array.of(byte))
    const { paths } = await unpack(arriving([...single, bytes.subarray(300)]), expect(bytes))
    assert.deepEqual(paths, ['noise'])
  })
})

describe('bytes under verification', () => {
  it('T11 a loop that is left early throws, since it has no verdict; the error of a loop stays what it is', async () => {
    const leave = async () => {
      for await (const _ of verifyStream(arriving([honest]), expect(honest))) return 'used'
      return 'empty'
    }
    await assert.rejects(leave(), /left before its end/)
    const fail = async () => {
      for await (const _ of verifyStream(arriving([honest]), expect(honest))) throw new Error('own')
    }
    await assert.rejects(fail(), /own/)
  })

  it('T11 wrong bytes are called that, whatever their reader made of them before; a failing disk ends at once', async () => {
    const pieces = [honest, honest, honest]
    const expected = { digest: digestOf(honest), size: honest.length * 3 }
    let taken = 0
    const refuse = () => {
      taken++
      throw new Refusal('zstd_damaged', 'no good')
    }
    await assert.rejects(
      readVerified(arriving(pieces), expected, refuse),
      hasCode('wrong_hash', TrustError),
    )
    assert.equal(taken, 1)
    const right = expect(Buffer.concat(pieces))
    await assert.rejects(readVerified(arriving(pieces), right, refuse), hasCode('zstd_damaged'))
    const failing = () => Promise.reject(new Error('disk full'))
    await assert.rejects(readVerified(arriving(pieces), expected, failing), /disk full/)
  })
})
