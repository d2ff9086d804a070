import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyCodePoint } from './testing/any-code-point.ts'
import {
  base64Decode,
  base64Form,
  base64UrlDecode,
  base64UrlEncode,
  compareBytes,
  crc32,
  createByteCollector,
  hexDecode,
  hexEncode,
  joinBytes,
  utf8Encode,
} from './bytes.ts'
import { readBody } from './http.ts'
import { isId, newId, parseId } from './ids.ts'
import { jsonLog } from './log.ts'
import { maxOf, minOf } from './numbers.ts'
import { printable } from './printable.ts'
import { seededRandom, systemRandom } from './random.ts'
import { Refusal } from './refusal.ts'
import { retry } from './retry.ts'
import { formatDuration, formatInstant, ManualClock, parseDuration, parseInstant } from './time.ts'

test('text forms of bytes go there and back, and only their canonical form is read', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      assert.deepEqual(hexDecode(hexEncode(bytes)), new Uint8Array(bytes))
      assert.deepEqual(base64UrlDecode(base64UrlEncode(bytes)), new Uint8Array(bytes))
    }),
  )
  for (const text of ['A', 'AB', '0g', 'a']) assert.throws(() => hexDecode(text), SyntaxError)
  for (const text of ['AB==', 'A', 'AB', 'A A', '+/']) {
    assert.throws(() => base64UrlDecode(text), SyntaxError, text)
  }
})

test('A9 attack: whatever the pieces are, bytes are kept in one buffer of at most twice their size, and no piece is (property)', () => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 50 })
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 3 }), (bodies) => {
      const collector = createByteCollector()
      for (const body of bodies) {
        let length = 0
        for (const piece of body) {
          const lent = Uint8Array.from(piece)
          collector.add(lent)
          // Whatever kept the piece instead of its bytes gives these.
          lent.fill(0xff)
          length += piece.length
          assert.equal(collector.length, length)
          assert.ok(collector.capacity <= Math.max(1024, 2 * length))
        }
        const whole = collector.take()
        assert.deepEqual(whole, joinBytes(body))
        assert.equal(whole.buffer.byteLength, whole.length)
        assert.deepEqual([collector.length, collector.capacity], [0, 0])
      }
    }),
  )
})

test('A9 attack: a server that lies in pieces of one byte has none of them kept', async () => {
  const text = utf8Encode('x'.repeat(1000) + 'y')
  const response = { status: 200, headers: {}, body: lendByteByByte(text) }
  assert.deepEqual(await readBody(response, 1001), text)
  const longer = { ...response, body: lendByteByByte(text) }
  await assert.rejects(readBody(longer, 1000), { name: 'BodyTooLongError' })
})

async function* lendByteByByte(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  const lent = new Uint8Array(1)
  for (const byte of bytes) {
    lent[0] = byte
    yield lent
  }
}

test('compareBytes orders as unsigned bytes, shorter first', () => {
  assert.ok(compareBytes(Uint8Array.of(1), Uint8Array.of(255)) < 0)
  assert.ok(compareBytes(Uint8Array.of(1), Uint8Array.of(1, 0)) < 0)
  assert.equal(compareBytes(Uint8Array.of(), Uint8Array.of()), 0)
})

test('instants have one form, and dates that do not exist are refused', () => {
  const at = new Date(Date.UTC(2028, 1, 29, 1, 2, 3, 999))
  assert.equal(formatInstant(at), '2028-02-29T01:02:03Z')
  assert.equal(parseInstant('2028-02-29T01:02:03Z').getTime(), at.getTime() - 999)
  for (const text of [
    '2027-02-29T01:02:03Z',
    '2028-02-29T01:02:03',
    '2028-2-9T1:2:3Z',
    'Jan 1 2099',
  ]) {
    assert.throws(() => parseInstant(text), SyntaxError, text)
  }
})

test('durations', () => {
  assert.equal(parseDuration('90m'), 5_400_000)
  assert.equal(formatDuration(5_400_000), '90m')
  for (const text of ['0s', '1', '1.5h', '-1s', '1w', ' 1s']) {
    assert.throws(() => parseDuration(text), SyntaxError, text)
  }
})

test('identifiers carry their kind', () => {
  const id = newId('device', new Date(1_800_000_000_000), systemRandom)
  assert.ok(isId('device', id))
  assert.ok(!isId('fleet', id))
  assert.throws(() => parseId('fleet', id), SyntaxError)
  assert.ok(newId('x', new Date(1), systemRandom) < newId('x', new Date(2), systemRandom))
})

test('a seed repeats its sequence', () => {
  assert.deepEqual(seededRandom(7).bytes(9), seededRandom(7).bytes(9))
  assert.notDeepEqual(seededRandom(7).bytes(9), seededRandom(8).bytes(9))
})

test('a manual clock wakes sleepers in order, and a jump of the wall clock wakes nobody', async () => {
  const clock = new ManualClock(new Date(0))
  const woken: string[] = []
  const late = clock.sleep(2000).then(() => woken.push('late'))
  const early = clock.sleep(1000).then(() => woken.push('early'))
  clock.jumpTo(new Date(10_000))
  assert.equal(clock.nextWakeUpMs(), 1000)
  clock.advance(2000)
  await Promise.all([late, early])
  assert.deepEqual(woken, ['early', 'late'])
  assert.equal(clock.now().getTime(), 12_000)
})

test('retry stops at the limit and at the first error that may not be retried', async () => {
  let calls = 0
  const options = {
    firstMs: 1,
    maxMs: 1,
    random: seededRandom(1),
    attemptsMax: 3,
    sleep: async () => {},
    isRetryable: (error: unknown) => !(error instanceof Refusal),
  }
  await assert.rejects(
    retry(async () => {
      calls++
      throw new Error('down')
    }, options),
  )
  assert.equal(calls, 3)
  calls = 0
  await assert.rejects(
    retry(async () => {
      calls++
      throw new Refusal('no', 'no')
    }, options),
  )
  assert.equal(calls, 1)
})

test('a log line is bounded, however long its texts are', () => {
  const lines: string[] = []
  const clock = new ManualClock(new Date('2026-01-02T03:04:05Z'))
  const log = jsonLog({ write: (line) => lines.push(line), clock, level: 'info' })
  const long = 'x'.repeat(1_000_000)
  log.warn('long', { text: long, error: new Error(long, { cause: new Error(long) }) })
  assert.ok(lines[0]!.length < 30_000, String(lines[0]!.length))
  const { text } = JSON.parse(lines[0]!) as { text: string }
  assert.equal(text, `${'x'.repeat(4096)}…`)
})

test('a log line is one JSON object with the error and its cause', () => {
  const lines: string[] = []
  const log = jsonLog({
    write: (l) => lines.push(l),
    clock: new ManualClock(new Date(0)),
    level: 'info',
  })
  log.debug('hidden')
  log
    .with({ worker: 1 })
    .error('failed', { error: new Error('outer', { cause: new Error('inner') }) })
  assert.equal(lines.length, 1)
  const line = JSON.parse(lines[0]!)
  assert.deepEqual(
    [line.at, line.worker, line.error.cause.message],
    ['1970-01-01T00:00:00Z', 1, 'inner'],
  )
})

test('T11 what cannot be seen in a name is written out, whatever alphabet hides it', () => {
  // Arabic letter mark, soft hyphen, Mongolian vowel separator, Hangul fillers, a tag, a variation
  // selector, a joiner, blanks, a surrogate.
  for (const code of [
    0x61c, 0xad, 0x180e, 0x115f, 0x3164, 0xffa0, 0xe0041, 0xfe0f, 0xe0100, 0x200d, 0x34f, 0xa0,
    0x2003, 0x3000, 0x2028, 0x2800, 0x202e, 0x2066, 0x1b, 0xa, 0xd800, 0xe000, 0x2fffe,
  ]) {
    const hidden = String.fromCodePoint(code)
    assert.equal(printable(`bin/a${hidden}b`), `bin/a\\u{${code.toString(16)}}b`)
  }
  assert.equal(printable('größe 日本語 a-b_c'), 'größe 日本語 a-b_c')
  const seen = /^(?:[\p{L}\p{M}\p{N}\p{P}\p{S}]| )*$/u
  fc.assert(
    fc.property(fc.string({ unit: anyCodePoint }), (text) => {
      assert.match(printable(text), seen)
      assert.doesNotMatch(printable(text), /\p{Default_Ignorable_Code_Point}/u)
    }),
  )
})

test('fault: a list that a stranger has made long has a least and a most all the same', () => {
  const long = Array.from({ length: 1_000_000 }, (_, i) => i)
  assert.throws(() => Math.max(...long), RangeError)
  assert.deepEqual([minOf(long), maxOf(long), maxOf(long, 2e6)], [0, 999_999, 2e6])
  assert.deepEqual([minOf([]), maxOf([]), maxOf([], 0)], [Infinity, -Infinity, 0])
})

test('the form of Base64 has exactly the texts that are decoded (property)', () => {
  const isDecoded = (text: string) => {
    try {
      base64Decode(text)
      return true
    } catch {
      return false
    }
  }
  const letter = fc.constantFrom(...'ABQZgwz059+/=-_ \n'.split(''))
  const near = fc.array(letter, { maxLength: 9 }).map((letters) => letters.join(''))
  fc.assert(
    fc.property(near, (text) => assert.equal(base64Form.test(text), isDecoded(text))),
    { numRuns: 20_000 },
  )
  fc.assert(fc.property(fc.uint8Array(), (bytes) => base64Form.test(bytes.toBase64())))
})

test('CRC-32 gives the check value of its catalogue', () => {
  assert.equal(crc32(utf8Encode('123456789')), 0xcbf43926)
  assert.equal(crc32(new Uint8Array()), 0)
})
