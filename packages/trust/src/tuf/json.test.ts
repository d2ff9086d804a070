import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyCodePoint } from '@seaworthy/std/testing/any-code-point'
import { utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import { isTrustError } from './codes.ts'
import { canonicalJson, parseJson, wireJson } from './json.ts'

const limits = { bytesMax: 1_000_000, depthMax: 32 }
const parse = (text: string) => parseJson(utf8Encode(text), limits)
const refuses = (text: string) =>
  assert.throws(
    () => parse(text),
    (error) => isTrustError(error, 'metadata_malformed'),
    text,
  )

const value = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger().map((n) => n + 0),
    fc.string({ unit: anyCodePoint }).filter((s) => s.isWellFormed()),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(
      fc.string({ unit: anyCodePoint }).filter((s) => s.isWellFormed()),
      tie('value'),
      { maxKeys: 5 },
    ),
  ),
})).value

test('the wire form goes there and back, and is stable', () => {
  fc.assert(
    fc.property(value, (v) => {
      const bytes = wireJson(v)
      const parsed = parseJson(bytes, limits)
      assert.deepEqual(JSON.parse(utf8Decode(bytes)), JSON.parse(JSON.stringify(v)))
      assert.deepEqual(wireJson(parsed), bytes)
      assert.deepEqual(canonicalJson(parsed), canonicalJson(v))
    }),
    { numRuns: 2000 },
  )
})

test('the canonical form has sorted members, no white space, and raw control characters', () => {
  const bytes = canonicalJson({ b: [1, true, null], a: 'x"\\\n\u007f', '': -5 })
  assert.equal(utf8Decode(bytes), '{"":-5,"a":"x\\"\\\\\n\u007f","b":[1,true,null]}')
  assert.equal(utf8Decode(wireJson('\n\u0001')), '"\\n\\u0001"')
})

test('members are sorted by code point, not by UTF-16 unit', () => {
  assert.equal(
    utf8Decode(canonicalJson({ '\u{1F600}': 1, '\uFFFD': 2 })),
    '{"\uFFFD":2,"\u{1F600}":1}',
  )
  fc.assert(
    fc.property(
      fc.string({ unit: anyCodePoint }).filter((s) => s.isWellFormed()),
      fc.string({ unit: anyCodePoint }).filter((s) => s.isWellFormed()),
      (a, b) => {
        const points = (s: string) => Array.from(s, (c) => c.codePointAt(0)!)
        const [x, y] = [points(a), points(b)]
        const i = x.findIndex((point, at) => point !== y[at])
        const isFirst = i < 0 ? x.length <= y.length : x[i]! < (y[i] ?? -1)
        const names = Object.keys(
          JSON.parse(utf8Decode(wireJson({ [`_${a}`]: 1, [`_${b}`]: 2 }))) as object,
        )
        assert.equal(names[0], `_${isFirst ? a : b}`)
      },
    ),
  )
})

test('what has no canonical form throws', () => {
  for (const v of [1.5, Number.NaN, 2 ** 53, -0, '\ud800', undefined, { a: undefined }, 1n]) {
    assert.throws(() => canonicalJson(v), TypeError)
  }
})

test('T7 parser differential: members given twice, also as __proto__ and escaped, are refused', () => {
  refuses('{"a":1,"a":1}')
  refuses('{"a":1,"\\u0061":1}')
  refuses('{"__proto__":1,"__proto__":2}')
})

test('names of the prototype are ordinary members', () => {
  const parsed = parse('{"__proto__":{"x":1},"constructor":2}') as Record<string, unknown>
  assert.deepEqual(Object.keys(parsed), ['__proto__', 'constructor'])
  assert.equal(({} as Record<string, unknown>)['x'], undefined)
  assert.equal(utf8Decode(wireJson(parsed)), '{"__proto__":{"x":1},"constructor":2}')
})

test('T7 malformed JSON is refused with a code', () => {
  for (const text of [
    '',
    ' ',
    '{',
    '[1',
    '[1,]',
    '{"a":1,}',
    '{a:1}',
    '01',
    '-0',
    '-',
    '1.0',
    '1e3',
    '9007199254740992',
    '99999999999999999999999999',
    '"\\ud800"',
    '"\\x41"',
    '"a',
    '"\n"',
    'nul',
    'true false',
    '\ufeff{}',
    'NaN',
    "'a'",
    '[1]x',
  ]) {
    refuses(text)
  }
  assert.throws(() => parseJson(Uint8Array.of(0x22, 0xff, 0x22), limits), {
    code: 'metadata_malformed',
  })
})

test('T7 endless data: depth and size are bounded before anything else', () => {
  refuses('['.repeat(100_000))
  refuses('{"a":'.repeat(33))
  assert.throws(() => parseJson(new Uint8Array(11), { bytesMax: 10, depthMax: 1 }), {
    code: 'endless_data',
  })
})

test('garbage and broken JSON only ever give coded refusals', () => {
  const broken = fc
    .tuple(value, fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 4 }))
    .map(([v, at, noise]) => {
      const bytes = wireJson(v)
      bytes.set(noise.slice(0, Math.max(0, bytes.length - (at % bytes.length))), at % bytes.length)
      return bytes
    })
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 60 }), broken), (bytes) => {
      try {
        parseJson(bytes, limits)
      } catch (error) {
        assert.ok(isTrustError(error), String(error))
      }
    }),
    { numRuns: 20_000 },
  )
})
