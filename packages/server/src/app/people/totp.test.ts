import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8Encode } from '@seaworthy/std/bytes'
import fc from 'fast-check'
import { codeOf, base32, stepOf } from './totp-codes.ts'
import { judgeCode } from './totp.ts'

test('A1 codes are those of RFC 6238, appendix B, for every algorithm', () => {
  const secrets = {
    sha1: '12345678901234567890',
    sha256: '12345678901234567890123456789012',
    sha512: '1234567890123456789012345678901234567890123456789012345678901234',
  } as const
  for (const [seconds, sha1, sha256, sha512] of [
    [59, '94287082', '46119246', '90693936'],
    [1_111_111_109, '07081804', '68084774', '25091201'],
    [1_111_111_111, '14050471', '67062674', '99943326'],
    [1_234_567_890, '89005924', '91819424', '93441116'],
    [2_000_000_000, '69279037', '90698825', '38618901'],
    [20_000_000_000, '65353130', '77737706', '47863826'],
  ] as const) {
    const step = stepOf(new Date(seconds * 1000))
    for (const [algorithm, code] of Object.entries({ sha1, sha256, sha512 })) {
      const known = algorithm as keyof typeof secrets
      const secret = utf8Encode(secrets[known])
      assert.equal(codeOf(secret, step, { digits: 8, algorithm: known }), code)
    }
  }
})

test('A1 secrets are written as RFC 4648, section 10, has base32, without padding', () => {
  for (const [text, coded] of [
    ['', ''],
    ['f', 'MY'],
    ['fo', 'MZXQ'],
    ['foo', 'MZXW6'],
    ['foob', 'MZXW6YQ'],
    ['fooba', 'MZXW6YTB'],
    ['foobar', 'MZXW6YTBOI'],
  ] as const) {
    assert.equal(base32(utf8Encode(text)), coded)
  }
})

test('A1 a code of now or of the steps beside it is right; of a clock that is off by minutes it says so (property)', () => {
  const now = new Date('2030-01-01T00:00:00Z')
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 20, maxLength: 20 }),
      fc.integer({ min: -60, max: 60 }),
      (secret, off) => {
        const judged = judgeCode(secret, codeOf(secret, stepOf(now) + off), now)
        if (Math.abs(off) <= 1) assert.equal(judged.kind, 'right')
        else if (Math.abs(off) <= 20) {
          // One of two steps may have the same code, and the nearer one counts.
          assert.ok(judged.kind !== 'wrong')
          if (judged.kind === 'clock-off') {
            assert.ok(Math.abs(judged.minutes) <= Math.ceil(Math.abs(off) / 2))
          }
        }
      },
    ),
  )
  const secret = utf8Encode('12345678901234567890')
  const ofStep = (off: number) => judgeCode(secret, codeOf(secret, stepOf(now) + off), now)
  assert.deepEqual(ofStep(-10), { kind: 'clock-off', minutes: -5 })
  assert.deepEqual(ofStep(7), { kind: 'clock-off', minutes: 4 })
  assert.deepEqual(ofStep(21), { kind: 'wrong' })
})
