/**
 * The space and time that the sender of a body may take. A manual clock stands in for hours of
 * dripping.
 */
import assert from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import fc from 'fast-check'
import { ManualClock } from '@seaworthy/std/time'
import { dropUnwantedBodies, readArrived, readBytes, readPieces } from './bodies.ts'
import { bodyLimits, unwantedBody } from './limits.ts'
import { createCredit } from './body-pace.ts'

const request = (headers: Record<string, string> = { 'transfer-encoding': 'chunked' }) =>
  Object.assign(new PassThrough(), { headers, complete: false }) as PassThrough & IncomingMessage

const ports = () => {
  const clock = new ManualClock(new Date('2030-01-01T00:00:00Z'))
  return { clock, sleep: clock.sleep }
}

/** Lets everything happen that waits only for its turn. */
const settle = async () => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
}

test('A9 slow body: a document that drips in is refused when its time is over, however small its pieces', async () => {
  const { clock, sleep } = ports()
  const req = request()
  const limits = { ...bodyLimits.route, bytesMax: 65_536 }
  const read = readBytes(req, limits, { clock, sleep })
  const refused = assert.rejects(read, { code: 'body_timed_out' })
  for (let i = 0; i < 25; i++) {
    req.write('x')
    await settle()
    clock.advance(1000)
    await settle()
  }
  await refused
})

test('A9 attack: a body in chunks of one byte costs memory for its bytes, and none of its chunks is kept', async () => {
  const text = Buffer.from('0123456789'.repeat(300))
  async function* lendByteByByte() {
    const lent = new Uint8Array(1)
    for (const byte of text) {
      lent[0] = byte
      yield lent
    }
  }
  const limits = { ...bodyLimits.route, bytesMax: text.length }
  const chunked = Object.assign(request(), { iterator: lendByteByByte })
  assert.deepEqual(await readBytes(chunked as never, limits, ports()), text)
  // What has arrived before it is read is put together in the same way.
  let at = 0
  const lent = [Buffer.alloc(1), Buffer.alloc(1)] as const
  const read = () => {
    if (at === text.length) return null
    const piece = lent[at % 2 === 0 ? 0 : 1]
    piece[0] = text[at++]!
    return piece
  }
  assert.deepEqual(readArrived({ read } as never), text)
})

test('A9 slow body: an upload that stalls is refused; one that keeps its pace goes on for a day', async () => {
  const { clock, sleep } = ports()
  const req = request()
  let length = 0
  const limits = { ...bodyLimits.upload, bytesMax: 1e9 }
  const read = (async () => {
    for await (const piece of readPieces(req, limits, { clock, sleep })) length += piece.length
  })()
  const refused = assert.rejects(read, { code: 'body_timed_out' })
  const piece = Buffer.alloc(25 * 1024)
  // One piece every 20 seconds: a little more than one kibibyte per second, for a whole day.
  const piecesCount = 4320
  for (let i = 0; i < piecesCount; i++) {
    req.write(piece)
    await new Promise((resolve) => setImmediate(resolve))
    clock.advance(20_000)
  }
  await settle()
  assert.equal(length, piecesCount * piece.length)
  clock.advance(30_001)
  await refused
})

test('A9 the time in which the server itself is busy is not the sender’s', async () => {
  const { clock, sleep } = ports()
  const req = request()
  for (let i = 0; i < 3; i++) req.write('x')
  req.end()
  let count = 0
  for await (const _ of readPieces(req, bodyLimits.omaha, { clock, sleep })) {
    count++
    clock.advance(3_600_000)
  }
  assert.ok(count > 0)
})

test('A9 no sender keeps a reader for longer than the grace and what its bytes have earned (property)', () => {
  const steps = fc.array(fc.tuple(fc.nat(40_000), fc.nat(100_000)), { maxLength: 200 })
  fc.assert(
    fc.property(steps, (pieces) => {
      const pace = { graceMs: 30_000, bytesPerSecondMin: 1024 }
      const credit = createCredit(pace)
      let waitedMs = 0
      let bytes = 0
      try {
        for (const [ms, size] of pieces) {
          // The reader's own timer ends a longer wait.
          waitedMs += Math.min(ms, credit.leftMs())
          bytes += size
          credit.spend(ms, size)
          assert.ok(credit.leftMs() > 0 && credit.leftMs() <= pace.graceMs)
        }
      } catch (error) {
        assert.equal((error as { code?: unknown }).code, 'body_timed_out')
      }
      assert.ok(waitedMs <= pace.graceMs + (bytes / pace.bytesPerSecondMin) * 1000 + 0.001)
    }),
  )
})

test('A9 more bytes than allowed are refused before they are read on, announced or not', async () => {
  const limits = { ...bodyLimits.route, bytesMax: 10 }
  const announced = request({ 'content-length': '11' })
  await assert.rejects(readBytes(announced, limits, ports()), { code: 'body_too_large' })
  assert.equal(announced.readableLength, 0)
  const streamed = request()
  streamed.write('x'.repeat(11))
  await assert.rejects(readBytes(streamed, limits, ports()), { code: 'body_too_large' })
})

test('A9 slow body: what nobody wanted to read ends its connection after a moment, or some megabytes', async () => {
  for (const [drip, advanceMs] of [
    ['x', unwantedBody.ms + 1],
    ['x'.repeat(unwantedBody.bytesMax + 1), 0],
  ] as const) {
    const { clock, sleep } = ports()
    const req = request()
    req.on('error', () => undefined)
    const res = new PassThrough() as unknown as ServerResponse
    dropUnwantedBodies((_req, answered) => answered.emit('finish'), sleep)(req, res)
    req.write(drip)
    await settle()
    assert.equal(req.destroyed, advanceMs === 0)
    clock.advance(advanceMs)
    await settle()
    assert.ok(req.destroyed)
  }
})
