import assert from 'node:assert/strict'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { parsePublicKey, publicKeyLengthMax } from './index.ts'

const refused =
  (code: string, words = /./) =>
  (error: unknown) => {
    assert.equal((error as { code?: string }).code, code, String(error))
    assert.match(String(error), words)
    return true
  }
const refuses = (text: string, code: string, words?: RegExp) =>
  assert.rejects(parsePublicKey(text), refused(code, words), text.slice(0, 60))

/** A string with its length in front. */
function part(bytes: Uint8Array | string): Buffer {
  const given = Buffer.from(bytes)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(given.length)
  return Buffer.concat([length, given])
}
const line = (kind: string, ...parts: (Uint8Array | string)[]) =>
  `${kind} ${Buffer.concat([kind, ...parts].map(part)).toString('base64')}`
/** A number as SSH writes it. */
function mpint(bytes: Uint8Array): Buffer {
  return bytes[0]! >= 0x80 ? Buffer.concat([Buffer.alloc(1), bytes]) : Buffer.from(bytes)
}
const jwkOf = (key: KeyObject) => key.export({ format: 'jwk' })
const bytesOf = (text: string | undefined) => Buffer.from(text!, 'base64url')

function rsaLine(modulusLength: number): string {
  const { n, e } = jwkOf(generateKeyPairSync('rsa', { modulusLength }).publicKey)
  return line('ssh-rsa', mpint(bytesOf(e)), mpint(bytesOf(n)))
}
function pointOf(namedCurve: string): Buffer {
  const { x, y } = jwkOf(generateKeyPairSync('ec', { namedCurve }).publicKey)
  return Buffer.concat([Buffer.of(4), bytesOf(x), bytesOf(y)])
}

/** The public host key that GitHub publishes, with the fingerprint that it publishes. */
const known = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl'
const knownFingerprint = 'SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU'

/** RFC 9580, A.1. */
const rfcKey = `-----BEGIN PGP PUBLIC KEY BLOCK-----

xjMEU/NfCxYJKwYBBAHaRw8BAQdAPwmJlL3ZFu1AUxl5NOSofIBzOhKA1i+AEJku
Q+47JAY=
-----END PGP PUBLIC KEY BLOCK-----
`

test('A1 SSH keys of all kinds that are taken have the fingerprint that others show, and no comment', async () => {
  assert.deepEqual(await parsePublicKey(`${known} ann@example.org\r\n`), {
    ...{ kind: 'ssh', algorithm: 'ssh-ed25519', fingerprint: knownFingerprint, publicKey: known },
  })
  const ed25519 = randomBytes(32)
  const taken = [
    line('ecdsa-sha2-nistp256', 'nistp256', pointOf('P-256')),
    line('ecdsa-sha2-nistp384', 'nistp384', pointOf('P-384')),
    line('ecdsa-sha2-nistp521', 'nistp521', pointOf('P-521')),
    rsaLine(3072),
    line('sk-ssh-ed25519@openssh.com', ed25519, 'ssh:'),
    line('sk-ecdsa-sha2-nistp256@openssh.com', 'nistp256', pointOf('P-256'), 'ssh:work'),
  ]
  for (const one of taken) {
    const { algorithm, publicKey } = await parsePublicKey(`${one}  a comment “of” mine`)
    assert.deepEqual([algorithm, publicKey], [one.split(' ')[0], one])
  }
})

test('A1 attack: a weak, unknown, damaged or doubled SSH key is refused by name', async () => {
  await refuses(rsaLine(2048), 'public_key_unusable', /3072 to 16384 bits, and this one has 2048/)
  await refuses(line('ssh-dss', randomBytes(128)), 'public_key_unusable', /of this kind/)
  await refuses(line('constructor', 'x'), 'public_key_unusable')
  await refuses(line('ssh-ed25519-cert-v01@openssh.com', randomBytes(32)), 'public_key_unusable')
  const { n } = jwkOf(generateKeyPairSync('rsa', { modulusLength: 3072 }).publicKey)
  const modulus = mpint(bytesOf(n))
  await refuses(line('ssh-rsa', Buffer.of(3), modulus), 'public_key_unusable', /exponent/)
  await refuses(line('ssh-rsa', Buffer.of(1, 0, 0), modulus), 'public_key_unusable', /exponent/)
  const padded = Buffer.concat([Buffer.alloc(400), modulus])
  await refuses(line('ssh-rsa', Buffer.of(1, 0, 1), padded), 'public_key_malformed', /shortest/)
  const off = pointOf('P-256')
  off[64]! ^= 1
  await refuses(line('ecdsa-sha2-nistp256', 'nistp256', off), 'public_key_malformed', /the curve/)
  const swapped = line('ecdsa-sha2-nistp256', 'nistp384', pointOf('P-384'))
  await refuses(swapped, 'public_key_malformed', /two curves/)
  const inner = Buffer.concat([part('ssh-rsa'), part(randomBytes(32))]).toString('base64')
  await refuses(`ssh-ed25519 ${inner}`, 'public_key_malformed', /two kinds/)
  await refuses(line('ssh-ed25519', randomBytes(31)), 'public_key_malformed', /32 bytes/)
  await refuses(line('ssh-ed25519', randomBytes(32), 'more'), 'public_key_malformed', /follows/)
  await refuses(
    line('sk-ssh-ed25519@openssh.com', randomBytes(32), 'https://x'),
    'public_key_malformed',
  )
  await refuses(`${known}\n${known}`, 'public_key_malformed', /one line/)
  await refuses(`command="sh" ${known}`, 'public_key_malformed', /one line/)
  await refuses(`${known} name\u0007`, 'public_key_malformed')
  await refuses('', 'public_key_malformed')
  await refuses('x'.repeat(publicKeyLengthMax + 1), 'public_key_malformed', /at most/)
})

/** Old-form packets with two bytes of length. */
function packet(tag: number, body: Uint8Array): Buffer {
  return Buffer.concat([
    Buffer.of(0x80 | (tag << 2) | 1, body.length >> 8, body.length & 255),
    body,
  ])
}
const armoured = (bytes: Uint8Array, more = '') =>
  `-----BEGIN PGP PUBLIC KEY BLOCK-----\nComment: a test\n\n${Buffer.from(bytes)
    .toString('base64')
    .replace(/.{64}/g, '$&\n')
    .trim()}\n${more}-----END PGP PUBLIC KEY BLOCK-----`
const ed25519Body = (version = 4) =>
  Buffer.concat([
    Buffer.from([version, 0, 0, 0, 1, 22, 9, 0x2b, 6, 1, 4, 1, 0xda, 0x47, 0x0f, 1, 1, 7, 0x40]),
    randomBytes(32),
  ])
function rsaBody(bits: number): Buffer {
  const modulus = randomBytes(Math.ceil(bits / 8))
  modulus[0] = (modulus[0]! | 0x80) >> (7 - ((bits - 1) % 8))
  return Buffer.concat([
    Buffer.from([4, 0, 0, 0, 1, 1, bits >> 8, bits & 255]),
    modulus,
    Buffer.from([0, 17, 1, 0, 1]),
  ])
}

test("A1 OpenPGP keys have the fingerprint of the RFC's own key, and lose their headers", async () => {
  const fingerprint = 'C959BDBAFA32A2F89A153B678CFDE12197965A9A'
  const publicKey = rfcKey.replace('\n-----END', '\n=zD4a\n-----END')
  const key = { kind: 'openpgp', algorithm: 'eddsa', fingerprint, publicKey }
  assert.deepEqual(await parsePublicKey(rfcKey), key)
  const headed = rfcKey.replace('\n\n', '\nVersion: x 1\nComment: more words\n\n')
  assert.deepEqual(await parsePublicKey(headed.replaceAll('\n', '\r\n')), key)
  const whole = [packet(6, rsaBody(4096)), packet(13, Buffer.from('Ann')), packet(2, rsaBody(64))]
  assert.equal((await parsePublicKey(armoured(Buffer.concat(whole)))).algorithm, 'rsa4096')
})

test('A1 attack: a secret, weak, damaged or doubled OpenPGP key is refused by name', async () => {
  const key = packet(6, ed25519Body())
  await refuses(armoured(packet(5, ed25519Body())), 'public_key_private', /PRIVATE/)
  const withSecret = Buffer.concat([key, packet(7, ed25519Body())])
  await refuses(armoured(withSecret), 'public_key_private')
  await refuses(armoured(packet(6, rsaBody(2048))), 'public_key_unusable', /has 2048/)
  const lying = rsaBody(4096)
  lying[8] = 0
  await refuses(armoured(packet(6, lying)), 'public_key_malformed', /another length/)
  await refuses(armoured(packet(6, ed25519Body(3))), 'public_key_unusable', /version 4 or 6/)
  await refuses(armoured(Buffer.concat([key, key])), 'public_key_malformed', /exactly one/)
  await refuses(armoured(packet(13, Buffer.from('Ann'))), 'public_key_malformed')
  await refuses(armoured(Buffer.concat([key, packet(8, key)])), 'public_key_malformed', /kind 8/)
  await refuses(armoured(key.subarray(0, -1)), 'public_key_malformed', /ends early/)
  await refuses(armoured(key, '=AAAA\n'), 'public_key_malformed', /checksum/)
  await refuses(`${rfcKey}${rfcKey}`, 'public_key_malformed')
  await refuses(rfcKey.replace('\n\n', '\n'), 'public_key_malformed', /empty line/)
})

test('A1 attack: a private key of any form is refused loudly, and no message repeats it', async () => {
  const { privateKey } = generateKeyPairSync('ed25519')
  const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
  const secret = pem.split('\n')[1]!
  const forms = [
    pem,
    pem.replaceAll('PRIVATE KEY', 'OPENSSH PRIVATE KEY'),
    pem.replaceAll('PRIVATE KEY', 'ENCRYPTED PRIVATE KEY'),
    pem.replaceAll('PRIVATE KEY', 'PGP PRIVATE KEY BLOCK'),
    `${known}\n${pem}`,
    `PuTTY-User-Key-File-3: ssh-ed25519\nPrivate-Lines: 1\n${secret}`,
    JSON.stringify(privateKey.export({ format: 'jwk' })),
  ]
  for (const form of forms) {
    await assert.rejects(parsePublicKey(form), (error: Error) => {
      assert.match(String(error), /PRIVATE key: it is not kept/)
      assert.ok(!String(error).includes(secret))
      return refused('public_key_private')(error)
    })
  }
})

test('A1 attack: whatever is changed about a key, it is refused by name or is another key (property)', async () => {
  const texts = [known, rfcKey.trim(), rsaLine(3072)]
  const originals = await Promise.all(texts.map(parsePublicKey))
  await fc.assert(
    fc.asyncProperty(
      fc.nat(texts.length - 1),
      fc.nat(),
      fc.string({ maxLength: 3, unit: 'grapheme' }),
      fc.nat(3),
      async (which, at, more, less) => {
        const text = texts[which]!
        const from = at % text.length
        const changed = text.slice(0, from) + more + text.slice(from + less)
        const read = await parsePublicKey(changed).catch((error: unknown) => {
          assert.match(String((error as { code?: string }).code), /^public_key_/)
          return undefined
        })
        if (read === undefined) return
        assert.deepEqual(await parsePublicKey(read.publicKey), read)
        const isSame = read.publicKey === originals[which]!.publicKey
        assert.equal(isSame, read.fingerprint === originals[which]!.fingerprint)
      },
    ),
    { numRuns: 500, interruptAfterTimeLimit: 20_000, markInterruptAsFailure: false },
  )
})
