/**
 * Who speaks for whom (D8): tokens, gateways, forged reports, and a database that lies (T10). Two
 * workers run.
 */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { listDevices, removeDevice, showDevice } from '@seaworthy/api/devices'
import { createFleet } from '@seaworthy/api/fleets'
import {
  createGatewayToken,
  listGatewayTokens,
  revokeGatewayToken,
  rotateForeignDevice,
} from '@seaworthy/api/foreign-devices'
import { ProblemError } from '@seaworthy/api/problems'
import { createRollout, showRollout } from '@seaworthy/api/rollouts'
import { showFleetVersions } from '@seaworthy/api/updates'
import { systemRandom } from '@seaworthy/std/random'
import { waitUntil } from '@seaworthy/std/testing'
import { systemClock, systemSleep } from '@seaworthy/std/time'
import type { Signer } from '@seaworthy/trust/keys'
import fc from 'fast-check'
import type { ForeignState } from '../../app/foreign/index.ts'
import { createForeignCheckIns } from '../../app/foreign/index.ts'
import { lockForeign, storeChange } from '../../app/foreign/foreign-check-ins.ts'
import type { WriteTx } from '../../db/connection.ts'
import { getOpenDdiAction, insertDdiAction, writeDdiAction } from '../../db/ddi-actions.ts'
import { updateDevice } from '../../db/devices.ts'
import { replaceAttributes, replaceSecret } from '../../db/foreign-devices.ts'
import type { Controller } from '../../testing/controllers.ts'
import {
  addController,
  awaitAction,
  createController,
  pollAction,
  said,
} from '../../testing/controllers.ts'
import type { TestClient, TestServer } from '../../testing/index.ts'
import {
  addDevice,
  addForeignDevice,
  createTestClient,
  makeProvisioningKey,
  policyOf,
  publishOsImage,
  pushOsImage,
  setUpTrust,
  startTestServer,
} from '../../testing/index.ts'

let server: TestServer
let client: TestClient
/** A second connection, which the other worker may accept. */
let other: TestClient
let signers: Signer[]
const firmware = randomBytes(20_000)

before(async () => {
  server = await startTestServer({ workers: 2 })
  client = createTestClient(server)
  other = createTestClient(server)
  ;({ signers } = await setUpTrust(client))
  await publish('1.0', firmware)
})
after(async () => {
  client.close()
  other.close()
  await server.stop()
})

async function publish(version: string, content: Uint8Array): Promise<void> {
  const pushed = await pushOsImage(client, server.adminToken, version, { 'firmware.swu': content })
  await publishOsImage(client, pushed, signers)
}

const shown = (deviceId: string) => client.api.call(showDevice, { params: { deviceId } })
const makeGateway = async (uses: number, fleet = 'shops') =>
  client.api.call(createGatewayToken, {
    params: { fleet },
    body: { uses, platform: 'linux/arm64' },
  })
const behind = (token: string, name: string, by = client) =>
  createController(by, name, `GatewayToken ${token}`)
const statusOf = async (unit: Controller) => (await unit.send('GET', '')).status

async function inDatabase(change: (sql: Sql) => Promise<unknown>): Promise<void> {
  const db = server.openDatabase()
  try {
    await db.write(({ sql }) => change(sql))
  } finally {
    await db.close()
  }
}
type Sql = Parameters<Parameters<ReturnType<TestServer['openDatabase']>['write']>[0]>[0]['sql']

test('D8 no credential, a wrong one, or one of another kind gets an empty 401 on every path', async () => {
  const unit = await addController(client, 'door')
  const agent = await addDevice(client, server.url, await makeProvisioningKey(client, 1))
  const omaha = await addForeignDevice(client, { protocol: 'omaha', externalId: 'door' })
  const wrong = unit.token.replace(/.$/, (last) => (last === '0' ? '1' : '0'))
  const headers = [
    null,
    `TargetToken ${wrong}`,
    `GatewayToken ${unit.token}`,
    `Bearer ${unit.token}`,
    `TargetToken ${agent.accessToken}`.slice(0, 140),
    `TargetToken ${omaha.token}`,
    `TargetToken ${server.adminToken}`,
    'TargetToken ',
    unit.token,
  ]
  const paths = [
    ['GET', ''],
    ['GET', '/deploymentBase/1'],
    ['POST', '/deploymentBase/1/feedback'],
    ['PUT', '/configData'],
    ['GET', '/softwaremodules/1/artifacts/firmware.swu'],
  ] as const
  for (const [i, authorization] of headers.entries()) {
    const [method, path] = paths[i % paths.length]!
    const stranger = createController(client, 'door', authorization)
    const reply = await stranger.send(method, path, method === 'GET' ? undefined : said('closed'))
    assert.deepEqual([reply.status, reply.text], [401, ''], String(authorization))
  }
  // Headers that a proxy in front might set vouch for nobody.
  const posed = await createController(client, 'door', null).send('GET', '', undefined, {
    'x-controller-id': 'door',
    'x-authority': 'CN=door',
    'x-forwarded-for': '127.0.0.1',
  })
  assert.equal(posed.status, 401)
  assert.equal(await statusOf(unit), 200)
  // The token is not good on any other endpoint either.
  const elsewhere = await client.send('GET', '/v1/device/application', { token: unit.token })
  assert.equal(elsewhere.status, 401)
})

test('D8 the token of one device says nothing about another, whatever path it names', async () => {
  const [mine, theirs] = [
    await addController(client, 'mine'),
    await addController(client, 'theirs'),
  ]
  const action = await pollAction(theirs)
  const before = await shown(theirs.deviceId)
  const posing = createController(client, 'theirs', `TargetToken ${mine.token}`)
  const forged = await posing.send(
    'POST',
    `/deploymentBase/${action}/feedback`,
    said('closed', 'success'),
  )
  assert.deepEqual([forged.status, forged.text], [401, ''])
  assert.equal((await posing.send('GET', '')).status, 401)
  assert.equal((await posing.send('PUT', '/configData', { data: { a: 'b' } })).status, 401)
  assert.deepEqual((await shown(theirs.deviceId)).running, before.running)
  assert.equal((await shown(theirs.deviceId)).update?.state, 'idle')
  // Each device numbers its own actions, so that no request can reach another device's action.
  const own = await mine.send('POST', '/deploymentBase/2/feedback', said('closed', 'success'))
  assert.equal(own.status, 404)
})

test('D8 forged reports of strangers neither stop a rollout nor change a version count', async () => {
  const fleet = 'guarded'
  await client.api.call(createFleet, {
    body: { name: fleet, product: 'acme', channel: 'stable', follow: 'rollouts', pollSeconds: 1 },
  })
  const units = []
  for (const name of ['g1', 'g2', 'g3']) units.push(await addController(client, name, fleet))
  const policy = policyOf({ safeMode: false, failuresMax: 0, onFailure: 'abort' })
  const { id: rolloutId } = await client.api.call(createRollout, {
    body: { fleet, version: '1.0', policy },
  })
  const first = units[0]!
  assert.equal(await awaitAction(first), 1)
  const forgers = [
    createController(client, 'g1', null),
    createController(client, 'g1', `TargetToken ${units[1]!.token}`),
    createController(client, 'g1', `GatewayToken ${(await makeGateway(5, fleet)).token}`),
  ]
  for (const forger of forgers) {
    for (const result of ['failure', 'success']) {
      const { status } = await forger.send(
        'POST',
        '/deploymentBase/1/feedback',
        said('closed', result),
      )
      assert.equal(status, 401)
    }
  }
  const rollout = await client.api.call(showRollout, { params: { rolloutId } })
  assert.equal(rollout.state, 'active')
  assert.equal(rollout.waves[0]?.failedCount, 0)
  assert.equal(rollout.waves[0]?.healthyCount, 0)
  const versions = await client.api.call(showFleetVersions, { params: { fleet } })
  assert.equal(versions.now.versions.find(({ version }) => version === '1.0')?.count ?? 0, 0)
  await first.send('POST', '/deploymentBase/1/feedback', said('closed', 'success'))
  const after = await client.api.call(showRollout, { params: { rolloutId } })
  assert.equal(after.waves[0]?.healthyCount, 1)
})

test('D8 a gateway speaks for devices that it registered, up to its uses, and for no others', async () => {
  const own = await addController(client, 'own-token')
  const { token, view } = await makeGateway(2)
  assert.equal(await statusOf(behind(token, 'own-token')), 401)
  assert.equal(await statusOf(own), 200)
  // Many requests at once, over both workers, take exactly as many uses as there are.
  const names = ['gw a', 'gw b', 'gw c', 'gw d']
  const results = await Promise.all(
    names.map((name, i) => statusOf(behind(token, name, i % 2 === 0 ? client : other))),
  )
  assert.equal(results.filter((status) => status === 200).length, 2)
  assert.equal(results.filter((status) => status === 401).length, 2)
  const { items } = await client.api.call(listGatewayTokens, { params: { fleet: 'shops' } })
  assert.equal(items.find(({ id }) => id === view.id)?.usesLeft, 0)
  const name = names[results.indexOf(200)]!
  const unit = behind(token, name)
  const action = await pollAction(unit)
  await unit.send('POST', `/deploymentBase/${action}/feedback`, said('closed', 'success'))
  const devices = (await client.api.call(listDevices, { query: { limit: 1000 } })).items
  const registered = devices.find((device) => device.name === name)
  assert.deepEqual(
    [registered?.protocol, registered?.fleet, registered?.running?.version],
    ['ddi', 'shops', '1.0'],
  )
  // Another gateway has no say over the device, with or without uses left.
  const rival = await makeGateway(5)
  assert.equal(await statusOf(behind(rival.token, name)), 401)
  assert.equal(await statusOf(behind(rival.token, 'own-token')), 401)
  // Polls of known devices take no further use.
  for (let i = 0; i < 5; i++) assert.equal(await statusOf(unit), 200)
})

test('any name that can be written in a path is a name, and none is an accident', async () => {
  const { token } = await makeGateway(10)
  for (const name of ['a/b', 'Zähler 7', '%2F', 'x'.repeat(128), '设备', "'; drop table"]) {
    assert.equal(await statusOf(behind(token, name)), 200, name)
  }
  for (const name of ['\u0000', 'a\nb', '\u001b[2J', 'x'.repeat(129), '\u2028']) {
    assert.equal(await statusOf(behind(token, name)), 401, JSON.stringify(name))
  }
  for (const path of ['%', '%ff', '%c3%28', '']) {
    const reply = await client.send('GET', `/DEFAULT/controller/v1/${path}`)
    assert.equal(reply.status, 404, path)
  }
})

test('V4 a device removed behind a gateway does not come back through it; a revoked gateway speaks for nobody', async () => {
  const { token, view } = await makeGateway(10)
  const units = [behind(token, 'back-1'), behind(token, 'back-2', other)]
  for (const unit of units) assert.equal(await statusOf(unit), 200)
  const devices = (await client.api.call(listDevices, { query: { limit: 1000 } })).items
  const { id } = devices.find((device) => device.name === 'back-1')!
  await client.api.call(removeDevice, { params: { deviceId: id } })
  for (const by of [client, other]) assert.equal(await statusOf(behind(token, 'back-1', by)), 401)
  assert.equal(await statusOf(units[1]!), 200)
  await client.api.call(revokeGatewayToken, { params: { gatewayTokenId: view.id } })
  await waitUntil(
    'the other worker knows',
    async () => (await statusOf(behind(token, 'back-2', other))) === 401,
  )
  await waitUntil(
    'this worker knows',
    async () => (await statusOf(behind(token, 'back-2'))) === 401,
  )
  assert.equal(await statusOf(behind(token, 'back-3')), 401)
})

test('V4 a token that was replaced, and that of a removed device, end on every worker', async () => {
  const unit = await addController(client, 'turn')
  const elsewhere = createController(other, 'turn', `TargetToken ${unit.token}`)
  // Both workers know the token.
  for (let i = 0; i < 8; i++) {
    assert.equal(await statusOf(unit), 200)
    assert.equal(await statusOf(elsewhere), 200)
  }
  const params = { deviceId: unit.deviceId }
  const { token } = await client.api.call(rotateForeignDevice, { params, body: {} })
  // A poll is checked against the row: no further poll is answered, whichever worker has heard of
  // the change.
  for (let i = 0; i < 8; i++) {
    assert.equal(await statusOf(unit), 401)
    assert.equal(await statusOf(elsewhere), 401)
  }
  const renewed = createController(other, 'turn', `TargetToken ${token}`)
  await waitUntil('the new token is known', async () => (await statusOf(renewed)) === 200)
  const action = await pollAction(renewed)
  await client.api.call(removeDevice, { params })
  assert.equal(await statusOf(renewed), 401)
  const late = await renewed.send(
    'POST',
    `/deploymentBase/${action}/feedback`,
    said('closed', 'success'),
  )
  assert.ok([401, 404].includes(late.status))
  const agent = await addDevice(client, server.url, await makeProvisioningKey(client, 1))
  await assert.rejects(
    client.api.call(rotateForeignDevice, { params: { deviceId: agent.id }, body: {} }),
    (error) => error instanceof ProblemError && error.code === 'device_has_no_token',
  )
})

/** What polls as `identity` are answered, by a worker that hears of no change. */
function createDeafWorker(db: ReturnType<TestServer['openDatabase']>) {
  const ports = { clock: systemClock, sleep: systemSleep, random: systemRandom }
  return createForeignCheckIns(db, ports, () => undefined)
}

const identityOf = (deviceId: string, secret: string) => ({
  deviceId,
  protocol: 'ddi' as const,
  externalId: null,
  gatewayId: null,
  secretSha256: createHash('sha256').update(secret).digest(),
})

test('V4 D8 a poll is answered by what the rows say now, whatever was changed before it', async () => {
  const device = (await addController(client, 'changing')).deviceId
  const db = server.openDatabase()
  const locked = async (change: (tx: WriteTx, state: ForeignState) => Promise<unknown>) =>
    db.write(async (tx) => change(tx, (await lockForeign(tx, device, await tx.now()))!))
  const action = { product: 'acme', version: '1.0', sha256: '0'.repeat(64), counter: 1 }
  const made = { ...action, device, rollout: null, createdAt: new Date() }
  const changes: Readonly<Record<string, (n: number) => Promise<unknown>>> = {
    secret: (n) =>
      db.write((tx) =>
        replaceSecret(tx, device, identityOf(device, `secret ${n % 2}`).secretSha256, 'server'),
      ),
    attributes: (n) => locked((tx) => replaceAttributes(tx, device, { n: `${n}` }, new Date())),
    tags: (n) => db.write((tx) => updateDevice(tx, device, { tags: { n: `${n}` } })),
    news: (n) =>
      locked((tx, state) =>
        storeChange(
          tx,
          state,
          { update: { state: 'idle' }, running: null, unsignedVersion: `${n}` },
          new Date(),
        ),
      ),
    offer: () => db.write((tx) => insertDdiAction(tx, made)),
    end: () =>
      locked(async (tx) => {
        const open = await getOpenDdiAction(tx, device)
        if (open === undefined) return
        await writeDdiAction(tx, { ...open, state: 'finished', closedAt: new Date() })
      }),
  }
  const worker = createDeafWorker(db)
  const step = fc.tuple(
    fc.constantFrom(...Object.keys(changes), 'nothing'),
    fc.nat(3),
    fc.boolean(),
  )
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        // Attributes are asked for until they were sent, so each history begins without any.
        await locked(async ({ sql }) => {
          await sql`update foreign_devices set attributes_at = null where device = ${device}`
          await sql`update device_states set digest = '' where device = ${device}`
        })
        for (const [change, n, isSecond] of steps) {
          await changes[change]?.(n)
          const identity = identityOf(device, `secret ${isSecond ? 1 : 0}`)
          const answer = await worker.poll(identity)
          const truth = await db.write((tx) => lockForeign(tx, device, new Date(), identity))
          assert.deepEqual(answer, truth)
        }
      }),
      { numRuns: 25, interruptAfterTimeLimit: 60_000 },
    )
  } finally {
    await db.close()
  }
})

test('V4 attack: a poll with a token that is just being replaced does not make it good again', async () => {
  const device = (await addController(client, 'racing')).deviceId
  const db = server.openDatabase()
  const worker = createDeafWorker(db)
  const [old, renewed] = [identityOf(device, 'old'), identityOf(device, 'renewed')]
  try {
    await db.write((tx) => replaceSecret(tx, device, old.secretSha256, 'server'))
    assert.ok((await worker.poll(old)) !== undefined)
    const isReplaced = Promise.withResolvers<void>()
    const mayCommit = Promise.withResolvers<void>()
    const replacing = db.write(async (tx) => {
      await replaceSecret(tx, device, renewed.secretSha256, 'server')
      isReplaced.resolve()
      await mayCommit.promise
    })
    await isReplaced.promise
    const polling = worker.poll(old)
    await waitUntil('the poll waits for the row', async () => {
      const rows = await db.reader.sql`
        select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`
      return rows.length > 0
    })
    mayCommit.resolve()
    await replacing
    assert.equal(await polling, undefined)
    assert.equal(await worker.poll(old), undefined)
    assert.equal((await worker.poll(renewed))?.device, device)
  } finally {
    await db.close()
  }
})

test('tokens are stored as hashes alone', async () => {
  const { token } = await addController(client, 'secret')
  const gateway = await makeGateway(1)
  const db = server.openDatabase()
  try {
    const tables = await db.reader.sql<{ name: string }[]>`
      select table_name as name from information_schema.tables where table_schema = 'public'`
    for (const { name } of tables) {
      const rows = await db.reader.sql`
        select 1 from ${db.reader.sql(name)} t
        where t::text like ${`%${token.slice(-64)}%`} or t::text like ${`%${gateway.token.slice(-64)}%`}`
      assert.equal(rows.length, 0, name)
    }
  } finally {
    await db.close()
  }
  assert.ok(!server.log().includes(token.slice(-64)))
})

test('T10 rows changed in the database change no byte that is served', async () => {
  const good = randomBytes(30_000)
  await publish('2.0', good)
  const evil = Buffer.from('evil')
  const hash = (algorithm: string, bytes: Uint8Array) =>
    createHash(algorithm).update(bytes).digest()
  // The rows change before any worker has looked at the release.
  await inDatabase(
    (sql) =>
      sql`update release_files set sha1 = ${hash('sha1', evil)}, md5 = ${hash('md5', evil)}, size = 4`,
  )
  const unit = await addController(client, 'lied-to')
  const action = await pollAction(unit)
  const path = `/softwaremodules/${action}/artifacts/firmware.swu`
  const { body } = await unit.send('GET', `/deploymentBase/${action}`)
  const [artifact] = body.deployment.chunks[0].artifacts
  assert.equal(artifact.hashes.sha1, hash('sha1', evil).toString('hex'))
  assert.equal(artifact.hashes.sha256, hash('sha256', good).toString('hex'))
  assert.equal(artifact.size, good.length)
  assert.deepEqual(Buffer.from((await unit.send('GET', path)).bytes), good)
  // A release that nobody signed, and one that was signed as something else.
  const lies = [{ sha256: 'e'.repeat(64) }, { version: '1.0' }, { product: 'other' }]
  for (const lie of lies) {
    const before = await readAction(unit.deviceId)
    await changeAction(unit.deviceId, { ...before, ...lie })
    assert.equal((await unit.send('GET', `/deploymentBase/${action}`)).status, 404)
    assert.equal((await unit.send('GET', path)).status, 404)
    await changeAction(unit.deviceId, before)
    assert.equal((await unit.send('GET', path)).status, 200)
  }
})

interface ActionRelease {
  readonly product: string
  readonly version: string
  readonly sha256: string
}

async function readAction(device: string): Promise<ActionRelease> {
  const db = server.openDatabase()
  try {
    const [row] = await db.reader.sql<ActionRelease[]>`
      select product, version, sha256 from ddi_actions where device = ${device}`
    return row!
  } finally {
    await db.close()
  }
}

async function changeAction(device: string, change: ActionRelease): Promise<void> {
  await inDatabase(
    (sql) => sql`update ddi_actions set ${sql({ ...change })} where device = ${device}`,
  )
}

test('D8 a withdrawn token cannot be guessed at leisure: wrong ones are counted per address', async () => {
  const unit = await addController(client, 'busy')
  const wrong = createController(client, 'busy', `TargetToken ${'x'.repeat(95)}`)
  const statuses = new Set<number>()
  for (let i = 0; i < 200; i++) statuses.add(await statusOf(wrong))
  assert.deepEqual(statuses, new Set([401, 429]))
  // A device with the right token is let through from the same address.
  assert.equal(await statusOf(unit), 200)
})
