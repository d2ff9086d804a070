import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { base64Decode, base64Encode, utf8Encode } from '@seaworthy/std/bytes'
import { generateReceivingKey } from '../hpke/index.ts'
import { generateKeyPair, generateSigner, keyId } from '../keys/index.ts'
import type { PublicKey, Signer } from '../keys/index.ts'
import type { Enrolment } from './index.ts'
import { enrol, parseEnrolmentKey, signProvisioningKey, verifyEnrolment } from './index.ts'

const [ann, ben, eve] = [
  await generateSigner('ed25519'),
  await generateSigner('p256'),
  await generateSigner('ed25519'),
]
const authority = { keys: [ann.key, ben.key], threshold: 2 }
const device = (await generateSigner('ed25519')).key
const other = (await generateSigner('ed25519')).key

async function makeKey(holders: readonly Signer[], fleet = 'shops') {
  const { key, pkcs8 } = await generateKeyPair('ed25519')
  const certificate = await signProvisioningKey({ product: 'acme', fleet, publicKey: key }, holders)
  return { certificate, pkcs8: base64Encode(pkcs8) }
}

const receivingKeys = [await generateReceivingKey(), await generateReceivingKey()].map(
  ({ publicKey }) => base64Encode(publicKey),
)
const receivingKey = receivingKeys[0]!
const enrolment = await enrol(await makeKey([ann, ben]), { publicKey: device, receivingKey })

const verify = (
  value: unknown,
  changes: Partial<{
    product: string
    fleet: string
    publicKey: PublicKey
    holders: typeof authority
  }> = {},
) =>
  verifyEnrolment(value, {
    holders: authority,
    product: 'acme',
    fleet: 'shops',
    publicKey: device,
    ...changes,
  })

test('A10 holder, provisioning key and device key are verified, and the receiving key comes of it', async () => {
  const verified = await verify(enrolment)
  assert.deepEqual(verified.receivingKey, base64Decode(receivingKey))
  assert.deepEqual(
    [verified.provisioningKeyId, verified.holderKeyIds],
    [await keyId(enrolment.certificate.publicKey), [ann.keyId, ben.keyId]],
  )
  // What a server stored and gave back, members in any order.
  const stored: unknown = JSON.parse(
    JSON.stringify({ ...enrolment, signature: enrolment.signature }),
  )
  assert.deepEqual(await verify(stored), verified)
})

test('A10 attack: another receiving key under the same signing key, or another signing key, is another reader', async () => {
  const key = await makeKey([ann, ben])
  const { readerId } = await verify(enrolment)
  const again = await enrol(key, { publicKey: device, receivingKey })
  assert.equal((await verify(again)).readerId, readerId)
  const exchanged = await enrol(key, { publicKey: device, receivingKey: receivingKeys[1]! })
  assert.notEqual((await verify(exchanged)).readerId, readerId)
  const elsewhere = await enrol(key, { publicKey: other, receivingKey })
  assert.notEqual((await verify(elsewhere, { publicKey: other })).readerId, readerId)
})

test('A10 attack: a server that exchanges the receiving key, the signing key or the device is caught', async () => {
  const differ = { code: 'enrolment_keys_differ' }
  await assert.rejects(verify({ ...enrolment, receivingKey: receivingKeys[1] }), differ)
  await assert.rejects(verify(enrolment, { publicKey: other }), differ)
  const own = await enrol(await makeKey([eve, eve]), { publicKey: device, receivingKey })
  await assert.rejects(verify(own), { code: 'enrolment_not_by_holders' })
  await assert.rejects(verify({ ...own, certificate: enrolment.certificate }), differ)
})

test('A10 attack: a device that enrols a point to which nothing can be sealed is not enrolled', async () => {
  for (const point of [new Uint8Array(32), new Uint8Array(32).fill(1, 0, 1)]) {
    const keys = { publicKey: device, receivingKey: base64Encode(point) }
    const made = await enrol(await makeKey([ann, ben]), keys)
    await assert.rejects(verify(made), { code: 'receiving_key_degenerate' })
  }
})

test('A10 attack: fewer holders than the threshold, one twice, or one who left, enrol nobody', async () => {
  const refused = { code: 'enrolment_not_by_holders' }
  for (const holders of [[], [ann], [ann, ann], [ann, eve]]) {
    const made = await enrol(await makeKey(holders), { publicKey: device, receivingKey })
    await assert.rejects(verify(made), refused)
  }
  const withoutBen = { keys: [ann.key, eve.key], threshold: 2 }
  await assert.rejects(verify(enrolment, { holders: withoutBen }), refused)
  await assert.rejects(verify(enrolment, { holders: { keys: [], threshold: 0 } }), refused)
})

test('A10 attack: a device of one fleet is not enrolled in another, nor in another product', async () => {
  const wrong = { code: 'enrolment_wrong_fleet' }
  await assert.rejects(verify(enrolment, { fleet: 'production' }), wrong)
  await assert.rejects(verify(enrolment, { product: 'other' }), wrong)
  const renamed = { ...enrolment.certificate, fleet: 'production' }
  await assert.rejects(verify({ ...enrolment, certificate: renamed }, { fleet: 'production' }), {
    code: 'enrolment_not_by_holders',
  })
})

test('A10 whatever one member of an enrolment becomes, it is refused by a code (property)', async () => {
  const paths: (readonly [keyof Enrolment] | readonly ['certificate', string])[] = [
    ['receivingKey'],
    ['signature'],
    ['certificate'],
    ['certificate', 'product'],
    ['certificate', 'fleet'],
    ['certificate', 'publicKey'],
    ['certificate', 'signatures'],
  ]
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...paths), fc.jsonValue(), async ([name, inner], junk) => {
      const changed =
        inner === undefined
          ? { ...enrolment, [name]: junk }
          : { ...enrolment, certificate: { ...enrolment.certificate, [inner]: junk } }
      await assert.rejects(verify(changed), (error: { code?: unknown }) =>
        /^enrolment_/.test(String(error.code)),
      )
    }),
    { numRuns: 200, interruptAfterTimeLimit: 30_000, markInterruptAsFailure: false },
  )
  for (const junk of [null, 7, [], {}, { ...enrolment, more: 1 }]) {
    await assert.rejects(verify(junk), { code: 'enrolment_malformed' })
  }
})

test('A10 an enrolment key that is none is refused by name', async () => {
  const key = await makeKey([ann, ben])
  const text = base64Encode(utf8Encode(JSON.stringify(key)))
  assert.deepEqual(parseEnrolmentKey(text).pkcs8, key.pkcs8)
  for (const junk of ['', '!', base64Encode(utf8Encode('{}')), text.slice(0, -8)]) {
    assert.throws(() => parseEnrolmentKey(junk), { code: 'enrolment_malformed' })
  }
  // The private half of another key signs nothing.
  const mixed = { ...key, pkcs8: (await makeKey([ann, ben])).pkcs8 }
  await assert.rejects(enrol(mixed, { publicKey: device, receivingKey }), { code: 'key_malformed' })
})
