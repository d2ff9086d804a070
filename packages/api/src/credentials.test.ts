import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatCredential, readCredential } from './credentials.ts'

const kinds = fc.constantFrom('token', 'provisioning', 'device', 'gateway', 'session')
const idHalf = fc.stringMatching(/^[0-9a-hjkmnp-tv-z]{26}$/)
const secret = fc.stringMatching(/^[0-9a-f]{64}$/)

test('A3 a credential is read as it was made, and a slip of the hand is told apart (property)', () => {
  fc.assert(
    fc.property(
      ...[kinds, idHalf, secret, fc.nat(), fc.stringMatching(/^[0-9a-f]$/)],
      (kind, half, own, at, digit) => {
        const id = `${kind}_${half}`
        const text = formatCredential(kind, id, own)
        assert.deepEqual(readCredential(text), { kind, id, secret: own })
        const place = text.length - 1 - (at % 98)
        const changed = text.slice(0, place) + digit + text.slice(place + 1)
        if (changed !== text) assert.equal(typeof readCredential(changed), 'string', changed)
        const cut = text.slice(0, text.length - 1 - (at % 7))
        assert.equal(readCredential(cut), 'damaged')
      },
    ),
    { numRuns: 2000 },
  )
})

test('A3 what is no credential is not taken for one', () => {
  for (const text of ['', 'sw_', 'sw_x_y', 'hello', `ghp_${'a'.repeat(36)}`]) {
    assert.equal(readCredential(text), 'unknown', text)
  }
  const half = '0'.repeat(26)
  assert.equal(readCredential(`sw_${half}_${'g'.repeat(64)}`), 'damaged')
  assert.equal(readCredential(`swx_${half}_${'a'.repeat(64)}`), 'damaged', 'a kind of another day')
  assert.deepEqual(readCredential(`sw_${half}_${'a'.repeat(64)}`), {
    kind: 'token',
    id: `token_${half}`,
    secret: 'a'.repeat(64),
  })
})
