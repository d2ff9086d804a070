import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Pins } from './pins.ts'
import { formatKeptPins, keepPins, keptPinsBytesMax, parseKeptPins } from './pins.ts'

const pinOf = (letter: string) => `sha256:${letter.repeat(43)}`
const [old, next, other, evil, worse] = ['o', 'n', 'x', 'e', 'w'].map(pinOf) as [
  string,
  string,
  string,
  string,
  string,
]
const anyPin = fc.constantFrom(old, next, other, evil, worse)
const anyHeard = fc.record({ under: anyPin, next: fc.option(anyPin, { nil: null }) })

test('A6 a client goes from one pin to the next: it keeps both, and drops the old one once the server shows the new key', () => {
  const both = keepPins([old], { under: old, next })
  assert.deepEqual(both, [old, next])
  assert.equal(keepPins(both, { under: old, next }), both, 'nothing new, nothing written')
  assert.deepEqual(keepPins(both, { under: next, next: null }), [next])
})

test('A6 a worker that lags behind makes no client forget the pin that was announced', () => {
  const both = keepPins([old], { under: old, next })
  assert.equal(keepPins(both, { under: old, next: null }), both)
  const again = keepPins(both, { under: old, next: other })
  assert.equal(keepPins(again, { under: old, next }), again)
  assert.deepEqual(keepPins(again, { under: other, next: null }), [other])
})

test('A6 an announcement under a key that the client does not keep is not heard', () => {
  const kept: Pins = [old]
  assert.equal(keepPins(kept, { under: evil, next: evil }), kept)
  assert.equal(keepPins(kept, { under: evil, next: null }), kept)
})

test('A6 what a thief of the old key announced ends with the first answer under the next key', () => {
  const both = keepPins([old], { under: old, next })
  const lied = keepPins(both, { under: old, next: evil })
  assert.deepEqual(lied, [old, next, evil])
  const healed = keepPins(lied, { under: next, next: null })
  assert.deepEqual(healed, [next])
  assert.equal(keepPins(healed, { under: evil, next: worse }), healed)
})

test('A6 a client is never left without a pin that its server holds, whatever is announced', () => {
  fc.assert(
    fc.property(fc.array(anyHeard, { maxLength: 20 }), (all) => {
      let kept: Pins = [old]
      for (const heard of all) {
        const before = kept
        kept = keepPins(before, heard)
        assert.ok(kept.length >= 1 && kept.length <= 3)
        assert.equal(new Set(kept).size, kept.length)
        if (before.includes(heard.under))
          assert.equal(kept[0], heard.under === before[0] ? before[0] : heard.under)
        else assert.equal(kept, before)
        for (const pin of kept) assert.ok(before.includes(pin) || pin === heard.next)
        const text = formatKeptPins(old, kept)
        assert.ok(text.length <= keptPinsBytesMax)
        assert.deepEqual(parseKeptPins(old, text), kept)
      }
    }),
  )
})

test('A6 a file of pins that is cut, damaged or about another pin counts for nothing: the configured pin does', () => {
  const text = formatKeptPins(old, [old, next])
  for (let length = 0; length < text.length; length++) {
    const found = parseKeptPins(old, text.slice(0, length))
    assert.ok(found.every((pin) => [old, next].includes(pin)))
    assert.equal(found[0], old)
  }
  assert.deepEqual(parseKeptPins(other, text), [other])
  assert.deepEqual(parseKeptPins(old, `${old}\nsha256:short\n`), [old])
  assert.deepEqual(parseKeptPins(old, formatKeptPins(old, [next, other, evil]) + `${worse}\n`), [
    old,
  ])
})
