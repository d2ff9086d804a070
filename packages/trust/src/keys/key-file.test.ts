import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync, sign as signWithKey } from 'node:crypto'
import { test } from 'node:test'
import { hexEncode, utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import { TrustError } from '@seaworthy/std/refusal'
import { systemRandom } from '@seaworthy/std/random'
import { dayMs } from '@seaworthy/std/time'
import { canonicalJson } from '../tuf/json.ts'
import { buildTargets, signMetadata } from '../tuf/repository.ts'
import { parseMetadata } from '../tuf/parse-metadata.ts'
import { verifyThreshold } from '../tuf/threshold.ts'
import { ecdsaRawToDer, encodePem } from './der.ts'
import { generateKeyPair, keyId, openKeyFile, parsePublicKeyFile, sealKeyFile } from './index.ts'
import type { Argon2id, PublicKey, Signer } from './index.ts'

/**
 * The tests are about the file: a hash stands in for the key derivation, so that thousands of
 * openings take a second.
 */
const argon2id: Argon2id = async ({ passphrase, salt, memoryKiB, passes, parallelism }) =>
  new Uint8Array(
    createHash('sha256')
      .update(passphrase)
      .update(salt)
      .update(`${memoryKiB} ${passes} ${parallelism}`)
      .digest(),
  )
const cost = { memoryKiB: 8192, passes: 1, parallelism: 1 }
const passphrase = 'correct horse'

async function makeFile() {
  const pair = await generateKeyPair('ed25519')
  const text = await sealKeyFile({ ...pair, passphrase, cost }, { argon2id, random: systemRandom })
  return { ...pair, text }
}

type File = Record<string, unknown> & {
  kdf: Record<string, unknown>
  cipher: Record<string, unknown>
}

/** The file with a change and a checksum that fits: not damaged, but forged. */
function forge(text: string, change: (file: File) => void): Uint8Array<ArrayBuffer> {
  const file = JSON.parse(text) as File
  change(file)
  delete file['checksum']
  const checksum = createHash('sha256').update(canonicalJson(file)).digest('hex')
  return utf8Encode(JSON.stringify({ ...file, checksum }))
}

const codeOf = async (bytes: Uint8Array, phrase = passphrase): Promise<string> => {
  try {
    await openKeyFile(bytes, phrase, { argon2id })
    return 'opened'
  } catch (error) {
    assert.ok(error instanceof TrustError, String(error))
    return String(error.code)
  }
}

test('T4 each single flipped bit of a key file is called damage, never a wrong passphrase, and never opens another key', async () => {
  const { key, text } = await makeFile()
  const whole = utf8Encode(text)
  const counts: Record<string, number> = {}
  for (let bit = 0; bit < whole.length * 8; bit++) {
    const bytes = new Uint8Array(whole)
    bytes[bit >> 3]! ^= 1 << (bit & 7)
    const code = await codeOf(bytes)
    counts[code] = (counts[code] ?? 0) + 1
    if (code !== 'opened') continue
    // White space between members means nothing: what was read is the very same file.
    assert.deepEqual(JSON.parse(utf8Decode(bytes)), JSON.parse(text), `bit ${bit}`)
    assert.equal(await keyId(await parsePublicKeyFile(bytes)), await keyId(key))
  }
  const { opened = 0, key_file_damaged: damaged = 0, key_file_malformed: malformed = 0 } = counts
  assert.equal(opened + damaged + malformed, whole.length * 8, JSON.stringify(counts))
  assert.ok(damaged > 4 * opened)
})

test('T4 a wrong passphrase is said to be one, in any spelling of the right one it opens', async () => {
  const { text } = await makeFile()
  assert.equal(await codeOf(utf8Encode(text)), 'opened')
  for (const wrong of ['', 'correct horse ', 'Correct horse', '\u0000']) {
    assert.equal(await codeOf(utf8Encode(text), wrong), 'wrong_passphrase')
  }
})

test('T4 whatever is replaced in a sealed file, with its checksum put right, does not open it', async () => {
  const [mine, other] = [await makeFile(), await makeFile()]
  const strange = JSON.parse(other.text) as File
  const changes: Record<string, (file: File) => void> = {
    'another public key': (file) => {
      file['key'] = strange['key']
      file['keyid'] = strange['keyid']
    },
    'another secret': (file) => (file['ciphertext'] = strange['ciphertext']),
    'another salt': (file) => (file.kdf['salt'] = strange.kdf['salt']),
    'another nonce': (file) => (file.cipher['nonce'] = strange.cipher['nonce']),
    'another cost': (file) => (file.kdf['passes'] = 2),
    'no secret': (file) => (file['ciphertext'] = ''),
  }
  for (const [what, change] of Object.entries(changes)) {
    assert.equal(await codeOf(forge(mine.text, change)), 'wrong_passphrase', what)
  }
})

test('T4 unknown or missing parameters are refused before anything is derived', async () => {
  const { text } = await makeFile()
  const changes: ((file: File) => void)[] = [
    (file) => (file['format'] = 'seaworthy-key-v2'),
    (file) => (file['extra'] = 1),
    (file) => delete file['keyid'],
    (file) => (file['keyid'] = '0'.repeat(64)),
    (file) => (file.kdf['name'] = 'argon2i'),
    (file) => (file.kdf['secret'] = ''),
    (file) => delete file.kdf['salt'],
    (file) => (file.kdf['salt'] = ''),
    (file) => (file.kdf['salt'] = 'zz'.repeat(16)),
    (file) => (file.cipher['name'] = 'aes-256-cbc'),
    (file) => (file.cipher['nonce'] = '00'),
    (file) => (file.cipher['tag'] = 16),
    (file) => (file['ciphertext'] = 'not base64!'),
    (file) => (file['kdf'] = null as never),
    (file) => (file['cipher'] = [] as never),
  ]
  const refuse: Argon2id = () => assert.fail('was derived')
  for (const change of changes) {
    await assert.rejects(
      openKeyFile(forge(text, change), passphrase, { argon2id: refuse }),
      { code: 'key_file_malformed' },
      change.toString(),
    )
  }
})

test('T4 a cost outside of the bounds is refused before it is spent, at both ends', async () => {
  const { text } = await makeFile()
  const refuse: Argon2id = () => assert.fail('was spent')
  for (const [name, value] of [
    ['memoryKiB', 8191],
    ['memoryKiB', 1_048_577],
    ['memoryKiB', 2 ** 40],
    ['passes', 0],
    ['passes', 17],
    ['parallelism', 0],
    ['parallelism', 17],
    ['passes', '3'],
    ['passes', null],
  ] as const) {
    const bytes = forge(text, (file) => (file.kdf[name] = value))
    await assert.rejects(openKeyFile(bytes, passphrase, { argon2id: refuse }), {
      code: 'key_file_malformed',
    })
  }
})

/**
 * A signer like a PKCS#11 token: the private key stays behind an asynchronous call, P-256
 * signatures come back as r and s over a digest that is made outside, and the token may be gone.
 */
function tokenSigner(algorithm: 'ed25519' | 'p256', isPresent: () => boolean) {
  const token =
    algorithm === 'ed25519'
      ? generateKeyPairSync('ed25519')
      : generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const spki = new Uint8Array(token.publicKey.export({ type: 'spki', format: 'der' }))
  const key: PublicKey =
    algorithm === 'ed25519'
      ? { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: hexEncode(spki.slice(-32)) } }
      : {
          keytype: 'ecdsa',
          scheme: 'ecdsa-sha2-nistp256',
          keyval: { public: encodePem(spki) },
        }
  const callToken = async (message: Uint8Array): Promise<Uint8Array> => {
    await Promise.resolve()
    if (!isPresent()) throw new Error('CKR_TOKEN_NOT_PRESENT')
    return algorithm === 'ed25519'
      ? signWithKey(null, message, token.privateKey)
      : signWithKey('sha256', message, { key: token.privateKey, dsaEncoding: 'ieee-p1363' })
  }
  return async (): Promise<Signer> => ({
    key,
    keyId: await keyId(key),
    sign: async (message) => {
      const raw = await callToken(message)
      return hexEncode(algorithm === 'ed25519' ? raw : ecdsaRawToDer(raw))
    },
  })
}

test('T4 a signer whose key lies in a token signs metadata like any other, and its absence is its own error', async () => {
  let isPresent = true
  const signers = await Promise.all([
    tokenSigner('ed25519', () => isPresent)(),
    tokenSigner('p256', () => isPresent)(),
  ])
  const targets = buildTargets(new Date(1_790_000_000_000 + dayMs))
  const metadata = await parseMetadata('targets', await signMetadata(targets, signers), 'strict')
  const ring = {
    keys: Object.fromEntries(signers.map((signer) => [signer.keyId, signer.key])),
    role: { keyids: signers.map((signer) => signer.keyId), threshold: 2 },
  }
  await verifyThreshold(ring, metadata, 'targets')
  isPresent = false
  await assert.rejects(signMetadata(targets, signers), /CKR_TOKEN_NOT_PRESENT/)
})
