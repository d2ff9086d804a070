/**
 * Debian's SWUpdate against a real server: a whole update through a rollout, and an image signed by
 * the wrong maker.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { showDevice } from '@seaworthy/api/devices'
import { setFleet } from '@seaworthy/api/fleets'
import { showForeignDevice } from '@seaworthy/api/foreign-devices'
import { createRollout, showRollout } from '@seaworthy/api/rollouts'
import { explainDevice, listDeviceUpdates } from '@seaworthy/api/updates'
import type { Signer } from '@seaworthy/trust/keys'
import type { TestClient, TestServer } from '../../testing/index.ts'
import {
  addForeignDevice,
  createTestClient,
  policyOf,
  publishOsImage,
  pushOsImage,
  setUpTrust,
  startTestServer,
  waveOf,
} from '../../testing/index.ts'
import type { Maker, Swupdate } from '../../testing/swupdate.ts'
import {
  buildSwu,
  createMaker,
  lacksSwupdate,
  startSwupdate,
  waitFor,
} from '../../testing/swupdate.ts'

describe('SWUpdate', { skip: lacksSwupdate() }, () => {
  let folder: string
  let server: TestServer
  let client: TestClient
  let signers: Signer[]
  let maker: Maker
  let device: { id: string; token: string }
  const running: Swupdate[] = []

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'seaworthy-swupdate-'))
    server = await startTestServer()
    client = createTestClient(server)
    ;({ signers } = await setUpTrust(client))
    await client.api.call(setFleet, {
      params: { fleet: 'shops' },
      body: { follow: 'rollouts', pollSeconds: 1 },
    })
    await writeFile(join(folder, 'ca.crt'), (await client.send('GET', '/ca.crt')).bytes)
    maker = createMaker(folder, 'maker')
    device = await addForeignDevice(client, { protocol: 'ddi', externalId: 'gate-1' })
  })
  after(async () => {
    for (const one of running) await one.stop()
    client.close()
    await server.stop()
    await rm(folder, { recursive: true })
  })

  const start = async (confirm?: 2 | 3) => {
    const started = await startSwupdate({
      folder: join(folder, 'run'),
      url: server.url,
      caFile: join(folder, 'ca.crt'),
      controllerId: 'gate-1',
      token: device.token,
      maker,
      ...(confirm === undefined ? {} : { confirm }),
    })
    running.push(started)
    return started
  }
  const rollOut = async (version: string, image: Buffer) => {
    const release = await pushOsImage(client, server.adminToken, version, { 'gate.swu': image })
    await publishOsImage(client, release, signers)
    const policy = policyOf({
      waves: [
        waveOf(
          { kind: 'percent', percent: 100 },
          { successPercentMin: 100, failurePercentMax: 0, sampleMin: 1 },
        ),
      ],
      attempts: { max: 1, waitSeconds: 0 },
    })
    const { id } = await client.api.call(createRollout, {
      body: { fleet: 'shops', version, policy },
    })
    return { release, rolloutId: id }
  }
  const updateState = async () => {
    const params = { deviceId: device.id }
    const { items } = await client.api.call(listDeviceUpdates, { params })
    return items[0]?.state
  }
  const shown = () => client.api.call(showDevice, { params: { deviceId: device.id } })

  test('D7 it installs what a rollout offers, and is done when it says so after its restart', async () => {
    const content = randomBytes(2_000_000)
    const installTo = join(folder, 'installed.img')
    const image = await buildSwu(folder, maker, { version: '2.0', content, installTo })
    const { release, rolloutId } = await rollOut('2.0', image)
    const first = await start()
    await waitFor(first, async () =>
      (await messages()).some((text) => text.includes('All Chunks Installed')) ? true : undefined,
    )
    assert.deepEqual(await readFile(installTo), content)
    // Installed does not mean done: nobody knows yet whether the device comes up again.
    assert.equal(await updateState(), 'installing')
    assert.equal((await shown()).running, null)
    await first.stop()

    const second = await start(2)
    await waitFor(second, async () => ((await updateState()) === 'committed' ? true : undefined))
    await second.stop()
    const { running: runs } = await shown()
    assert.deepEqual([runs?.version, runs?.sha256], ['2.0', release.sha256])
    const view = await waitFor(second, async () => {
      const rollout = await client.api.call(showRollout, { params: { rolloutId } })
      return rollout.state === 'finished' ? rollout : undefined
    })
    assert.equal(view.waves[0]?.healthyCount, 1)
    const told = await client.api.call(showForeignDevice, { params: { deviceId: device.id } })
    assert.equal(told.attributes['board'], 'test')
  })

  test('D7 an image by the wrong maker is refused by the device, and the failure gate pauses the rollout', async () => {
    const content = randomBytes(10_000)
    const stranger = createMaker(folder, 'stranger')
    const installTo = join(folder, 'never.img')
    const image = await buildSwu(folder, stranger, { version: '3.0', content, installTo })
    const { rolloutId } = await rollOut('3.0', image)
    const client3 = await start()
    await waitFor(client3, async () => ((await updateState()) === 'failed' ? true : undefined))
    await client3.stop()
    await assert.rejects(readFile(installTo), { code: 'ENOENT' })
    const rollout = await client.api.call(showRollout, { params: { rolloutId } })
    assert.deepEqual([rollout.state, rollout.stopCode], ['paused', 'failure_gate'])
    assert.equal((await shown()).running?.version, '2.0')
    const why = await client.api.call(explainDevice, { params: { deviceId: device.id } })
    assert.match(why.sentence, /3\.0|paused|failed/)
  })

  async function messages(): Promise<string[]> {
    const params = { deviceId: device.id }
    const { actions } = await client.api.call(showForeignDevice, { params })
    return actions[0]?.messages ?? []
  }
})
