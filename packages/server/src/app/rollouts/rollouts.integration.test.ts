/**
 * Rollouts through the real server: devices ask over HTTPS, people steer over the API, the leader's
 * tasks do the rest.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { showFleet } from '@seaworthy/api/fleets'
import { createRollout, listRolloutUpdates, showRolloutHistory } from '@seaworthy/api/rollouts'
import { listDeviceUpdates, showFleetVersions } from '@seaworthy/api/updates'
import { waitUntil } from '@seaworthy/std/testing'
import type { Signer } from '@seaworthy/trust/keys'
import type { Installer, PublishedRelease, TestClient, TestServer } from '../../testing/index.ts'
import {
  addDevice,
  createInstaller,
  createTestClient,
  makeFleet,
  makeProvisioningKey,
  policyOf,
  publishAll,
  setUpTrust,
  startTestServer,
  waitForRollout,
  waveOf,
} from '../../testing/index.ts'

let server: TestServer
let client: TestClient
let signers: Signer[]
let releases: PublishedRelease[]
let installers: Installer[]

before(async () => {
  server = await startTestServer({ workers: 2 })
  client = createTestClient(server)
  ;({ signers } = await setUpTrust(client))
  releases = await publishAll(client, server.adminToken, signers, ['1.0.0', '1.1.0'])
  installers = await makeFleet(client, server.url, 'tills', 30)
})

after(async () => {
  client.close()
  await server.stop()
})

test('D3 a rollout of three waves takes 30 devices to a release, wave by wave, and becomes the baseline', async () => {
  const [first] = releases as [PublishedRelease]
  for (const installer of installers) assert.equal(await installer.ask(), null)
  const waves = [
    waveOf({ kind: 'count', count: 2 }),
    waveOf({ kind: 'percent', percent: 40 }),
    waveOf({ kind: 'percent', percent: 100 }),
  ]
  const { id } = await client.api.call(createRollout, {
    body: { fleet: 'tills', version: '1.0.0', policy: policyOf({ waves }) },
  })
  await waitForRollout(client, id, ({ waves: [wave] }) => wave?.state === 'open')
  // Only two devices get the release, however many ask.
  const told = await Promise.all(installers.map((installer) => installer.ask()))
  assert.equal(told.filter((sha256) => sha256 === first.sha256).length, 2)
  const isOver = () => installers.every(({ running }) => running() === first.sha256)
  const follow = async () => {
    await Promise.all(installers.map((installer) => installer.follow(releases)))
    return isOver()
  }
  // The leader opens three waves in its own time.
  await waitUntil('every device runs the release', follow, 3 * 120_000)
  const rollout = await waitForRollout(client, id, ({ state }) => state === 'finished')
  assert.deepEqual(
    rollout.waves.map(({ state, inFlightCount, failedCount }) => [
      state,
      inFlightCount,
      failedCount,
    ]),
    waves.map(() => ['passed', 0, 0]),
  )
  assert.equal(
    rollout.waves.reduce((sum, { healthyCount }) => sum + healthyCount, 0),
    30,
  )
  assert.equal(rollout.waves[0]?.healthyCount, 2)
  assert.ok(installers.every(({ running }) => running() === first.sha256))
  const fleet = await client.api.call(showFleet, { params: { fleet: 'tills' } })
  assert.equal(fleet.baselineVersion, '1.0.0')

  const { items } = await client.api.call(listRolloutUpdates, {
    params: { rolloutId: id },
    query: {},
  })
  assert.equal(items.length, 30)
  assert.ok(items.every(({ state, attempt }) => state === 'committed' && attempt === 1))
  const { items: own } = await client.api.call(listDeviceUpdates, {
    params: { deviceId: installers[0]!.device.id },
    query: {},
  })
  assert.deepEqual(
    own.map(({ version, events }) => [version, events.map(({ state }) => state)]),
    [['1.0.0', ['offered', 'downloading', 'watching', 'committed']]],
  )
  const versions = await client.api.call(showFleetVersions, { params: { fleet: 'tills' } })
  assert.deepEqual(versions.now.versions, [{ version: '1.0.0', count: 30 }])
  const history = await client.api.call(showRolloutHistory, { params: { rolloutId: id } })
  assert.deepEqual(history.failures, [])

  const late = createInstaller(
    client,
    await addDevice(client, server.url, await makeProvisioningKey(client, 1, 'tills')),
  )
  assert.equal(await late.ask(), first.sha256, 'who joins later gets the baseline at once')
})
