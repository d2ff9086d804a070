/**
 * The documents and states of DDI, as its clients really use them. Two workers run, so that the
 * memory of one is not enough.
 */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { showDevice } from '@seaworthy/api/devices'
import { createFleet, setFleet } from '@seaworthy/api/fleets'
import { showForeignDevice } from '@seaworthy/api/foreign-devices'
import { explainDevice } from '@seaworthy/api/updates'
import { waitUntil } from '@seaworthy/std/testing'
import type { Signer } from '@seaworthy/trust/keys'
import type { AddedController } from '../../testing/controllers.ts'
import {
  addController,
  createController,
  pathOf,
  pollAction,
  said,
} from '../../testing/controllers.ts'
import type { PushedRelease, TestClient, TestServer } from '../../testing/index.ts'
import {
  createTestClient,
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
let release: PushedRelease
const firmware = randomBytes(300_000)

before(async () => {
  server = await startTestServer({ workers: 2 })
  client = createTestClient(server)
  other = createTestClient(server)
  ;({ signers } = await setUpTrust(client))
  release = await publish('1.0', { 'firmware.swu': firmware })
})
after(async () => {
  client.close()
  other.close()
  await server.stop()
})

async function publish(version: string, files: Record<string, Uint8Array>) {
  const pushed = await pushOsImage(client, server.adminToken, version, files)
  await publishOsImage(client, pushed, signers)
  return pushed
}

let count = 0
const add = (fleet?: string): Promise<AddedController> =>
  addController(client, `unit ${++count}`, fleet)
const shown = (unit: AddedController) =>
  client.api.call(showDevice, { params: { deviceId: unit.deviceId } })
const foreign = (unit: AddedController) =>
  client.api.call(showForeignDevice, { params: { deviceId: unit.deviceId } })

test('a device polls, downloads, installs, restarts and is done only when it says closed', async () => {
  const unit = await add()
  const first = await unit.send('GET', '')
  assert.equal(first.status, 200)
  assert.equal(first.headers['content-type'], 'application/json;charset=UTF-8')
  assert.deepEqual(first.body.config, { polling: { sleep: '00:01:00' } })
  assert.match(first.body._links.configData.href, /^https:\/\/127\.0\.0\.1:\d+\/DEFAULT\//)
  const { href } = first.body._links.deploymentBase
  const { body } = await unit.send('GET', pathOf(href))
  assert.equal(body.id, '1')
  assert.equal(body.deployment.update, 'forced')
  const [chunk, ...chunks] = body.deployment.chunks
  assert.deepEqual(chunks, [])
  assert.deepEqual([chunk.part, chunk.name, chunk.version], ['os', 'acme', '1.0'])
  const [artifact] = chunk.artifacts
  const hash = (algorithm: string) => createHash(algorithm).update(firmware).digest('hex')
  assert.deepEqual(artifact.hashes, {
    sha1: hash('sha1'),
    md5: hash('md5'),
    sha256: hash('sha256'),
  })
  assert.equal(artifact.size, firmware.length)
  const file = await unit.send('GET', pathOf(artifact._links.download.href))
  assert.deepEqual(Buffer.from(file.bytes), firmware)
  const sum = await unit.send('GET', pathOf(artifact._links.md5sum.href))
  assert.equal(sum.text, `${artifact.hashes.md5}  firmware.swu\n`)
  const list = await unit.send('GET', '/softwaremodules/1/artifacts')
  assert.deepEqual(list.body, [artifact])

  const feedback = '/deploymentBase/1/feedback'
  await unit.send('POST', feedback, said('download'))
  assert.equal((await shown(unit)).update?.state, 'downloading')
  const details = ['All Chunks Installed.']
  await unit.send('POST', feedback, said('proceeding', 'none', { details }))
  const installing = await shown(unit)
  assert.equal(installing.update?.state, 'installing')
  assert.equal(installing.running, null)
  const closed = await unit.send('POST', feedback, said('closed', 'success'))
  assert.deepEqual([closed.status, closed.text], [200, ''])
  const done = await shown(unit)
  assert.deepEqual([done.running?.version, done.running?.sha256], ['1.0', release.sha256])
  assert.equal(done.protocol, 'ddi')
  const last = await unit.send('GET', '')
  assert.equal(last.body._links.deploymentBase, undefined)
  assert.equal(pathOf(last.body._links.installedBase.href), '/installedBase/1')
  assert.equal((await unit.send('GET', '/installedBase/1')).body.id, '1')
  const { actions } = await foreign(unit)
  assert.deepEqual(
    actions.map(({ id, state, messages }) => [id, state, messages]),
    [[1, 'finished', ['All Chunks Installed.']]],
  )
})

test('feedback in the spelling of SWUpdate: ids as numbers, times as texts, members nobody knows', async () => {
  const unit = await add()
  const id = await pollAction(unit)
  const text = `{ "id": ${id}, "time": "20261122T010552", "status": { "result": { "finished": "none", "progress": { "cnt": 3, "of": 4 } }, "execution": "proceeding", "details" : [ "Installation in progress", "75%" ] } }`
  const reply = await unit.send('POST', `/deploymentBase/${id}/feedback`, text, {
    'content-type': 'application/json',
    charsets: 'utf-8',
  })
  assert.equal(reply.status, 200)
  assert.equal((await shown(unit)).update?.state, 'installing')
  assert.deepEqual((await foreign(unit)).actions[0]?.messages, ['75%', 'Installation in progress'])
  const config = `{ "id": "", "time": "20261122T063324", "status": { "result": { "finished": "success" }, "execution": "closed", "details" : [ "" ] }, "mode": "replace", "data" : { "board": "test" } }`
  assert.equal((await unit.send('PUT', '/configData', config)).status, 200)
  assert.deepEqual((await foreign(unit)).attributes, { board: 'test' })
  // The attributes are not asked for again.
  assert.equal((await unit.send('GET', '')).body._links.configData, undefined)
})

test("feedback in the spelling of RAUC's client: ids as texts, everything it sends from poll to success", async () => {
  const unit = await add()
  const config = { id: '', time: '20261122T010552', data: { 'RAUC Hawkbit updater': '1.3' } }
  assert.equal((await unit.send('PUT', '/configData', config)).status, 200)
  const id = String(await pollAction(unit))
  const say = (execution: string, finished: string, message: string, progress?: number) =>
    unit.send('POST', `/deploymentBase/${id}/feedback`, {
      id,
      time: '20261122T010552',
      status: {
        result: {
          finished,
          ...(progress === undefined ? {} : { progress: { cnt: progress, of: 100 } }),
        },
        execution,
        details: [message],
      },
    })
  for (const [execution, finished, message] of [
    ['proceeding', 'none', 'Download complete. 3.2 MB/s'],
    ['proceeding', 'none', 'File checksum OK.'],
    ['proceeding', 'none', 'Installing done 100%'],
    ['closed', 'success', 'Software bundle installed successfully.'],
  ] as const) {
    assert.equal((await say(execution, finished, message)).status, 200)
  }
  assert.equal((await shown(unit)).running?.version, '1.0')
})

test('what is closed stays closed, and what never was is not found', async () => {
  const unit = await add()
  const id = await pollAction(unit)
  const path = `/deploymentBase/${id}/feedback`
  assert.equal((await unit.send('POST', path, said('closed', 'success'))).status, 200)
  for (const late of [said('closed', 'failure'), said('proceeding')]) {
    assert.equal((await unit.send('POST', path, late)).status, 410)
  }
  assert.equal((await shown(unit)).running?.version, '1.0')
  assert.equal((await unit.send('GET', `/deploymentBase/${id}`)).status, 404)
  for (const none of ['2', '0', '-1', '01', '1e0', '2147483648', '4294967297', 'x', '1%2F2', '%']) {
    assert.equal((await unit.send('GET', `/deploymentBase/${none}`)).status, 404, none)
    assert.equal(
      (await unit.send('POST', `/deploymentBase/${none}/feedback`, said('closed'))).status,
      404,
      none,
    )
  }
  for (const path404 of [
    '/nothing',
    '/deploymentBase',
    '/deploymentBase/1/x',
    '/installedBase/7',
  ]) {
    assert.equal((await unit.send('GET', path404)).status, 404, path404)
  }
})

test('bodies that say nothing known are refused and change nothing', async () => {
  const unit = await add()
  const id = await pollAction(unit)
  const hostile: unknown[] = [
    '',
    '[]',
    '{',
    'null',
    '"closed"',
    {},
    { status: 'closed' },
    { status: { execution: 'done', result: { finished: 'success' } } },
    { status: { execution: 'closed', result: { finished: 'maybe' } } },
    { status: { execution: 'closed', result: 'success' } },
    { status: { execution: 'closed', details: 'text' } },
    { status: { execution: 'closed', details: [1] } },
    { status: { execution: 'closed', code: 'x' } },
    { status: { execution: 'closed', details: ['\u0000'] } },
  ]
  for (const body of hostile) {
    const { status } = await unit.send('POST', `/deploymentBase/${id}/feedback`, body)
    assert.equal(status, 400, JSON.stringify(body))
  }
  const long = said('proceeding', 'none', { details: ['x'.repeat(300_000)] })
  assert.equal((await unit.send('POST', `/deploymentBase/${id}/feedback`, long)).status, 413)
  const many = said('proceeding', 'none', { details: Array.from({ length: 51 }, () => 'x') })
  assert.equal((await unit.send('POST', `/deploymentBase/${id}/feedback`, many)).status, 429)
  assert.equal((await shown(unit)).update?.state, 'idle')
})

test('the time to the next poll is HH:MM:SS without anything behind it', async () => {
  await client.api.call(createFleet, {
    body: { name: 'clocks', product: 'acme', channel: 'stable' },
  })
  const unit = await add('clocks')
  for (const [pollSeconds, sleep] of [
    [1, '00:00:01'],
    [59, '00:00:59'],
    [3661, '01:01:01'],
    [86_399, '23:59:59'],
    [86_400, '23:59:59'],
    [604_800, '23:59:59'],
  ] as const) {
    await client.api.call(setFleet, { params: { fleet: 'clocks' }, body: { pollSeconds } })
    let given = ''
    // The other worker hears of the change a moment later.
    await waitUntil(
      async () => `${pollSeconds} s are ${sleep}, not ${given}`,
      async () => {
        given = (await unit.send('GET', '')).body.config.polling.sleep
        return given === sleep
      },
    )
  }
})

test('the tenant is DEFAULT or the fleet; anything else is not found, and only with a good token', async () => {
  const unit = await add()
  const as = (tenant: string, token: string | null) =>
    createController(client, unit.id, token, tenant).send('GET', '')
  const token = `TargetToken ${unit.token}`
  assert.equal((await as('DEFAULT', token)).status, 200)
  const named = await as('shops', token)
  assert.match(named.body._links.deploymentBase.href, /\/shops\/controller\/v1\/unit%20\d+\//)
  assert.equal((await as('clocks', token)).status, 404)
  assert.equal((await as('nobody', token)).status, 404)
  assert.equal((await as('nobody', null)).status, 401)
})

test('attributes: merged, replaced, removed, and never more than a hundred', async () => {
  const unit = await add()
  const put = async (body: object) => (await unit.send('PUT', '/configData', body)).status
  const attributes = async () => (await foreign(unit)).attributes
  assert.equal(await put({ data: { hw: 'a', site: 'x' } }), 200)
  assert.equal(await put({ mode: 'merge', data: { hw: 'b' } }), 200)
  assert.deepEqual(await attributes(), { hw: 'b', site: 'x' })
  assert.equal(await put({ mode: 'remove', data: { site: null } }), 200)
  assert.deepEqual(await attributes(), { hw: 'b' })
  assert.equal(await put({ mode: 'replace', data: { only: '1' } }), 200)
  assert.deepEqual(await attributes(), { only: '1' })
  assert.equal(await put({ data: { ['k'.repeat(129)]: 'v' } }), 400)
  assert.equal(await put({ data: { k: 'v'.repeat(129) } }), 400)
  assert.equal(await put({ data: { k: 7 } }), 400)
  assert.equal(await put({ mode: 'take', data: {} }), 400)
  const many = (n: number) =>
    Object.fromEntries(Array.from({ length: n }, (_, i) => [`k${i}`, 'v']))
  assert.equal(await put({ mode: 'replace', data: many(101) }), 429)
  assert.equal(await put({ mode: 'replace', data: many(100) }), 200)
  assert.equal(await put({ data: { one: 'more' } }), 429)
  assert.equal(Object.keys(await attributes()).length, 100)
})

test('a hundred statuses a minute and a thousand an action are enough', async () => {
  const unit = await add()
  const id = await pollAction(unit)
  const path = `/deploymentBase/${id}/feedback`
  const statuses: number[] = []
  for (let i = 0; i < 250; i++)
    statuses.push((await unit.send('POST', path, said('proceeding'))).status)
  assert.ok(statuses.includes(429))
  // The two workers count separately.
  assert.ok(statuses.filter((status) => status === 200).length <= 240)
  const full = await add()
  const fullId = await pollAction(full)
  const db = server.openDatabase()
  try {
    await db.write(
      ({ sql }) =>
        sql`update ddi_actions set statuses_count = 1000 where device = ${full.deviceId}`,
    )
  } finally {
    await db.close()
  }
  const late = await full.send('POST', `/deploymentBase/${fullId}/feedback`, said('proceeding'))
  assert.deepEqual([late.status, late.body.code], [429, 'action_quota'])
})

test('an installation that failed is not offered again where nobody counts attempts', async () => {
  const unit = await add()
  const id = await pollAction(unit)
  await unit.send('POST', `/deploymentBase/${id}/feedback`, said('closed', 'failure', { code: 12 }))
  const { update } = await shown(unit)
  assert.deepEqual([update?.state, update?.code], ['failed', 'ddi_12'])
  const params = { deviceId: unit.deviceId }
  const why = await client.api.call(explainDevice, { params })
  assert.equal(why.code, 'rolled_back_before')
  assert.equal(await pollAction(unit), undefined)
})

test('polls of one device on all workers at the same time make one action', async () => {
  const unit = await add()
  const elsewhere = createController(other, unit.id, `TargetToken ${unit.token}`)
  const polls = Array.from({ length: 4 }, (_, i) =>
    (i % 2 === 0 ? unit : elsewhere).send('GET', ''),
  )
  for (const { status } of await Promise.all(polls)) assert.equal(status, 200)
  assert.equal(await pollAction(unit), 1)
  assert.equal((await foreign(unit)).actions.length, 1)
})

test('a client may say what it has installed already, and is asked to confirm nothing', async () => {
  const unit = await add()
  const put = (body: object) => unit.send('PUT', '/installedBase', body)
  assert.equal((await put({ name: 'acme', version: '0.9' })).status, 404)
  assert.equal((await put({ name: 'other', version: '1.0' })).status, 404)
  assert.equal((await put({ name: 'acme', version: '1.0' })).status, 201)
  assert.equal((await shown(unit)).running?.version, '1.0')
  assert.equal(await pollAction(unit), undefined)
  const { body } = await unit.send('GET', '/confirmationBase')
  assert.equal(body.autoConfirm.active, true)
  assert.equal((await unit.send('GET', '/confirmationBase/1')).status, 404)
  for (const name of ['activateAutoConfirm', 'deactivateAutoConfirm']) {
    assert.equal((await unit.send('POST', `/confirmationBase/${name}`, {})).status, 409)
  }
})

test('the history of an action comes along when it is asked for', async () => {
  const unit = await add()
  const id = await pollAction(unit)
  for (const text of ['one', 'two', 'three']) {
    const body = said('proceeding', 'none', { details: [text] })
    await unit.send('POST', `/deploymentBase/${id}/feedback`, body)
  }
  const history = async (query: string) =>
    (await unit.send('GET', `/deploymentBase/${id}?c=1${query}`)).body.actionHistory
  assert.equal(await history(''), undefined)
  assert.deepEqual(await history('&actionHistory=2'), {
    status: 'RUNNING',
    messages: ['three', 'two'],
  })
  assert.deepEqual((await history('&actionHistory=-1')).messages, ['three', 'two', 'one'])
})

test('ranges are served as they are asked for, and write no row', async () => {
  const unit = await add()
  const id = await pollAction(unit)
  const path = `/softwaremodules/${id}/artifacts/firmware.swu`
  const get = (headers: Record<string, string>) => unit.send('GET', path, undefined, headers)
  const etag = `"${createHash('sha1').update(firmware).digest('hex')}"`
  const counts = async () => {
    const db = server.openDatabase()
    try {
      const [row] = await db.reader.sql`
        select (select xmin::text from device_states where device = ${unit.deviceId}) as state,
          (select xmin::text from ddi_actions where device = ${unit.deviceId}) as action,
          (select count(*) from update_events) as events`
      return row
    } finally {
      await db.close()
    }
  }
  const before = await counts()
  const whole = await get({})
  assert.deepEqual([whole.status, whole.headers['etag']], [200, etag])
  for (const [range, start, end] of [
    ['bytes=0-0', 0, 1],
    ['bytes=100-199', 100, 200],
    ['bytes=299990-', 299_990, 300_000],
    ['bytes=-10', 299_990, 300_000],
    ['bytes=299990-400000', 299_990, 300_000],
  ] as const) {
    const part = await get({ range })
    assert.equal(part.status, 206, range)
    assert.equal(part.headers['content-range'], `bytes ${start}-${end - 1}/300000`)
    assert.deepEqual(Buffer.from(part.bytes), firmware.subarray(start, end))
  }
  const beyond = await get({ range: 'bytes=300000-' })
  assert.deepEqual([beyond.status, beyond.headers['content-range']], [416, 'bytes */300000'])
  assert.equal((await get({ 'if-match': '"other"' })).status, 412)
  assert.equal((await get({ 'if-match': `"other", ${etag}`, range: 'bytes=0-9' })).status, 206)
  assert.equal((await get({ 'if-match': '*' })).status, 200)
  assert.equal((await get({ 'if-none-match': etag })).status, 304)
  assert.equal((await get({ 'if-range': '"other"', range: 'bytes=0-9' })).status, 200)
  const head = await unit.send('HEAD', path)
  assert.deepEqual(
    [head.status, head.headers['content-length'], head.bytes.length],
    [200, '300000', 0],
  )
  assert.deepEqual(await counts(), before)
  assert.equal((await unit.send('GET', `/softwaremodules/${id}/artifacts/other.swu`)).status, 404)
  assert.equal((await unit.send('GET', `/softwaremodules/7/artifacts/firmware.swu`)).status, 404)
})
