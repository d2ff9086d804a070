import assert from 'node:assert/strict'
import { argon2Sync, generateKeyPairSync, sign, constants } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { hexDecode, hexEncode, utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import { TrustError } from '@seaworthy/std/refusal'
import { systemRandom } from '@seaworthy/std/random'
import { ecdsaDerToRaw, ecdsaRawToDer } from './der.ts'
import {
  formatPublicKeyFile,
  generateKeyPair,
  generateSigner,
  isSignedBy,
  keyId,
  openKeyFile,
  parsePublicKey,
  parsePublicKeyFile,
  readForeignKey,
  registrationMessage,
  reportMessage,
  sealKeyFile,
  signerFromPkcs8,
} from './index.ts'
import type { Argon2id } from './index.ts'

const argon2id: Argon2id = async (input) =>
  new Uint8Array(
    argon2Sync('argon2id', {
      message: input.passphrase,
      nonce: input.salt,
      memory: input.memoryKiB,
      passes: input.passes,
      parallelism: input.parallelism,
      tagLength: input.lengthBytes,
    }),
  )
const cheap = { memoryKiB: 8192, passes: 1, parallelism: 1 }
const message = utf8Encode('what is signed')

for (const algorithm of ['ed25519', 'p256'] as const) {
  test(`${algorithm}: a signature verifies for its key and message alone`, async () => {
    const signer = await generateSigner(algorithm)
    const other = await generateSigner(algorithm)
    const key = parsePublicKey(signer.key)
    const signature = await signer.sign(message)
    assert.ok(await isSignedBy(key, message, signature))
    assert.ok(!(await isSignedBy(parsePublicKey(other.key), message, signature)))
    assert.ok(!(await isSignedBy(key, utf8Encode('other'), signature)))
    for (let i = 0; i < signature.length; i += 7) {
      const flipped =
        signature.slice(0, i) + (signature[i] === '0' ? '1' : '0') + signature.slice(i + 1)
      assert.ok(!(await isSignedBy(key, message, flipped)), `digit ${i}`)
    }
    for (const wrong of ['', 'zz', signature.toUpperCase(), `${signature}00`, 'f'.repeat(5000)]) {
      assert.ok(!(await isSignedBy(key, message, wrong)), wrong.slice(0, 9))
    }
    assert.equal(signer.keyId, await keyId(signer.key))
  })

  test(`${algorithm}: a key file opens with its passphrase, and tells damage from a wrong one`, async () => {
    const { key, pkcs8 } = await generateKeyPair(algorithm)
    const passphrase = 'Pässphrase \u{1F511}'
    const text = await sealKeyFile(
      { key, pkcs8, passphrase, cost: cheap },
      { argon2id, random: systemRandom },
    )
    const bytes = utf8Encode(text)
    assert.ok(!text.includes(hexEncode(pkcs8).slice(-64)))
    const signer = await openKeyFile(bytes, passphrase.normalize('NFD'), { argon2id })
    assert.ok(await isSignedBy(parsePublicKey(key), message, await signer.sign(message)))
    assert.deepEqual(JSON.parse(JSON.stringify(await parsePublicKeyFile(bytes))), key)

    await assert.rejects(openKeyFile(bytes, 'wrong', { argon2id }), { code: 'wrong_passphrase' })
    for (const member of ['ciphertext', 'nonce', 'salt', 'public'] as const) {
      const damaged = text.replace(
        new RegExp(`("${member}": ".{8})(.)`),
        (_all, before: string, c: string) => `${before}${c === '1' ? '2' : '1'}`,
      )
      assert.notEqual(damaged, text)
      await assert.rejects(openKeyFile(utf8Encode(damaged), passphrase, { argon2id }), {
        code: 'key_file_damaged',
      })
    }
  })
}

test('the public key of another file cannot be put into a sealed key file', async () => {
  const [a, b] = [await generateKeyPair('ed25519'), await generateKeyPair('ed25519')]
  const sealed = await sealKeyFile(
    { ...a, passphrase: 'p', cost: cheap },
    { argon2id, random: systemRandom },
  )
  const file = JSON.parse(sealed)
  delete file.checksum
  file.key = b.key
  file.keyid = await keyId(b.key)
  const { canonicalJson } = await import('../tuf/json.ts')
  file.checksum = hexEncode(
    new Uint8Array(await crypto.subtle.digest('SHA-256', canonicalJson(file))),
  )
  await assert.rejects(openKeyFile(utf8Encode(JSON.stringify(file)), 'p', { argon2id }), {
    code: 'wrong_passphrase',
  })
})

test('a private key that does not belong to the public key is refused', async () => {
  const [a, b] = [await generateKeyPair('ed25519'), await generateKeyPair('ed25519')]
  await assert.rejects(signerFromPkcs8(a.key, b.pkcs8), { code: 'key_malformed' })
  await assert.rejects(signerFromPkcs8(a.key, new Uint8Array(10)), { code: 'key_malformed' })
})

test('a cost that would exhaust the machine is refused before it is spent', async () => {
  const { key, pkcs8 } = await generateKeyPair('ed25519')
  const text = await sealKeyFile(
    { key, pkcs8, passphrase: 'p', cost: { ...cheap, memoryKiB: 2 ** 30 } },
    { argon2id: async () => new Uint8Array(32), random: systemRandom },
  )
  await assert.rejects(
    openKeyFile(utf8Encode(text), 'p', { argon2id: () => assert.fail('was spent') }),
    { code: 'key_file_malformed' },
  )
})

test('the public form is read back, also as a bare key object', async () => {
  const { key } = await generateKeyPair('p256')
  for (const text of [await formatPublicKeyFile(key), JSON.stringify(key)]) {
    assert.equal(await keyId(await parsePublicKeyFile(utf8Encode(text))), await keyId(key))
  }
  const wrongId = (await formatPublicKeyFile(key)).replace(/"keyid": ".{4}/, '"keyid": "0000')
  await assert.rejects(parsePublicKeyFile(utf8Encode(wrongId)), { code: 'key_file_malformed' })
})

test('keys are read in one form only', async () => {
  const { key } = await generateKeyPair('p256')
  const ed = (await generateKeyPair('ed25519')).key
  for (const wrong of [
    null,
    [],
    {},
    { ...ed, extra: 1 },
    { ...ed, keyval: { ...ed.keyval, private: '' } },
    { ...ed, keyval: { public: ed.keyval.public.toUpperCase() } },
    { ...ed, keyval: { public: `${ed.keyval.public}00` } },
    { ...ed, scheme: 'ed25519ph' },
    { ...key, keyval: { public: key.keyval.public.trim() } },
    { ...key, keyval: { public: key.keyval.public.replace('\n', '\r\n') } },
    { ...key, keytype: 'ecdsa-sha2-nistp256' },
    { keytype: 'rsa', scheme: 'rsassa-pss-sha256', keyval: { public: 'x' } },
  ]) {
    assert.throws(() => parsePublicKey(wrong), TrustError)
  }
})

test('T7 degenerate ed25519 keys, whose signatures say nothing, are refused', () => {
  for (const text of [
    '0000000000000000000000000000000000000000000000000000000000000000',
    '0100000000000000000000000000000000000000000000000000000000000000',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  ]) {
    const key = { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: text } }
    assert.throws(() => parsePublicKey(key), { code: 'key_malformed' }, text)
  }
})

test('foreign repositories: RSA-PSS, P-384 and hexadecimal points verify; material ignores the spelling', async () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const rsaKey = await readForeignKey({
    keytype: 'rsa',
    scheme: 'rsassa-pss-sha256',
    keyval: { public: rsa.publicKey.export({ type: 'spki', format: 'pem' }) },
  })
  for (const saltLength of [32, constants.RSA_PSS_SALTLEN_MAX_SIGN]) {
    const padding = constants.RSA_PKCS1_PSS_PADDING
    const signature = sign('sha256', message, { key: rsa.privateKey, padding, saltLength })
    assert.ok(await isSignedBy(rsaKey!, message, signature.toString('hex')))
  }
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' })
  const p384Key = await readForeignKey({
    keytype: 'ecdsa',
    scheme: 'ecdsa-sha2-nistp384',
    keyval: { public: p384.publicKey.export({ type: 'spki', format: 'pem' }) },
  })
  assert.ok(
    await isSignedBy(p384Key!, message, sign('sha384', message, p384.privateKey).toString('hex')),
  )

  const { key } = await generateKeyPair('p256')
  const { bytes, material } = parsePublicKey(key)
  for (const text of [key.keyval.public.trim(), hexEncode(bytes.slice(-65))]) {
    const again = await readForeignKey({
      keytype: 'ecdsa-sha2-nistp256',
      scheme: 'ecdsa-sha2-nistp256',
      keyval: { public: text },
      more: 1,
    })
    assert.equal(again?.material, material)
  }
  for (const wrong of [null, {}, { keytype: 'x', scheme: 'y', keyval: { public: 'z' } }]) {
    assert.equal(await readForeignKey(wrong), undefined)
  }
})

test('ECDSA signatures go from DER to raw in one way only', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 64, maxLength: 64 }), (raw) => {
      assert.deepEqual(ecdsaDerToRaw(ecdsaRawToDer(raw), 32), new Uint8Array(raw))
    }),
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      const raw = ecdsaDerToRaw(bytes, 32)
      if (raw) assert.deepEqual(ecdsaRawToDer(raw), new Uint8Array(bytes))
    }),
  )
  for (const [name, der] of [
    ['padded', '3007020200010201ff'],
    ['negative', '3006020180020101'],
    ['trailing', '300602010102010100'],
    ['long form', '308106020101020101'],
    ['empty integer', '30050200020101'],
  ] as const) {
    assert.equal(ecdsaDerToRaw(hexDecode(der), 32), undefined, name)
  }
})

test('garbage in place of a key file only ever gives coded refusals', async () => {
  const whole = utf8Encode(await formatPublicKeyFile((await generateKeyPair('ed25519')).key))
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(255), fc.boolean(), async (at, byte, cut) => {
      const bytes = cut ? whole.slice(0, at) : whole.with(at, byte)
      await parsePublicKeyFile(bytes).catch((error: unknown) => {
        assert.ok(error instanceof TrustError, String(error))
      })
    }),
    { numRuns: 2000 },
  )
})

test('D8 what a device key signs begins with the words of the contract', () => {
  assert.equal(utf8Decode(reportMessage(utf8Encode('{"a":1}'))), 'seaworthy-report-v1\n{"a":1}')
  assert.equal(
    utf8Decode(registrationMessage('provisioning_a', 'key')),
    'seaworthy-register-v1\nprovisioning_a\nkey',
  )
})
