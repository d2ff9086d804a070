/**
 * Omaha clients and the server: a whole update as update_engine walks through it, its failures, and
 * every known trap.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { removeDevice, showDevice } from '@seaworthy/api/devices'
import { createFleet, setFleet } from '@seaworthy/api/fleets'
import { createForeignDevice, rotateForeignDevice } from '@seaworthy/api/foreign-devices'
import { setOmahaApp } from '@seaworthy/api/omaha'
import { listRebootLocks } from '@seaworthy/api/reboot-locks'
import {
  abortRollout,
  createRollout,
  listRolloutUpdates,
  showRollout,
} from '@seaworthy/api/rollouts'
import { explainDevice, showFleetVersions } from '@seaworthy/api/updates'
import { waitUntil } from '@seaworthy/std/testing'
import type { Signer } from '@seaworthy/trust/keys'
import type { TestClient, TestServer } from '../../testing/index.ts'
import {
  addForeignDevice,
  carryOut,
  createTestClient,
  policyOf,
  publishIntent,
  publishOsImage,
  pushOsImage,
  pushRelease,
  setUpTrust,
  startTestServer,
  waitForRollout,
  waveOf,
} from '../../testing/index.ts'
import type { Machine } from './update-engine.fixture.ts'
import {
  check,
  checkBody,
  createMachine,
  download,
  flatcarAppId,
  formatApp,
  formatRequest,
  post,
  readReply,
  restartInto,
  tell,
} from './update-engine.fixture.ts'

let server: TestServer
let client: TestClient
let other: TestClient
let signers: Signer[]
const image = randomBytes(200_000)
const oem = randomBytes(1000)

before(async () => {
  server = await startTestServer({ workers: 2 })
  client = createTestClient(server)
  other = createTestClient(server)
  ;({ signers } = await setUpTrust(client))
  await client.api.call(setOmahaApp, {
    params: { product: 'acme' },
    body: { appId: flatcarAppId.toUpperCase() },
  })
  await publish('1.0.0', image)
  await publish('2.0.0', randomBytes(100_000))
})
after(async () => {
  client.close()
  other.close()
  await server.stop()
})

async function publish(version: string, payload: Uint8Array) {
  const files = { 'flatcar_production_update.gz': payload, 'oem-ami.gz': oem }
  const pushed = await pushOsImage(client, server.adminToken, version, files)
  await publishOsImage(client, pushed, signers)
}

let count = 0
async function makeFleet(changes: object = {}): Promise<string> {
  const name = `fleet-${++count}`
  await client.api.call(createFleet, {
    body: { name, product: 'acme', channel: 'stable', pollSeconds: 3600, ...changes },
  })
  return name
}

/** Adds a machine of a new fleet that is held at 1.0.0, unless told otherwise. */
async function addMachine(
  changes: Partial<Machine> = {},
  fleetChanges: object = { pinnedVersion: '1.0.0' },
) {
  const fleet = await makeFleet(fleetChanges)
  const { id, token } = await addForeignDevice(client, { protocol: 'omaha', fleet })
  return { fleet, id, token, machine: createMachine(token, changes) }
}

const show = (deviceId: string) => client.api.call(showDevice, { params: { deviceId } })
const updateOf = async (deviceId: string) => (await show(deviceId)).update

test('D6 update_engine walks: noupdate, ok, 13/1, download in ranges, 14/1, 3/1, restart, 3/2, noupdate', async () => {
  const { fleet, id, machine } = await addMachine({}, { updatesEnabled: false })
  assert.deepEqual(await check(client, machine), {
    app: 'ok',
    status: 'noupdate',
    pollSeconds: 3600,
    version: null,
    packages: [],
    sha256: null,
  })
  const body = { updatesEnabled: true, pinnedVersion: '1.0.0' }
  await client.api.call(setFleet, { params: { fleet }, body })
  await waitUntil('an offer', async () => (await check(client, machine)).status === 'ok')
  const offer = await check(client, machine)
  assert.equal(offer.version, '1.0.0')
  assert.deepEqual(
    offer.packages.map(({ name, size, required }) => [name, size, required]),
    [
      ['flatcar_production_update.gz', image.length, 'true'],
      ['oem-ami.gz', oem.length, 'false'],
    ],
  )
  await tell(client, machine, 13, 1)
  assert.equal((await updateOf(id))?.state, 'downloading')
  assert.deepEqual(await download(client, offer), image)
  await tell(other, machine, 14, 1)
  assert.equal((await updateOf(id))?.state, 'installing')
  await tell(client, machine, 3, 1)
  assert.equal((await updateOf(id))?.state, 'restarting')
  assert.equal((await check(client, machine)).status, 'noupdate', 'only the restart is missing')
  assert.equal((await show(id)).running, null, 'nothing has changed before the restart')
  restartInto(machine, '1.0.0')
  assert.equal((await check(other, machine)).status, 'noupdate')
  const device = await show(id)
  assert.deepEqual([device.update?.state, device.running?.version], ['committed', '1.0.0'])
  assert.equal(device.name, machine.machineId)
})

test('D6 failure: 3/0 with the flag that every self-hosted client sets is failed with its own code, and not offered again', async () => {
  const { id, machine } = await addMachine()
  assert.equal((await check(client, machine)).status, 'ok')
  await tell(client, machine, 13, 1)
  // 1<<28 | 10 means another Omaha address; the second event has the same as a signed number with
  // 1<<31.
  await tell(client, machine, 3, 0, (1 << 28) + 10)
  assert.deepEqual(await updateOf(id), {
    state: 'failed',
    code: 'omaha_10',
    targetPath: 'acme/stable/1.0.0',
  })
  assert.equal((await check(client, machine)).status, 'noupdate')
})

test('D6 deferred, unknown and late events are answered ok and change nothing that matters', async () => {
  const { id, machine } = await addMachine()
  await tell(client, machine, 13, 1)
  assert.equal((await updateOf(id))?.state, 'idle', 'nothing was offered yet')
  await check(client, machine)
  await tell(client, machine, 3, 9, 36)
  assert.equal((await updateOf(id))?.state, 'idle')
  for (const [type, result] of [
    [800, 1],
    [6, 1],
    [2, 1],
    [3, 7],
    [99, 99],
  ] as const) {
    await tell(client, machine, type, result)
  }
  assert.equal((await updateOf(id))?.state, 'idle')
  assert.equal((await check(client, machine)).status, 'ok', 'what was deferred is offered again')
  await tell(client, machine, 14, 1)
  await tell(client, machine, 13, 1)
  assert.equal((await updateOf(id))?.state, 'installing', 'a late event does not lead back')
  assert.equal(
    (await check(client, machine)).status,
    'ok',
    'a client that begins anew gets the same again',
  )
})

test('D6 fallback: a machine that comes up as it was before, or says so, has rolled back', async () => {
  for (const way of ['boots into the old one', 'says 44', 'says it came from what it runs']) {
    const { id, machine } = await addMachine()
    await check(client, machine)
    await tell(client, machine, 3, 1)
    if (way === 'says 44') await tell(client, machine, 3, 0, 44)
    else {
      if (way === 'boots into the old one') machine.bootId = `{${crypto.randomUUID()}}`
      else machine.previousVersion = machine.version
      assert.equal((await check(client, machine)).status, 'noupdate', way)
    }
    const { update, running } = await show(id)
    assert.deepEqual([update?.state, update?.code, running], ['rolled_back', 'omaha_44', null], way)
  }
})

test('D6 only newer releases are offered, also to a machine whose version nobody has signed', async () => {
  const { machine } = await addMachine({ version: '1.5.0' })
  assert.equal((await check(client, machine)).status, 'noupdate', '1.0.0 would be older')
  const newer = await addMachine({ version: '1.5.0' }, {})
  assert.equal((await check(client, newer.machine)).version, '2.0.0')
  const beyond = await addMachine({ version: '10.0.0' }, {})
  assert.equal((await check(client, beyond.machine)).status, 'noupdate')
  const there = await addMachine({ version: '2.0.0' })
  assert.equal((await check(client, there.machine)).status, 'noupdate', 'held at 1.0.0, runs 2.0.0')
  const candidate = await addMachine({ version: '1.0.0-rc.10' })
  assert.equal((await check(client, candidate.machine)).version, '1.0.0', 'its release is newer')
  const strange = await addMachine({ version: 'developer' })
  assert.equal((await check(client, strange.machine)).version, '1.0.0')
  const shown = await show(strange.id)
  assert.deepEqual([shown.running, shown.unsignedVersion], [null, 'developer'])
  strange.machine.version = '1.0.0'
  await check(client, strange.machine)
  const known = await show(strange.id)
  assert.deepEqual([known.running?.version, known.unsignedVersion], ['1.0.0', null])
})

test('D6 traps: both addresses, the token in the path, the app id in any spelling, which is echoed', async () => {
  const { token, machine } = await addMachine()
  const paths = [
    '/omaha/v1/update',
    '/omaha/v1/update/',
    `/omaha/v1/update/${token}`,
    `/omaha/v1/update/${token}/`,
  ]
  for (const path of paths) {
    const authorization = path.includes(token) ? undefined : machine.authorization
    assert.equal((await check(client, { ...machine, path, authorization })).status, 'ok', path)
  }
  const bare = flatcarAppId.slice(1, -1)
  for (const appId of [flatcarAppId.toUpperCase(), bare, ` ${flatcarAppId} `, 'acme']) {
    const spelled = { ...machine, appId }
    const { text } = await post(client, spelled, formatRequest(spelled, checkBody(spelled)))
    assert.ok(text.includes(`<app appid="${appId}" status="ok">`), text)
  }
})

test('D6 traps: every app is answered, the unknown before the known too; an unescaped quote spoils nothing', async () => {
  const { machine } = await addMachine({ oem: 'the "best" one' })
  const unknown = { ...machine, appId: '{00000000-0000-0000-0000-000000000000}' }
  const apps = [unknown, machine, machine].map((one) => formatApp(one, checkBody(one))).join('\n')
  const { status, text } = await post(client, machine, `<request protocol="3.0">${apps}</request>`)
  assert.equal(status, 200)
  const statuses = [
    ...text.matchAll(/<(app|updatecheck) (?:appid="[^"]*" )?status="([^"]*)"/g),
  ].map((m) => m[2])
  assert.deepEqual(statuses, [
    'error-unknownApplication',
    'error-internal',
    'ok',
    'ok',
    'ok',
    'noupdate',
  ])
})

test('D6 traps: a wrong version, no machine id and another protocol are said in the document, with 200', async () => {
  const { id, machine } = await addMachine()
  const cases = [
    [{ ...machine, version: 'a b' }, 'error-invalidVersion', 'error-internal'],
    [{ ...machine, version: '1'.repeat(129) }, 'error-invalidVersion', 'error-internal'],
    [{ ...machine, machineId: '' }, 'error-internal', 'error-internal'],
  ] as const
  for (const [asking, app, status] of cases) {
    const reply = await check(client, asking)
    assert.deepEqual([reply.app, reply.status], [app, status])
  }
  const old = formatRequest(machine, checkBody(machine)).replace('protocol="3.0"', 'protocol="2.0"')
  const reply = await post(client, machine, old)
  assert.equal(readReply(reply.text).status, 'error-unsupportedProtocol')
  assert.equal((await show(id)).update?.targetPath, undefined)
})

test('D6 attack: what is no Omaha request, or too long, is refused; it is logged in part and without the credential', async () => {
  const { token, machine } = await addMachine({ path: '', authorization: undefined })
  machine.path = `/omaha/v1/update/${token}/`
  const good = formatRequest(machine, checkBody(machine))
  const secret = 'Z'.repeat(300)
  const bodies: [number, string | Buffer][] = [
    [400, ''],
    [400, '<request'],
    [400, `<nonsense>${secret}</nonsense>`],
    [400, `<!DOCTYPE request [<!ENTITY a "b">]>${good}`],
    [400, good.replace('stable', '&unknown;')],
    [400, `<request protocol="3.0">${'<app></app>'.repeat(21)}</request>`],
    [413, good + ' '.repeat(70_000)],
  ]
  for (const [status, body] of bodies) {
    const reply = await post(client, machine, body.toString())
    assert.equal(reply.status, status, body.toString().slice(0, 100))
    assert.match(reply.headers['content-type']!, /^text\/xml/)
    assert.match(reply.text, /<response protocol="3.0"/)
  }
  const { status } = await client.send('POST', machine.path, {
    body: Buffer.from([0x3c, 0xff, 0xfe]),
  })
  assert.equal(status, 400)
  assert.equal((await client.send('GET', machine.path)).status, 405)
  assert.equal((await client.send('POST', '/omaha/v2/update')).status, 404)
  assert.ok(server.log().includes('omaha.malformed'))
  assert.ok(!server.log().includes(token.split('_')[2]!))
  assert.ok(!server.log().includes(secret))
  assert.equal((await check(client, machine)).status, 'ok')
})

test('D6 PollInterval is sent with every answer, within what the client takes', async () => {
  for (const [pollSeconds, expected] of [
    [60, 2700],
    [3600, 3600],
    [86_400, 14_400],
  ] as const) {
    const { machine } = await addMachine({}, { pollSeconds, updatesEnabled: false })
    assert.equal((await check(client, machine)).pollSeconds, expected)
  }
})

test('D8 attack: without a credential of its own nobody takes a grant, ends an update or changes a version count', async () => {
  const { fleet, id, token, machine } = await addMachine()
  await check(client, machine)
  const ddi = await addForeignDevice(client, { protocol: 'ddi', externalId: 'a', fleet })
  const before = await show(id)
  const wrong = [
    undefined,
    'Basic bm9ib2R5',
    `Basic ${Buffer.from(`x:${server.adminToken}`).toString('base64')}`,
    `Basic ${Buffer.from(`x:${ddi.token}`).toString('base64')}`,
    `Basic ${Buffer.from(`x:${token.slice(0, -1)}${token.endsWith('0') ? 1 : 0}`).toString('base64')}`,
  ]
  for (const authorization of wrong) {
    const forged = { ...machine, authorization, version: '2.0.0' }
    const { status, text } = await post(client, forged, formatRequest(forged, checkBody(forged)))
    assert.deepEqual([status, text], [401, ''], String(authorization))
  }
  assert.deepEqual((await show(id)).running, before.running)
  const { now } = await client.api.call(showFleetVersions, { params: { fleet } })
  assert.deepEqual(now.versions, [{ version: null, count: 2 }])
})

test('D8 attack: a token serves the machine that used it first; forged machine ids take no grant and tell nothing', async () => {
  const fleet = await makeFleet({ follow: 'rollouts' })
  const mine = await addForeignDevice(client, { protocol: 'omaha', fleet })
  const theirs = await addForeignDevice(client, { protocol: 'omaha', fleet })
  const [machine, victim] = [createMachine(mine.token), createMachine(theirs.token)]
  await check(client, machine)
  await check(client, victim)
  const policy = policyOf({ waves: [waveOf({ kind: 'percent', percent: 100 })], inFlightMax: 2 })
  const { id } = await client.api.call(createRollout, { body: { fleet, version: '1.0.0', policy } })
  await waitForRollout(client, id, ({ waves: [wave] }) => wave?.state === 'open')
  for (let i = 0; i < 20; i++) {
    const forged = {
      ...createMachine(mine.token),
      ...(i === 0 ? { machineId: victim.machineId } : {}),
    }
    const reply = await check(i % 2 === 0 ? client : other, forged)
    assert.deepEqual([reply.app, reply.status], ['restricted', 'error-internal'])
    await post(client, forged, formatRequest({ ...forged, version: '1.0.0' }, checkBody(forged)))
  }
  const { waves } = await client.api.call(showRollout, { params: { rolloutId: id } })
  assert.deepEqual(
    [waves[0]?.offeredCount, waves[0]?.healthyCount, waves[0]?.failedCount],
    [0, 0, 0],
  )
  assert.equal((await check(client, victim)).status, 'ok')
  assert.equal((await check(client, machine)).status, 'ok')
})

test('D8 attack: an app with another machine’s id is restricted wherever it stands in a request', async () => {
  const { machine, token } = await addMachine()
  await check(client, machine)
  const forged = { ...machine, machineId: createMachine(token).machineId }
  const statusesOf = async (...machines: Machine[]) => {
    const apps = machines.map((one) => formatApp(one, checkBody(one))).join('\n')
    const { text } = await post(client, machine, `<request protocol="3.0">${apps}</request>`)
    return [...text.matchAll(/<app appid="[^"]*" status="([^"]*)"/g)].map((m) => m[1])
  }
  assert.deepEqual(await statusesOf(machine, forged), ['ok', 'restricted'])
  assert.deepEqual(await statusesOf(forged, machine), ['restricted', 'ok'])
})

test('D8 a replaced token ends at once, a removed device too', async () => {
  const { id, machine } = await addMachine()
  await check(client, machine)
  const params = { deviceId: id }
  const { token } = await client.api.call(rotateForeignDevice, { params, body: {} })
  const request = formatRequest(machine, checkBody(machine))
  for (const by of [client, other]) assert.equal((await post(by, machine, request)).status, 401)
  const again = createMachine(token, { machineId: machine.machineId })
  const offer = await check(client, again)
  assert.equal(offer.status, 'ok')
  await client.api.call(removeDevice, { params })
  assert.equal((await post(client, again, request)).status, 401)
  await waitUntil('its files are gone', async () => {
    return (await client.send('GET', new URL(offer.packages[0]!.url).pathname)).status === 404
  })
})

test('T10 files are served under a signed address alone: another name, a changed or foreign token finds nothing', async () => {
  const { machine } = await addMachine()
  const { packages } = await check(client, machine)
  const { pathname } = new URL(packages[0]!.url)
  assert.equal(
    (await client.send('HEAD', pathname)).headers['content-length'],
    String(image.length),
  )
  const parts = pathname.split('/')
  const changed = [
    [...parts.slice(0, -1), 'other.gz'],
    [...parts.slice(0, -1), '..%2f..'],
    [...parts.slice(0, -2), `${parts.at(-2)!.slice(0, -2)}AA`, parts.at(-1)!],
    [...parts.slice(0, -2), machine.machineId, parts.at(-1)!],
  ]
  for (const path of changed) {
    assert.equal((await client.send('GET', path.join('/'))).status, 404, path.join('/'))
  }
  const range = await client.send('GET', pathname, { headers: { range: 'bytes=999999999-' } })
  assert.equal(range.status, 416)
})

test('D6 D2 rollouts decide for Omaha devices too: one at a time, history, failure stops, the other never gets it', async () => {
  const fleet = await makeFleet({ follow: 'rollouts' })
  const made = await Promise.all(
    [1, 2].map(() => addForeignDevice(client, { protocol: 'omaha', fleet })),
  )
  const machines = made.map(({ token }) => createMachine(token))
  for (const machine of machines) assert.equal((await check(client, machine)).status, 'noupdate')
  const policy = policyOf({
    waves: [waveOf({ kind: 'percent', percent: 100 })],
    inFlightMax: 1,
    safeMode: true,
  })
  const { id } = await client.api.call(createRollout, { body: { fleet, version: '1.0.0', policy } })
  await waitForRollout(client, id, ({ waves: [wave] }) => wave?.state === 'open')
  let offers: Awaited<ReturnType<typeof check>>[] = []
  await waitUntil('an offer', async () => {
    offers = await Promise.all(
      machines.map((machine, i) => check(i === 0 ? client : other, machine)),
    )
    return offers.some(({ status }) => status === 'ok')
  })
  assert.deepEqual(offers.map(({ status }) => status).toSorted(), ['noupdate', 'ok'])
  const lucky = machines[offers.findIndex(({ status }) => status === 'ok')]!
  const unlucky = machines.find((machine) => machine !== lucky)!
  await tell(client, lucky, 13, 1)
  await tell(client, lucky, 3, 0, 12)
  const paused = await waitForRollout(client, id, ({ state }) => state === 'paused')
  assert.equal(paused.stopCode, 'safe_mode')
  assert.equal((await check(client, unlucky)).status, 'noupdate')
  const { items } = await client.api.call(listRolloutUpdates, { params: { rolloutId: id } })
  assert.deepEqual(
    items.map(({ state, code }) => [state, code]),
    [['failed', 'omaha_12']],
  )
})

test('D13 fault: a machine that may not restart, or only tells, takes no place in a rollout', async () => {
  const fleet = await makeFleet({ follow: 'rollouts', reboot: { strategy: 'off' } })
  const { id, token } = await addForeignDevice(client, { protocol: 'omaha', fleet })
  const machine = createMachine(token)
  await check(client, machine)
  const policy = policyOf({ waves: [waveOf({ kind: 'percent', percent: 100 })] })
  const made = await client.api.call(createRollout, { body: { fleet, version: '1.0.0', policy } })
  const params = { rolloutId: made.id }
  await waitForRollout(client, made.id, ({ waves: [wave] }) => wave?.state === 'open')
  const offered = async () =>
    (await client.api.call(showRollout, { params })).waves[0]?.offeredCount
  const why = async () => (await client.api.call(explainDevice, { params: { deviceId: id } })).code
  assert.equal((await check(client, machine)).status, 'noupdate')
  assert.deepEqual([await offered(), await why()], [0, 'restart_not_allowed'])
  const reboot = { strategy: 'coordinated', slots: 1, ttlSeconds: null } as const
  await client.api.call(setFleet, { params: { fleet }, body: { reboot } })
  await waitUntil('it may restart', async () => (await why()) === 'due')
  await tell(client, machine, 13, 1)
  assert.equal(await offered(), 0, 'it told, and asked for nothing')
  await waitUntil('an offer', async () => (await check(client, machine)).status === 'ok')
  assert.equal(await offered(), 1)
  const { items } = await client.api.call(listRebootLocks, { params: { fleet } })
  assert.equal(items.length, 1)
})

test('D6 a release without files for the machine fails at once instead of when its time is over', async () => {
  const fleet = await makeFleet({ follow: 'rollouts' })
  const made = await client.api.call(createForeignDevice, {
    params: { fleet },
    body: { protocol: 'omaha', platform: 'linux/arm64' },
  })
  const version = '3.0.0'
  const bundle = await pushRelease(client, server.adminToken, version, 'linux/arm64')
  const intent = publishIntent(bundle)
  assert.ok(intent.kind === 'publish')
  await carryOut(
    client,
    { ...intent, content: { ...intent.content, platforms: ['linux/arm64'] } },
    signers,
  )
  const machine = createMachine(made.token)
  await check(client, machine)
  const policy = policyOf({ waves: [waveOf({ kind: 'percent', percent: 100 })], failuresMax: 0 })
  const { id } = await client.api.call(createRollout, { body: { fleet, version, policy } })
  await waitForRollout(client, id, ({ waves: [wave] }) => wave?.state === 'open')
  await waitUntil('the failure', async () => {
    assert.equal((await check(client, machine)).status, 'noupdate')
    const { items } = await client.api.call(listRolloutUpdates, { params: { rolloutId: id } })
    return items[0]?.code === 'image_without_files'
  })
})

test('D6 D5 an update through a rollout is healthy only after the restart, and counts in the fleet', async () => {
  const fleet = await makeFleet({ follow: 'rollouts' })
  const { token } = await addForeignDevice(client, { protocol: 'omaha', fleet })
  const machine = createMachine(token)
  await check(client, machine)
  const policy = policyOf({ waves: [waveOf({ kind: 'percent', percent: 100 })] })
  const { id } = await client.api.call(createRollout, { body: { fleet, version: '1.0.0', policy } })
  await waitForRollout(client, id, ({ waves: [wave] }) => wave?.state === 'open')
  await waitUntil('an offer', async () => (await check(client, machine)).status === 'ok')
  for (const [type, result] of [
    [13, 1],
    [14, 1],
    [3, 1],
  ] as const)
    await tell(client, machine, type, result)
  const { waves } = await client.api.call(showRollout, { params: { rolloutId: id } })
  assert.deepEqual([waves[0]?.inFlightCount, waves[0]?.healthyCount], [1, 0])
  restartInto(machine, '1.0.0')
  assert.equal((await check(client, machine)).status, 'noupdate')
  await waitForRollout(client, id, ({ state }) => state === 'finished')
  const { now } = await client.api.call(showFleetVersions, { params: { fleet } })
  assert.deepEqual(now.versions, [{ version: '1.0.0', count: 1 }])
})

test('V12 D13 coordinated: an offer takes a slot, which is free again when the machine has come up healthy or has failed', async () => {
  const reboot = { strategy: 'coordinated', slots: 1, ttlSeconds: null } as const
  const fleet = await makeFleet({ pinnedVersion: '1.0.0', reboot })
  const made = await Promise.all(
    [1, 2].map(() => addForeignDevice(client, { protocol: 'omaha', fleet })),
  )
  const [first, second] = made.map(({ token }) => createMachine(token)) as [Machine, Machine]
  const holders = async () =>
    (await client.api.call(listRebootLocks, { params: { fleet } })).items.map(
      ({ holder }) => holder,
    )
  assert.equal((await check(client, first)).status, 'ok')
  assert.deepEqual(await holders(), [made[0]!.id])
  assert.equal((await check(client, second)).status, 'noupdate')
  for (const [type, result] of [
    [13, 1],
    [14, 1],
    [3, 1],
  ] as const)
    await tell(client, first, type, result)
  await check(client, first)
  assert.deepEqual(await holders(), [made[0]!.id], 'not before its restart')
  restartInto(first, '1.0.0')
  await check(client, first)
  await waitUntil(
    'the slot of the second',
    async () => (await check(client, second)).status === 'ok',
  )
  await tell(client, second, 3, 0, 5)
  assert.deepEqual(await holders(), [])
})

test('V12 D13 fault: a machine whose rollout is aborted while it downloads keeps its slot until it says how that ended, or half a day has passed', async () => {
  const reboot = { strategy: 'coordinated', slots: 3, ttlSeconds: null } as const
  const fleet = await makeFleet({ follow: 'rollouts', reboot })
  const made = await Promise.all(
    ['goes-on', 'fails', 'vanishes', 'has-not-begun'].map(() =>
      addForeignDevice(client, { protocol: 'omaha', fleet }),
    ),
  )
  await client.api.call(setFleet, {
    params: { fleet },
    body: { reboot: { ...reboot, slots: made.length } },
  })
  const machines = made.map(({ token }) => createMachine(token))
  const [goesOn, fails, vanishes, notBegun] = machines as [Machine, Machine, Machine, Machine]
  const holders = async () => {
    const { items } = await client.api.call(listRebootLocks, { params: { fleet } })
    return made.map(({ id }) => items.some(({ holder }) => holder === id))
  }
  for (const machine of machines) await check(client, machine)
  const policy = policyOf({ waves: [waveOf({ kind: 'percent', percent: 100 })] })
  const { id } = await client.api.call(createRollout, { body: { fleet, version: '1.0.0', policy } })
  await waitForRollout(client, id, ({ waves: [wave] }) => wave?.state === 'open')
  for (const machine of machines) {
    await waitUntil('an offer', async () => (await check(client, machine)).status === 'ok')
    if (machine !== notBegun) await tell(client, machine, 13, 1)
  }
  const body = { reason: 'not this one' }
  await client.api.call(abortRollout, { params: { rolloutId: id }, body })
  for (const machine of machines) {
    await waitUntil('no offer', async () => (await check(client, machine)).status === 'noupdate')
  }
  assert.deepEqual(await holders(), [true, true, true, false])
  for (const [type, result] of [
    [14, 1],
    [3, 1],
  ] as const)
    await tell(client, goesOn, type, result)
  await check(client, goesOn)
  assert.deepEqual(await holders(), [true, true, true, false], 'not before its restart')
  restartInto(goesOn, '1.0.0')
  await check(client, goesOn)
  await tell(client, fails, 3, 0, 5)
  assert.deepEqual(await holders(), [false, false, true, false])
  const db = server.openDatabase()
  try {
    await db.write(
      ({ sql }) => sql`update reboot_locks set asked_at = asked_at - interval '13 hours'
        where holder = ${made[2]!.id}`,
    )
  } finally {
    await db.close()
  }
  await check(client, vanishes)
  assert.deepEqual(await holders(), [false, false, false, false])
})

test('D13 release on health: steady-state is "not yet" for a device whose update has not been found healthy, and 200 after', async () => {
  const reboot = { strategy: 'coordinated', slots: 1, ttlSeconds: null } as const
  const fleet = await makeFleet({ follow: 'rollouts', reboot })
  const { id: deviceId, token } = await addForeignDevice(client, { protocol: 'omaha', fleet })
  const machine = createMachine(token)
  const ask = async (wish: string) => {
    const reply = await client.send('POST', `/fleetlock/v1/${wish}`, {
      headers: { 'fleet-lock-protocol': 'true', authorization: machine.authorization! },
      body: JSON.stringify({ client_params: { id: machine.machineId, group: fleet } }),
    })
    return [reply.status, (reply.json() as { kind?: string }).kind]
  }
  await check(client, machine)
  const policy = policyOf({ waves: [waveOf({ kind: 'percent', percent: 100 })] })
  const { id } = await client.api.call(createRollout, { body: { fleet, version: '1.0.0', policy } })
  await waitForRollout(client, id, ({ waves: [wave] }) => wave?.state === 'open')
  await waitUntil('an offer', async () => (await check(client, machine)).status === 'ok')
  await tell(client, machine, 14, 1)
  await tell(client, machine, 3, 1)
  assert.deepEqual(await ask('pre-reboot'), [200, undefined], 'the slot that it has already')
  restartInto(machine, '1.0.0')
  assert.deepEqual(await ask('steady-state'), [409, 'update_not_healthy'])
  const { items } = await client.api.call(listRebootLocks, { params: { fleet } })
  assert.deepEqual(
    items.map(({ holder, device }) => [holder, device?.updateState]),
    [[deviceId, 'restarting']],
  )
  await check(client, machine)
  assert.deepEqual(await ask('steady-state'), [200, undefined])
  const after = await client.api.call(listRebootLocks, { params: { fleet } })
  assert.deepEqual(after.items, [])
})

test('D8 attack: X-Forwarded-For hides nobody who tries credentials', async () => {
  const machine = createMachine('x')
  const statuses = []
  for (let i = 0; i < 130; i++) {
    const { status } = await client.send('POST', machine.path, {
      headers: { authorization: machine.authorization!, 'x-forwarded-for': `203.0.113.${i}` },
      body: 'x',
    })
    statuses.push(status)
  }
  assert.ok(statuses.includes(429), 'by the address of the connection')
})
