import assert from 'node:assert/strict'
import { createPrivateKey, decapsulate } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { concatBytes, hexDecode, hexEncode } from '@seaworthy/std/bytes'
import { createEnvelope, openReceivingKey } from '@seaworthy/trust/hpke'
import { nodeSealing } from './sealing.ts'

/** RFC 9180, A.1.1, the encryption of sequence number 0. */
const rfc = {
  info: hexDecode('4f6465206f6e2061204772656369616e2055726e'),
  encapsulated: hexDecode('37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431'),
  sharedSecret: hexDecode('fe0e18c9f024ce43799ae393c7e8fe8fce9d218875e8227b0187c04e7d2ea1fc'),
  privateRecipient: hexDecode('4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8'),
  plaintext: hexDecode('4265617574792069732074727574682c20747275746820626561757479'),
  aad: hexDecode('436f756e742d30'),
  ciphertext:
    'f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a',
}
const pkcs8 = concatBytes(hexDecode('302e020100300506032b656e04220420'), rfc.privateRecipient)
const recipient = await openReceivingKey(pkcs8)

test("V8 the RFC's vector: Node's KEM gives its shared secret, and the rest its ciphertext", async () => {
  const key = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' })
  const { encapsulated, sharedSecret } = rfc
  assert.equal(hexEncode(decapsulate(key, encapsulated)), hexEncode(sharedSecret))
  const envelope = await createEnvelope(rfc.info, {
    aead: { id: 1, keyBytes: 16 },
    platform: { ...nodeSealing, encapsulate: () => ({ encapsulated, sharedSecret }) },
  })
  const sealed = await envelope.seal(recipient.publicKey, rfc.aad, rfc.plaintext)
  assert.equal(hexEncode(sealed), hexEncode(encapsulated) + rfc.ciphertext)
})

test('V8 what Node seals opens by WebCrypto, and no two have one encapsulated key (property)', async () => {
  const text = fc.uint8Array({ maxLength: 300 }).map((bytes) => new Uint8Array(bytes))
  const seen = new Set<string>()
  await fc.assert(
    fc.asyncProperty(text, text, text, async (info, aad, plaintext) => {
      const sealed = await (
        await createEnvelope(info, { platform: nodeSealing })
      ).seal(recipient.publicKey, aad, plaintext)
      const web = await createEnvelope(info)
      assert.deepEqual(await web.open(recipient, aad, sealed), plaintext)
      const wrong = concatBytes(aad, Uint8Array.of(0))
      await assert.rejects(web.open(recipient, wrong, sealed), { code: 'sealed_not_opened' })
      const encapsulated = hexEncode(sealed.subarray(0, 32))
      assert.ok(!seen.has(encapsulated))
      seen.add(encapsulated)
    }),
    { numRuns: 40, interruptAfterTimeLimit: 30_000, markInterruptAsFailure: false },
  )
})

test('V8 attack: a key of small order or of the wrong length is sealed to by nobody', async () => {
  const envelope = await createEnvelope(rfc.info, { platform: nodeSealing })
  for (const point of [
    '0000000000000000000000000000000000000000000000000000000000000000',
    '0100000000000000000000000000000000000000000000000000000000000000',
    'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
    '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  ]) {
    await assert.rejects(envelope.seal(hexDecode(point), rfc.aad, rfc.plaintext), {
      code: 'receiving_key_degenerate',
    })
  }
  for (const length of [0, 31, 33, 64]) {
    await assert.rejects(envelope.seal(new Uint8Array(length).fill(7), rfc.aad, rfc.plaintext), {
      code: 'receiving_key_malformed',
    })
  }
})
