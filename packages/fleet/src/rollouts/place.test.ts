import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { percentOf, placeOf, thresholdOf } from './place.ts'

/**
 * A second implementation, over bytes and in unbounded integers, as the algorithm is written down.
 */
function murmur3OfBytes(bytes: Uint8Array): number {
  const mask = 0xffffffffn
  const rotate = (value: bigint, by: bigint) => ((value << by) | (value >> (32n - by))) & mask
  const scramble = (block: bigint) =>
    (rotate((block * 0xcc9e2d51n) & mask, 15n) * 0x1b873593n) & mask
  let hash = 0n
  const wholeLength = bytes.length - (bytes.length % 4)
  const blockOf = (at: number, length: number) => {
    let block = 0n
    for (let i = 0; i < length; i += 1) block |= BigInt(bytes[at + i]!) << BigInt(8 * i)
    return block
  }
  for (let at = 0; at < wholeLength; at += 4) {
    hash = (rotate(hash ^ scramble(blockOf(at, 4)), 13n) * 5n + 0xe6546b64n) & mask
  }
  if (wholeLength < bytes.length) {
    hash ^= scramble(blockOf(wholeLength, bytes.length - wholeLength))
  }
  hash ^= BigInt(bytes.length)
  hash = ((hash ^ (hash >> 16n)) * 0x85ebca6bn) & mask
  hash = ((hash ^ (hash >> 13n)) * 0xc2b2ae35n) & mask
  return Number(hash ^ (hash >> 16n))
}

const hashOf = (text: string) => murmur3OfBytes(new TextEncoder().encode(text))
const anyText = fc.string({ unit: 'grapheme', maxLength: 30 })

test('D3 places are MurmurHash3 x86_32, seed 0: published vectors', () => {
  const vectors = {
    '': 0,
    test: 0xba6bd213,
    'Hello, world!': 0xc0363e43,
    'The quick brown fox jumps over the lazy dog': 0x2e4ff723,
  }
  for (const [text, hash] of Object.entries(vectors)) assert.equal(hashOf(text), hash)
})

test('D3 a place is the hash of rollout and device: anyone can compute it again', () => {
  assert.equal(placeOf('rollout_a', 'device_b'), 1_843_008_564)
  assert.equal(placeOf('rollout_a', 'device_b'), hashOf('rollout_a/device_b'))
  assert.notEqual(placeOf('rollout_a', 'device_b'), placeOf('rollout_b', 'device_b'))
})

test('D3 the hash is over UTF-8, whatever the text (property)', () => {
  fc.assert(
    fc.property(anyText, anyText, (rollout, device) => {
      assert.equal(placeOf(rollout, device), hashOf(`${rollout}/${device}`))
    }),
    { numRuns: 2000 },
  )
})

test('D3 a wave of p percent takes in p percent of devices, each wave those before it too', () => {
  const devicesCount = 100_000
  const places = Array.from({ length: devicesCount }, (_, i) => placeOf('rollout_1', `device_${i}`))
  for (const percent of [1, 10, 50, 100]) {
    const inside = places.filter((place) => place < thresholdOf(percent)).length
    assert.ok(Math.abs(inside / devicesCount - percent / 100) < 0.005, `${percent} %: ${inside}`)
  }
  assert.equal(thresholdOf(100), 2 ** 32)
  for (const place of places.slice(0, 1000)) {
    const percent = percentOf(place)
    assert.ok(percent > 0 && percent <= 100)
    assert.ok(place < thresholdOf(percent + 1e-6))
    assert.ok(place >= thresholdOf(percent - 1e-6))
  }
})
