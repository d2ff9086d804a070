import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { upOptions, upVariablesText } from '@seaworthy/api/up-options'
import { seededRandom } from '@seaworthy/std/random'
import { checkConfig } from './config.ts'
import { readEnv } from './env.ts'
import { UsageError } from './settings.ts'
import { loadMasterKey, SealError, secretPurposes } from './master-key.ts'
import { readBlobCredentials } from './blob-credentials.ts'
import type { SecretName } from './master-key.ts'

const machine = { cwd: '/srv', coresCount: 4, isTerminal: false }
const noFile = () => {
  throw new Error('no file was named')
}
const env = (argv: string[], variables: Record<string, string> = {}) =>
  readEnv({ argv, variables, readFile: noFile })
const read = (argv: string[], variables: Record<string, string> = {}) =>
  checkConfig(env(argv, variables), machine)

test('without options there are sane defaults', () => {
  const config = read([])
  assert.equal(config.dataDir, '/srv/seaworthy-data')
  assert.deepEqual(config.blobs, { kind: 'folder', folder: '/srv/seaworthy-data/blobs' })
  assert.equal(config.masterKeyFile, '/srv/seaworthy-data/master.key')
  assert.deepEqual(config.listen, { host: '127.0.0.1', port: 8443 })
  assert.deepEqual([config.workersCount, config.databaseUrl, config.logLevel], [4, null, 'info'])
})

test('at a terminal the log stays out of the way of what is said to people, unless it is asked for', () => {
  const at = { ...machine, isTerminal: true }
  assert.equal(checkConfig(env([]), at).logLevel, 'warn')
  assert.equal(checkConfig(env(['--log-level', 'info']), at).logLevel, 'info')
})

test('options stand above variables', () => {
  const variables = { SEAWORTHY_LISTEN: '0.0.0.0:443', SEAWORTHY_NAMES: 'a.example,b.example' }
  assert.deepEqual(read([], variables).listen, { host: '0.0.0.0', port: 443 })
  assert.deepEqual(read([], variables).names, ['a.example', 'b.example'])
  assert.deepEqual(read(['--name', 'c.example'], variables).names, ['c.example'])
  assert.deepEqual(read(['--listen', '[::1]:0']).listen, { host: '::1', port: 0 })
})

test('the server reads every option of the table that the command line is built from, and every variable', () => {
  const none = env([])
  for (const option of upOptions) {
    // These say where settings come from, and that they are shown.
    if (option.name === 'config' || option.name === 'print-config') continue
    const byOption = env([`--${option.name}`, ...('value' in option ? ['here'] : [])])
    assert.notDeepEqual(byOption, none, option.name)
    if (!('variable' in option)) continue
    assert.deepEqual(env([], { [option.variable]: 'here' }), byOption, option.variable)
    assert.ok(upVariablesText.includes(option.variable))
  }
})

test('O5 traces go nowhere unless somebody says where', () => {
  assert.equal(read([]).traces, null)
  assert.equal(read(['--otlp-endpoint', '', '--trace-ratio', '0.5']).traces, null)
  assert.deepEqual(read(['--otlp-endpoint', 'http://127.0.0.1:4318/']).traces, {
    endpoint: 'http://127.0.0.1:4318/v1/traces',
    ratio: 1,
  })
  const variables = {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'https://otel.example/a',
    SEAWORTHY_TRACE_RATIO: '0.01',
  }
  assert.deepEqual(read([], variables).traces, {
    endpoint: 'https://otel.example/a/v1/traces',
    ratio: 0.01,
  })
})

test('A6 an ACME authority is named with the agreement to its terms, and port 80 opens with it', () => {
  const directory = 'https://authority.example/directory'
  const named = ['--listen', '0.0.0.0:443', '--acme-directory', directory]
  assert.deepEqual([read([]).acme, read([]).httpListen], [null, null])
  const { acme, httpListen } = read([...named, '--acme-agree-terms', '--acme-ca', 'root.pem'])
  assert.deepEqual(acme, {
    ...{ directory, email: null, challenge: 'http-01', caFile: '/srv/root.pem', binding: null },
  })
  assert.deepEqual(httpListen, { host: '0.0.0.0', port: 80 })
  const elsewhere = read([...named, '--acme-agree-terms', '--http-listen', '[::]:8080'])
  assert.deepEqual(elsewhere.httpListen, { host: '::', port: 8080 })
  const byTls = [...named, '--acme-agree-terms', '--acme-challenge', 'tls-alpn-01']
  assert.equal(read(byTls).httpListen, null)
  assert.throws(() => read(named), /--acme-agree-terms: read the terms/)
})

test('what cannot be meant is refused with what the option takes', () => {
  const wrong = [
    ['--listen', '8443'],
    ['--listen', 'host:99999'],
    ['--workers', '0'],
    ['--log-level', 'loud'],
    ['--otlp-endpoint', 'localhost:4318'],
    ['--otlp-endpoint', 'https://user:secret@otel.example'],
    ['--trace-ratio', '2'],
    ['--trace-ratio', ''],
    ['--name', 'not a host'],
    ['--name', '-x.example'],
    ['--name', 'under_score.example'],
    ['--name', '*.example'],
    ['--name', 'https://ship.example'],
    ['--name', 'ship.example:8443'],
    ['--name', `${'a'.repeat(64)}.example`],
    // URL parsers take these for addresses.
    ['--name', '127.1'],
    ['--name', '0x7f.1'],
    ['--name', '300.1.1.1'],
    ['--name', 'fe80::1%eth0'],
    ['--name', '0.0.0.0'],
    ['--name', '::'],
    ['--http-listen', '80'],
    ['--acme-agree-terms'],
    ['--acme-email', 'admin@ship.example'],
    ['--acme-challenge', 'tls-alpn-01'],
    ['--acme-binding-id', 'a'],
    ['--acme-agree-terms', '--acme-directory', 'http://authority.example/directory'],
    ['--acme-agree-terms', '--acme-directory', 'https://user:secret@authority.example/'],
    ['--acme-agree-terms', '--acme-directory', 'https://a.example/', '--acme-email', 'a@b?cc=c'],
    ['--acme-agree-terms', '--acme-directory', 'https://a.example/', '--tls-certificate', 'a.pem'],
    ['--acme-agree-terms', '--acme-directory', 'https://a.example/', '--acme-challenge', 'dns-01'],
    ['--acme-agree-terms', '--acme-directory', 'https://a.example/', '--acme-binding-id', 'a'],
    ['--database-url', 'mysql://x'],
    ['--blobs', 's3://'],
    ['--blobs', 'gs://bucket'],
    ['--blobs', 's3://bucket?endpoint=http://s3.example'],
    ['--database-url', 'postgres://u@h/d?sslmode=perhaps'],
    ['--unknown'],
    ['positional'],
  ]
  for (const argv of wrong) assert.throws(() => read(argv), UsageError, argv.join(' '))
})

test('object storage is named by an option, its credentials by variables alone', () => {
  const variables = { SEAWORTHY_S3_ENDPOINT: 'https://s3.example', AWS_REGION: 'eu-1' }
  const { blobs } = read(['--blobs', 's3://bucket/sea'], variables)
  assert.deepEqual(blobs, {
    kind: 's3',
    bucket: 'bucket',
    prefix: 'sea/',
    endpoint: 'https://s3.example',
    region: 'eu-1',
  })
  assert.equal(readBlobCredentials(read([]).blobs, {}), null)
  assert.throws(() => readBlobCredentials(blobs, { AWS_ACCESS_KEY_ID: 'x' }), UsageError)
  const keys = { AWS_ACCESS_KEY_ID: 'x', AWS_SECRET_ACCESS_KEY: 'y', AWS_SESSION_TOKEN: '' }
  assert.deepEqual(readBlobCredentials(blobs, keys), { accessKeyId: 'x', secretAccessKey: 'y' })
})

test('a password in --database-url is in no message', () => {
  assert.throws(
    () => read(['--database-url', 'postgres://sea:hunter2@h/d?x=1']),
    (error) =>
      error instanceof UsageError &&
      !JSON.stringify([error.message, error.stack, error.cause]).includes('hunter2'),
  )
})

test('A8 a sealed secret opens under its own name, version and key alone, and no changed bit passes', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'seaworthy-seal-'))
  t.after(() => rm(folder, { recursive: true }))
  const random = seededRandom(7)
  const key = await loadMasterKey(join(folder, 'a.key'), random, true)
  const other = await loadMasterKey(join(folder, 'b.key'), random, true)
  const names = Object.keys(secretPurposes) as SecretName[]
  const secret = random.bytes(100)
  for (const name of names) {
    const sealed = key.seal(name, 1, secret)
    assert.deepEqual(Buffer.from(key.open(name, 1, sealed)), Buffer.from(secret))
    assert.throws(() => key.open(name, 2, sealed), SealError)
    assert.throws(() => other.open(name, 1, sealed), SealError)
    for (const wrong of names.filter((candidate) => candidate !== name)) {
      assert.throws(() => key.open(wrong, 1, sealed), SealError)
    }
  }
  const sealed = key.seal('log-key', 1, secret)
  fc.assert(
    fc.property(fc.nat({ max: sealed.length * 8 - 1 }), (bit) => {
      const changed = Uint8Array.from(sealed)
      changed[bit >> 3]! ^= 1 << (bit & 7)
      assert.throws(() => key.open('log-key', 1, changed), SealError)
    }),
    { numRuns: 500 },
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (garbage) => {
      assert.throws(() => key.open('log-key', 1, garbage), SealError)
    }),
  )
})

test('the master key file is made once, private, and never replaced', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'seaworthy-master-'))
  try {
    const file = join(folder, 'master.key')
    const random = seededRandom(1)
    await assert.rejects(loadMasterKey(file, random, false), /there is no master key/)
    const first = await loadMasterKey(file, random, true)
    const text = await readFile(file, 'utf8')
    assert.equal((await stat(file)).mode & 0o777, 0o600)
    const again = await loadMasterKey(file, random, true)
    assert.equal(await readFile(file, 'utf8'), text)
    const sealed = first.seal('tls-key', 1, new Uint8Array([1]))
    assert.deepEqual([...again.open('tls-key', 1, sealed)], [1])
    await writeFile(file, 'no key')
    await assert.rejects(loadMasterKey(file, random, true), /is not a master key/)
  } finally {
    await rm(folder, { recursive: true })
  }
})
