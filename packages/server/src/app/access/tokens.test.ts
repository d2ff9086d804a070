import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyCodePoint } from '@seaworthy/std/testing/any-code-point'
import { Refusal } from '@seaworthy/std/refusal'
import { seededRandom } from '@seaworthy/std/random'
import { generateSigner } from '@seaworthy/trust/keys'
import { makeAssertion } from '../../testing/index.ts'
import { ClockRefusal, readAssertionIssuer, verifyAssertion } from './assertions.ts'
import { createCredential, isSameSecret, parseCredential } from './credentials.ts'
import { createTokenReader, openToken, signToken } from './device-tokens.ts'

const now = new Date('2026-11-22T00:00:00Z')
const key = seededRandom(1).bytes(32)
const exp = now.getTime() / 1000 + 60

test('A3 a credential names its row, and only its own secret fits', () => {
  const random = seededRandom(2)
  for (const kind of ['token', 'provisioning'] as const) {
    const id = `${kind}_${'0'.repeat(26)}`
    const made = createCredential(kind, id, random)
    const parsed = parseCredential(made.text)
    assert.equal(parsed?.kind, kind)
    assert.equal(parsed?.id, id)
    assert.ok(isSameSecret(parsed.secretSha256, made.secretSha256))
    const other = parseCredential(createCredential(kind, id, random).text)
    assert.ok(!isSameSecret(other!.secretSha256, made.secretSha256))
    const asOfOld = parseCredential(made.text.slice(0, -8))
    assert.ok(isSameSecret(asOfOld!.secretSha256, made.secretSha256), 'without its checksum')
  }
  for (const text of ['', 'sw_', 'sw_x_y', `sw_${'0'.repeat(26)}_${'g'.repeat(64)}`]) {
    assert.equal(parseCredential(text), undefined)
  }
})

test('V4 an access token opens with its key and audience until it expires, and no changed character passes', () => {
  const token = signToken(key, 'seaworthy-device', { sub: 'device_x', exp })
  assert.equal(openToken(key, 'seaworthy-device', token, now)?.['sub'], 'device_x')
  assert.equal(openToken(key, 'seaworthy-registry', token, now), undefined)
  assert.equal(openToken(seededRandom(3).bytes(32), 'seaworthy-device', token, now), undefined)
  const later = new Date(now.getTime() + 60_000)
  assert.equal(openToken(key, 'seaworthy-device', token, later), undefined)
  const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${token.split('.')[1]}.`
  assert.equal(openToken(key, 'seaworthy-device', none, now), undefined)
  fc.assert(
    fc.property(
      fc.nat({ max: token.length - 1 }),
      fc.constantFrom('a', 'Z', '0', '-', '_', '.'),
      (at, character) => {
        const changed = token.slice(0, at) + character + token.slice(at + 1)
        if (changed !== token) {
          assert.equal(openToken(key, 'seaworthy-device', changed, now), undefined)
        }
      },
    ),
    { numRuns: 2000 },
  )
})

test('V4 what a worker reads quickly is what is signed, whatever the key and the text (property)', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 64 }),
      fc.array(fc.string({ unit: anyCodePoint, maxLength: 600 }), { minLength: 1, maxLength: 3 }),
      fc.string({ unit: anyCodePoint, maxLength: 100 }),
      (anyKey, subjects, text) => {
        const read = createTokenReader(anyKey, 'seaworthy-device')
        for (const sub of subjects) {
          const token = signToken(anyKey, 'seaworthy-device', { sub, exp })
          assert.deepEqual(read(token, now), openToken(anyKey, 'seaworthy-device', token, now))
          // Only a token that is too long is not read.
          assert.equal(read(token, now) !== undefined, token.length <= 4096)
          const [start, , mac] = token.split('.')
          for (const changed of [
            `${token}${text}`,
            `${start}.${text}.${mac}`,
            `${start}.${text}`,
          ]) {
            if (changed !== token) assert.equal(read(changed, now), undefined)
          }
        }
      },
    ),
    { numRuns: 1000 },
  )
  // The token is as long as it may be, and each character takes three bytes.
  const read = createTokenReader(key, 'seaworthy-device')
  const [start] = signToken(key, 'seaworthy-device', { sub: '', exp }).split('.')
  assert.equal(read(`${start}.${'\u{ffff}'.repeat(4094 - start!.length)}.`, now), undefined)
})

test('V4 a worker reads a token again and again until it expires', () => {
  const read = createTokenReader(key, 'seaworthy-device')
  const token = signToken(key, 'seaworthy-device', { sub: 'device_x', exp })
  for (let i = 0; i < 2; i++) assert.equal(read(token, now)?.['sub'], 'device_x')
  assert.equal(read(token, new Date(exp * 1000)), undefined)
  const changed = `${token.slice(0, -2)}${token.endsWith('AA') ? 'BB' : 'AA'}`
  assert.equal(read(changed, now), undefined)
})

test('V4 whatever is sent as a token or an assertion is refused with a code, never with a crash', async () => {
  const { key: publicKey } = await generateSigner('ed25519')
  const part = fc.oneof(
    fc.base64String(),
    fc.json().map((text) => Buffer.from(text).toString('base64url')),
    fc.string(),
  )
  const any = fc.tuple(part, part, part).map((parts) => parts.join('.'))
  await fc.assert(
    fc.asyncProperty(any, async (text) => {
      assert.equal(openToken(key, 'seaworthy-device', text, now), undefined)
      assert.throws(() => readAssertionIssuer(text), isRefused)
      await assert.rejects(
        verifyAssertion(text, publicKey, { isOwnOrigin: () => true, challengeKey: key, now }),
        isRefused,
      )
    }),
    { numRuns: 3000 },
  )
})

function isRefused(error: unknown): boolean {
  return (
    error instanceof Refusal &&
    ['assertion_invalid', 'assertion_signature_invalid'].includes(error.code as string)
  )
}

test('D8 V4 a challenge stands for the clock for five minutes, for its device and its key alone', async () => {
  const signer = await generateSigner('ed25519')
  const deviceId = `device_${'0'.repeat(26)}`
  const assertion = (changes: Record<string, unknown>, by = signer) =>
    makeAssertion(by, deviceId, 'https://a', { iat: 0, exp: 300, ...changes })
  const verify = async (text: string, at = now, challengeKey = key) =>
    verifyAssertion(text, signer.key, { isOwnOrigin: () => true, challengeKey, now: at })
  const refusal = async (promise: Promise<unknown>): Promise<ClockRefusal> => {
    const error: unknown = await promise.then(
      () => undefined,
      (reason: unknown) => reason,
    )
    assert.ok(error instanceof ClockRefusal, String(error))
    return error
  }
  const first = await refusal(verify(await assertion({})))
  assert.equal(first.code, 'assertion_expired')
  assert.equal(first.clockOffsetSeconds, -now.getTime() / 1000)
  const nonce = first.challenge
  const good = await assertion({ nonce })
  const later = (seconds: number) => new Date(now.getTime() + seconds * 1000)
  assert.equal((await verify(good)).expiresAt.getTime(), later(300).getTime())
  // Whatever time it claims, it is remembered for as long as the challenge lasts.
  const ahead = await assertion({ nonce, iat: 9e12, exp: 9e12 + 300 })
  const verified = await verify(ahead, later(299))
  assert.ok(verified.expiresAt.getTime() >= later(300).getTime())
  assert.equal(verified.clockOffsetSeconds, 2 ** 31 - 1)
  const old = await refusal(verify(good, later(300)))
  assert.equal(old.code, 'assertion_challenge_invalid')
  // The old challenge's refusal brings a new one, which may be answered in its turn.
  await verify(await assertion({ nonce: old.challenge }), later(301))
  await refusal(verify(good, now, seededRandom(9).bytes(32)))
  const lasting = await assertion({ nonce, exp: 301 })
  await assert.rejects(verify(lasting), { code: 'assertion_invalid' })
})
