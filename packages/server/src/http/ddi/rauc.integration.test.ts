/** RAUC's hawkBit client and RAUC's own check of a bundle, against a real server. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { showDevice } from '@seaworthy/api/devices'
import { setFleet } from '@seaworthy/api/fleets'
import { showForeignDevice } from '@seaworthy/api/foreign-devices'
import { abortRollout, createRollout } from '@seaworthy/api/rollouts'
import { listDeviceUpdates } from '@seaworthy/api/updates'
import type { Signer } from '@seaworthy/trust/keys'
import type { AddedController } from '../../testing/controllers.ts'
import { addController, awaitAction, pollAction } from '../../testing/controllers.ts'
import type { TestClient, TestServer } from '../../testing/index.ts'
import {
  createTestClient,
  policyOf,
  publishOsImage,
  pushOsImage,
  setUpTrust,
  startTestServer,
} from '../../testing/index.ts'
import { buildRaucBundle, lacksRauc, runRaucClient } from '../../testing/rauc.ts'
import type { Maker } from '../../testing/swupdate.ts'
import { createMaker } from '../../testing/swupdate.ts'

describe('RAUC', { skip: lacksRauc() }, () => {
  let folder: string
  let server: TestServer
  let client: TestClient
  let signers: Signer[]
  let maker: Maker
  let unit: AddedController

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'seaworthy-rauc-'))
    server = await startTestServer()
    client = createTestClient(server)
    ;({ signers } = await setUpTrust(client))
    const body = { follow: 'rollouts' as const, pollSeconds: 1 }
    await client.api.call(setFleet, { params: { fleet: 'shops' }, body })
    await writeFile(join(folder, 'ca.crt'), (await client.send('GET', '/ca.crt')).bytes)
    maker = createMaker(folder, 'maker')
    unit = await addController(client, 'board-7')
  })
  after(async () => {
    client.close()
    await server.stop()
    await rm(folder, { recursive: true })
  })

  const bundlePath = () => join(folder, 'download.raucb')
  const run = () =>
    runRaucClient({
      url: server.url,
      caFile: join(folder, 'ca.crt'),
      controllerId: unit.id,
      token: unit.token,
      keyring: maker.certificate,
      bundle: bundlePath(),
    })
  const rollOut = async (version: string, by: Maker) => {
    const bundle = await buildRaucBundle(folder, by, { version, content: randomBytes(500_000) })
    const release = await pushOsImage(client, server.adminToken, version, { 'board.raucb': bundle })
    await publishOsImage(client, release, signers)
    const policy = policyOf({ attempts: { max: 1, waitSeconds: 0 } })
    const made = await client.api.call(createRollout, { body: { fleet: 'shops', version, policy } })
    return { bundle, rolloutId: made.id }
  }
  const params = () => ({ deviceId: unit.deviceId })
  const update = async () =>
    (await client.api.call(listDeviceUpdates, { params: params() })).items[0]

  test('D7 its client takes a signed bundle from poll to success, and RAUC accepts what came through', async () => {
    const { bundle } = await rollOut('2.0', maker)
    const { isGood, output } = await run()
    assert.ok(isGood, output)
    assert.deepEqual(await readFile(`${bundlePath()}.seen`), bundle)
    assert.equal((await update())?.state, 'committed')
    const { running } = await client.api.call(showDevice, { params: params() })
    assert.equal(running?.version, '2.0')
    const { attributes } = await client.api.call(showForeignDevice, { params: params() })
    assert.deepEqual(attributes, { MAC: '00:11:22:33:44:55' })
  })

  test('D7 a bundle by the wrong maker fails on the device, and counts as failed', async () => {
    const { rolloutId } = await rollOut('3.0', createMaker(folder, 'stranger'))
    const { isGood } = await run()
    assert.ok(!isGood)
    const failed = await update()
    assert.deepEqual([failed?.state, failed?.code], ['failed', 'ddi_failure'])
    const { running } = await client.api.call(showDevice, { params: params() })
    assert.equal(running?.version, '2.0')
    await client.api.call(abortRollout, { params: { rolloutId }, body: {} })
  })

  test('D7 its client rejects to cancel, goes on, and is believed', async () => {
    const { rolloutId } = await rollOut('4.0', maker)
    await awaitAction(unit)
    await client.api.call(abortRollout, { params: { rolloutId }, body: {} })
    assert.equal(await pollAction(unit), undefined)
    const { isGood, output } = await run()
    assert.ok(isGood, output)
    const { running } = await client.api.call(showDevice, { params: params() })
    assert.equal(running?.version, '4.0')
  })
})
