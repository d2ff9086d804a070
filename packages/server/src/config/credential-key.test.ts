import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { hexEncode, utf8Encode } from '@seaworthy/std/bytes'
import { systemRandom } from '@seaworthy/std/random'
import { systemSleep } from '@seaworthy/std/time'
import type { CredentialKey } from './credential-key.ts'
import { loadCredentialKey } from './credential-key.ts'

const ports = { random: systemRandom, sleep: systemSleep }
let folder: string
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'seaworthy-credential-key-'))
  await mkdir(join(folder, 'data'))
})
after(() => rm(folder, { recursive: true }))

const load = async (kind: 'file' | 'command', path: string): Promise<CredentialKey> => {
  const where = { credentialKey: { kind, path }, dataDir: join(folder, 'data') }
  return (await loadCredentialKey(where, ports))!
}
async function write(name: string, text: string, mode = 0o600): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, text)
  await chmod(path, mode)
  return path
}
const newKey = () => `${hexEncode(systemRandom.bytes(32))}\n`
const [one, other] = [utf8Encode('one'), utf8Encode('other')]

test('A8 attack: a key is opened for another credential, with another key, or after it was changed', async () => {
  const key = await load('file', await write('key', newKey()))
  const secret = systemRandom.bytes(32)
  const wrapped = await key.wrap(one, secret)
  assert.deepEqual(Buffer.from(await key.unwrap(one, wrapped)), Buffer.from(secret))
  await assert.rejects(key.unwrap(other, wrapped), /not encrypted under this key/)
  const stranger = await load('file', await write('stranger', newKey()))
  await assert.rejects(stranger.unwrap(one, wrapped), /not encrypted under this key/)
  for (let at = 0; at < wrapped.length; at += 1) {
    const changed = Uint8Array.from(wrapped)
    changed[at]! ^= 1
    await assert.rejects(key.unwrap(one, changed), /not encrypted under this key/)
    await assert.rejects(key.unwrap(one, wrapped.subarray(0, at)), /not encrypted under this key/)
  }
})

test('A8 attack: the key of stored credentials lies with what it encrypts, or open to others', async () => {
  const inside = await write('data/key', newKey())
  await assert.rejects(load('file', inside), /is in the data folder/)
  await symlink(inside, join(folder, 'outside'))
  await assert.rejects(load('file', join(folder, 'outside')), /is in the data folder/)
  await assert.rejects(load('file', await write('open', newKey(), 0o640)), /chmod 600/)
  await assert.rejects(load('file', await write('short', 'abc')), /64 hex digits/)
  await assert.rejects(load('file', join(folder, 'none')), /cannot be read/)
})

test('A8 a program holds the key: it is asked for each credential, and must answer well and in short', async () => {
  const program = await write(
    'program',
    '#!/bin/sh\nread -r question\nprintf %s "$question" | sed \'s/.*"key":\\("[^"]*"\\).*/{"key":\\1}/\'\n',
    0o700,
  )
  const key = await load('command', program)
  const wrapped = await key.wrap(one, other)
  assert.deepEqual(Buffer.from(await key.unwrap(one, wrapped)), Buffer.from(other))
  const says = async (name: string, text: string) =>
    (await load('command', await write(name, `#!/bin/sh\n${text}\n`, 0o700))).unwrap(one, wrapped)
  await assert.rejects(says('fails', 'exit 3'), /ended with 3/)
  await assert.rejects(says('no-json', 'echo hello'), /answered something else/)
  await assert.rejects(says('no-base64', `echo '{"key":"*"}'`), /answered something else/)
  await assert.rejects(says('long', 'yes'), /answers too much/)
})
