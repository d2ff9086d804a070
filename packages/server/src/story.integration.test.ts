/** The main job, from an empty folder to a device that is told what to run. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, test } from 'node:test'
import { listProducts } from '@seaworthy/api/products'
import { showRelease } from '@seaworthy/api/releases'
import { showTrustStatus } from '@seaworthy/api/trust'
import type { Signer } from '@seaworthy/trust/keys'
import type { PushedRelease, TestClient, TestDevice, TestServer } from './testing/index.ts'
import {
  addDevice,
  carryOut,
  createTestClient,
  makeProvisioningKey,
  publishRelease,
  pushRelease,
  report,
  setUpTrust,
  startTestServer,
} from './testing/index.ts'

let server: TestServer
let client: TestClient
let signers: Signer[]
let release: PushedRelease
let device: TestDevice

before(async () => {
  server = await startTestServer({ isFirstStart: true })
  client = createTestClient(server)
})
after(async () => {
  client.close()
  await server.stop()
})

test('T1 a root, a product and a channel are published by proposals that two people signed', async () => {
  const empty = await client.api.call(showTrustStatus, {})
  assert.equal(empty.initialized, false)
  ;({ signers } = await setUpTrust(client))
  const status = await client.api.call(showTrustStatus, {})
  assert.deepEqual(
    status.roles.map(({ role }) => role),
    ['root', 'timestamp', 'snapshot', 'targets', 'acme', 'acme.stable'],
  )
  assert.ok(status.roles.every(({ alarm }) => alarm === 'none'))
  const { items } = await client.api.call(listProducts, {})
  assert.deepEqual(
    items.map(({ name, channels }) => [name, channels.map((c) => c.name)]),
    [['acme', ['stable']]],
  )
})

test('B10 a release is pushed through the registry, registered and published', async () => {
  release = await pushRelease(client, server.adminToken, '1.0.0')
  await publishRelease(client, release, signers)
  const params = { product: 'acme', version: '1.0.0' }
  const view = await client.api.call(showRelease, { params })
  assert.deepEqual(view.channels, [{ channel: 'stable', counter: 1 }])
  assert.equal(view.kind, 'bundle')
  assert.deepEqual(
    view.platforms.map(({ platform }) => platform),
    ['linux/amd64'],
  )
})

test('T1 the target is served under both its hashes, immutable, and by entity tag', async () => {
  for (const hash of [release.sha256, release.sha512]) {
    const path = `/tuf/targets/acme/stable/${hash}.1.0.0`
    const { status, bytes, headers } = await client.send('GET', path)
    assert.equal(status, 200)
    assert.deepEqual(Buffer.from(bytes), Buffer.from(release.index))
    assert.match(headers['cache-control']!, /immutable/)
    const again = await client.send('GET', path, { headers: { 'if-none-match': headers['etag']! } })
    assert.equal(again.status, 304)
  }
  const other = createHash('sha256').update('other').digest('hex')
  const missing = await client.send('GET', `/tuf/targets/acme/stable/${other}.1.0.0`)
  assert.equal(missing.status, 404)
  const timestamp = await client.send('GET', '/tuf/timestamp.json')
  assert.doesNotMatch(timestamp.headers['cache-control']!, /immutable/)
})

test('D2 a device registers, signs in, and is told exactly one release', async () => {
  device = await addDevice(client, server.url, await makeProvisioningKey(client, 1))
  const reply = await report(client, device)
  assert.deepEqual(reply.assignment, {
    targetPath: 'acme/stable/1.0.0',
    sha256: release.sha256,
  })
  assert.equal(reply.pollSeconds, 60)
})

test('D2 a device that runs the newest release is told nothing', async () => {
  const running = { product: 'acme', version: '1.0.0', sha256: release.sha256, counter: 1 }
  const changes = { sequence: 1, running, committedCounter: 1, floor: 1 }
  const signed = await report(client, device, changes, true)
  assert.equal(signed.assignment, null)
  assert.equal(signed.acknowledgedSequence, 1)
})

test('D12 a withdrawn release is not assigned any more, and its target is gone', async () => {
  const next = await pushRelease(client, server.adminToken, '1.1.0')
  await publishRelease(client, next, signers)
  const running = { product: 'acme', version: '1.0.0', sha256: release.sha256, counter: 1 }
  const idle = { sequence: 1, running, committedCounter: 1, floor: 1 }
  const offered = await report(client, device, idle)
  assert.equal(offered.assignment?.targetPath, 'acme/stable/1.1.0')
  const withdrawal = { product: 'acme', channel: 'stable', version: '1.1.0' }
  await carryOut(client, { kind: 'withdraw', ...withdrawal }, signers)
  assert.equal((await report(client, device, idle)).assignment, null)
  const path = `/tuf/targets/acme/stable/${next.sha256}.1.1.0`
  assert.equal((await client.send('GET', path)).status, 404)
})
