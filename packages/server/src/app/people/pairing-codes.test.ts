import assert from 'node:assert/strict'
import { test } from 'node:test'
import { userCodeLetters } from '@seaworthy/api/pairings'
import { seededRandom } from '@seaworthy/std/random'
import fc from 'fast-check'
import { createPairingPaces, intervalSeconds, makeUserCode } from './pairing-codes.ts'

test('A3 A9 whoever asks too early waits longer, whoever waits as told does not, and nobody for more than a minute (property)', () => {
  const createdAt = new Date('2030-01-01T00:00:00Z')
  const waits = fc.array(fc.nat(120_000), { minLength: 1, maxLength: 30 })
  fc.assert(
    fc.property(waits, (list) => {
      const paces = createPairingPaces()
      let told = intervalSeconds
      let nowMs = createdAt.getTime()
      for (const [i, ms] of list.entries()) {
        nowMs += ms
        // Strangers' questions about other pairings change nothing.
        paces.ask({ id: `other ${i}`, createdAt }, createdAt)
        const pace = paces.ask({ id: 'one', createdAt }, new Date(nowMs))
        if (ms >= told * 1000) assert.equal(pace, told)
        if (ms < (told - 1) * 1000) assert.equal(pace, Math.min(60, told + 5))
        assert.ok(pace >= told && pace <= 60)
        told = pace
      }
    }),
  )
})

test('A3 every letter of a code is as likely as any other', () => {
  const random = seededRandom(7)
  const counts = new Map<string, number>()
  const codes = 20_000
  for (let i = 0; i < codes; i++) {
    const code = makeUserCode(random)
    assert.match(code, /^[B-DF-HJ-NP-TV-XZ]{4}-[B-DF-HJ-NP-TV-XZ]{4}$/)
    for (const letter of code.replace('-', '')) counts.set(letter, (counts.get(letter) ?? 0) + 1)
  }
  const expected = (codes * 8) / userCodeLetters.length
  for (const letter of userCodeLetters) {
    assert.ok(Math.abs(counts.get(letter)! - expected) < 0.06 * expected, letter)
  }
})
