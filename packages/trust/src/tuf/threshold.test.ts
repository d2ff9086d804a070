import assert from 'node:assert/strict'
import { generateKeyPairSync, sign } from 'node:crypto'
import { test } from 'node:test'
import { utf8Encode } from '@seaworthy/std/bytes'
import { TrustError } from '@seaworthy/std/refusal'
import { verifyThreshold } from './threshold.ts'

const signedBytes = utf8Encode('{}')
const role = (keyids: string[], threshold = 1) => ({ keyids, threshold })

async function refusal(keys: Record<string, unknown>, keyids: string[]): Promise<string> {
  const ring = { keys: keys as never, role: role(keyids) }
  const signatures = keyids.map((keyid) => ({ keyid, sig: 'ab'.repeat(64) }))
  let message = ''
  await assert.rejects(verifyThreshold(ring, { signedBytes, signatures }, 'targets'), (error) => {
    assert.ok(error instanceof TrustError && error.code === 'signature_threshold')
    message = error.message
    return true
  })
  return message
}

test('T2 a signature by a key that the specification allows and we do not is not called missing: the key and why are named', async () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey
  const pem = rsa.export({ type: 'spki', format: 'pem' })
  const keys = {
    aa: { keytype: 'rsa', scheme: 'rsassa-pss-sha512', keyval: { public: pem } },
    bb: { keytype: 'sphincs\u001b[2J', scheme: 'x'.repeat(100), keyval: { public: '00' } },
    cc: { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: '00'.repeat(32) } },
    dd: { keytype: 'ecdsa', scheme: 'ecdsa-sha2-nistp521', keyval: { public: pem } },
    ee: { keytype: 'ecdsa', scheme: 'ecdsa-sha2-nistp256', keyval: { public: 'no PEM' } },
  }
  const start = 'targets is signed by 0 of the 1 keys it needs'
  assert.equal(
    await refusal(keys, ['aa']),
    `${start}; the key aa cannot be used: keys of rsa/rsassa-pss-sha512 are not supported here`,
  )
  assert.match(await refusal(keys, ['bb']), /keys of sphincs\?\[2J\/x{48} are not supported here$/)
  assert.match(await refusal(keys, ['cc']), /no sound key of ed25519\/ed25519$/)
  assert.match(await refusal(keys, ['ee']), /no sound key of ecdsa\/ecdsa-sha2-nistp256$/)
  assert.match(await refusal(keys, Object.keys(keys)), /(; the key .*){3}; and 2 more like it$/)
})

test('T2 where every key can be used, the count says it all', async () => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(-32).toString('hex')
  const keys = { aa: { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: raw } } }
  assert.equal(await refusal(keys, ['aa']), 'targets is signed by 0 of the 1 keys it needs')
  const sig = sign(null, signedBytes, privateKey).toString('hex')
  const signed = { signedBytes, signatures: [{ keyid: 'aa', sig }] }
  await verifyThreshold({ keys, role: role(['aa']) }, signed, 'targets')
})
