import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { base64Encode, concatBytes, hexDecode, hexEncode, utf8Encode } from '@seaworthy/std/bytes'
import {
  createEnvelope,
  createWebPlatform,
  generateReceivingKey,
  openReceivingKey,
  parseReceivingKey,
  sealedOverhead,
} from './index.ts'

/** The PKCS#8 form (RFC 8410) of a private key's 32 bytes. */
const pkcs8Of = (scalar: Uint8Array) =>
  concatBytes(hexDecode('302e020100300506032b656e04220420'), scalar)

/** RFC 9180, A.1.1, the encryption of sequence number 0. */
const rfc = {
  info: hexDecode('4f6465206f6e2061204772656369616e2055726e'),
  privateSender: hexDecode('52c4a758a802cd8b936eceea314432798d5baf2d7e9235dc084ab1b9cfa2f736'),
  encapsulated: '37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431',
  privateRecipient: hexDecode('4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8'),
  publicRecipient: hexDecode('3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d'),
  plaintext: hexDecode('4265617574792069732074727574682c20747275746820626561757479'),
  aad: hexDecode('436f756e742d30'),
  ciphertext:
    'f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a',
}
const recipient = await openReceivingKey(pkcs8Of(rfc.privateRecipient))

/** Points of small order (RFC 7748): with each of them the shared secret is zero. */
const degenerate = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
].map(hexDecode)

test("A10 V8 the RFC's vector is sealed and opened byte for byte", async () => {
  const senderKey = await crypto.subtle.importKey(
    'pkcs8',
    pkcs8Of(rfc.privateSender),
    'X25519',
    true,
    ['deriveBits'],
  )
  const senderPublic = await crypto.subtle.importKey(
    'raw',
    hexDecode(rfc.encapsulated),
    'X25519',
    true,
    [],
  )
  const pair = { privateKey: senderKey, publicKey: senderPublic }
  const envelope = await createEnvelope(rfc.info, {
    aead: { id: 1, keyBytes: 16 },
    platform: createWebPlatform(async () => pair),
  })
  const sealed = await envelope.seal(rfc.publicRecipient, rfc.aad, rfc.plaintext)
  assert.equal(hexEncode(sealed), rfc.encapsulated + rfc.ciphertext)
  assert.deepEqual(await envelope.open(recipient, rfc.aad, sealed), rfc.plaintext)
  assert.deepEqual(recipient.publicKey, rfc.publicRecipient)
})

test('A10 V8 what another implementation sealed with AES-256-GCM opens', async () => {
  const sealed = hexDecode(
    // Sealed to the RFC's recipient by the package `hpke` 1.1.7.
    '448e2209188804042949568e35766813ec919020d087c6ade73e7b7c07f88a50a49bc0d2023669f46cee694348b65250592211437f2d8aac392b6a610ced258d23f2b09453fa411850113d81ba',
  )
  const envelope = await createEnvelope(rfc.info)
  assert.deepEqual(await envelope.open(recipient, rfc.aad, sealed), rfc.plaintext)
})

test('A10 V8 what is sealed opens for its key, purpose and binding alone', async () => {
  const other = await openReceivingKey((await generateReceivingKey()).pkcs8)
  const text = fc.uint8Array({ maxLength: 64 }).map((bytes) => new Uint8Array(bytes))
  await fc.assert(
    fc.asyncProperty(
      text,
      text,
      text,
      text,
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      async (info, aad, plaintext, wrong, at, flip) => {
        const envelope = await createEnvelope(info)
        const sealed = await envelope.seal(recipient.publicKey, aad, plaintext)
        assert.equal(sealed.length, plaintext.length + sealedOverhead)
        assert.deepEqual(await envelope.open(recipient, aad, sealed), plaintext)

        const refused = { code: 'sealed_not_opened' }
        await assert.rejects(envelope.open(other, aad, sealed), refused)
        await assert.rejects(
          envelope.open(recipient, concatBytes(aad, wrong, Uint8Array.of(0)), sealed),
          refused,
        )
        const elsewhere = await createEnvelope(concatBytes(info, wrong, Uint8Array.of(0)))
        await assert.rejects(elsewhere.open(recipient, aad, sealed), refused)
        const changed = sealed.slice()
        // The highest bit of a public key is not part of the point (RFC 7748), but is bound too.
        changed[at % changed.length]! ^= flip
        await assert.rejects(envelope.open(recipient, aad, changed), refused)
      },
    ),
    { numRuns: 40, interruptAfterTimeLimit: 30_000, markInterruptAsFailure: false },
  )
})

test('A10 V8 two messages to one key never share an encapsulated key', async () => {
  const envelope = await createEnvelope(rfc.info)
  const seen = new Set<string>()
  for (let i = 0; i < 20; i++) {
    const sealed = await envelope.seal(recipient.publicKey, rfc.aad, rfc.plaintext)
    seen.add(hexEncode(sealed.subarray(0, 32)))
  }
  assert.equal(seen.size, 20)
})

test('A10 V8 a point that makes every secret the same is refused at both ends', async () => {
  const envelope = await createEnvelope(rfc.info)
  for (const point of degenerate) {
    await assert.rejects(envelope.seal(point, rfc.aad, rfc.plaintext), {
      code: 'receiving_key_degenerate',
    })
    const sealed = concatBytes(point, new Uint8Array(40))
    await assert.rejects(envelope.open(recipient, rfc.aad, sealed), { code: 'sealed_not_opened' })
  }
})

test('A10 V8 keys and messages of the wrong length are refused by name', async () => {
  const envelope = await createEnvelope(rfc.info)
  for (const length of [0, 31, 33, 64]) {
    const code = 'receiving_key_malformed'
    const key = new Uint8Array(length).fill(7)
    await assert.rejects(envelope.seal(key, rfc.aad, rfc.plaintext), { code })
    assert.throws(() => parseReceivingKey(base64Encode(key)), { code })
  }
  assert.throws(() => parseReceivingKey('not base64!'), { code: 'receiving_key_malformed' })
  await assert.rejects(openReceivingKey(utf8Encode('no private key')), {
    code: 'receiving_key_malformed',
  })
  for (const length of [0, 32, sealedOverhead - 1]) {
    await assert.rejects(envelope.open(recipient, rfc.aad, new Uint8Array(length)), {
      code: 'sealed_too_short',
    })
  }
})
