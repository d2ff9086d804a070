import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8Encode } from '@seaworthy/std/bytes'
import { Refusal } from '@seaworthy/std/refusal'
import { parseConfig, withoutProvisioningKey } from './config.ts'

const whole = {
  server: 'https://ship.example:8443',
  root: 'a'.repeat(64),
  product: 'gauge',
  channel: 'stable',
}
const parse = (edit: Record<string, unknown>, stateDir?: string) =>
  parseConfig(utf8Encode(JSON.stringify({ ...whole, ...edit })), {
    platform: 'linux/amd64',
    ...(stateDir === undefined ? {} : { stateDir }),
  })

test('defaults are those of a device, and one folder moves everything', () => {
  const { pollSeconds, stateDir, runDir, platform, mirrors } = parse({})
  assert.deepEqual(
    { pollSeconds, stateDir, runDir, platform, mirrors },
    {
      pollSeconds: 3600,
      stateDir: '/var/lib/seaworthy',
      runDir: '/run/seaworthy',
      platform: 'linux/amd64',
      mirrors: [],
    },
  )
  const moved = parse({ stateDir: '/data' }, '/elsewhere')
  assert.deepEqual([moved.stateDir, moved.runDir], ['/elsewhere', '/elsewhere/run'])
  assert.equal(parse({ root: `sha256:${'b'.repeat(64)}` }).root, 'b'.repeat(64))
})

for (const [member, edit] of [
  ['server', { server: 'https://ship.example/path' }],
  ['server', { server: 'ftp://ship.example' }],
  ['server', { server: undefined }],
  ['pin', { pin: 'sha256:short' }],
  ['pin', { pin: `sha256:${'A'.repeat(43)}`, ca: '/ca.pem' }],
  ['root', { root: 'abc' }],
  ['root', { root: undefined }],
  ['product', { product: 'Gauge' }],
  ['channel', { channel: 7 }],
  ['pollSeconds', { pollSeconds: 0 }],
  ['provisioningKey', { provisioningKey: 'sw_token' }],
  ['mirrors', { mirrors: 'https://m' }],
  ['mirrors[0]', { mirrors: [{ url: 'https://m', trust: true }] }],
  ['environment', { environment: { 'a b': 'c' } }],
  ['environment.A', { environment: { A: 1 } }],
  ['stateDir', { stateDir: '/var/../etc' }],
  ['rootfile', { rootfile: '/x' }],
] as [string, Record<string, unknown>][]) {
  test(`a fault is named: ${member} ${JSON.stringify(edit)}`, () => {
    assert.throws(
      () => parse(edit),
      (error) =>
        error instanceof Refusal &&
        error.code === 'config_malformed' &&
        error.message.startsWith(member),
    )
  })
}

test('V4 the provisioning key is cut out and nothing else changes', () => {
  const before = {
    ...whole,
    provisioningKey: `swp_${'0'.repeat(26)}_${'a'.repeat(64)}`,
    unknownToUs: 1,
  }
  const rest = withoutProvisioningKey(utf8Encode(JSON.stringify(before)))
  assert.deepEqual(JSON.parse(rest!), { ...whole, unknownToUs: 1 })
  assert.equal(withoutProvisioningKey(utf8Encode(JSON.stringify(whole))), undefined)
})
