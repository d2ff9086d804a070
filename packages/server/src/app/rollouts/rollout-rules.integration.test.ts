/**
 * What stops, overtakes and ends rollouts, through the real server: each test in a fleet of its
 * own.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { checkIn } from '@seaworthy/api/device-self'
import { setFleet, showFleet } from '@seaworthy/api/fleets'
import { removeDevice, setDevice, showDevice } from '@seaworthy/api/devices'
import {
  abortRollout,
  approveRollout,
  checkRollout,
  createRollout,
  editRollout,
  explainRollout,
  listRollouts,
  listRolloutUpdates,
  pauseRollout,
  resumeRollout,
  showRollout,
} from '@seaworthy/api/rollouts'
import type { RolloutView } from '@seaworthy/api/rollouts'
import { explainDevice, listDeviceUpdates } from '@seaworthy/api/updates'
import { TransportError } from '@seaworthy/std/http'
import { systemRandom } from '@seaworthy/std/random'
import { waitUntil } from '@seaworthy/std/testing'
import { systemSleep } from '@seaworthy/std/time'
import type { Signer } from '@seaworthy/trust/keys'
import { getRollout } from '../../db/rollouts.ts'
import type {
  Db,
  Installer,
  PublishedRelease,
  TestClient,
  TestServer,
} from '../../testing/index.ts'
import {
  askApart,
  carryOut,
  createTestClient,
  makeFleet,
  makeReport,
  policyOf,
  publishAll,
  setUpTrust,
  shortAnswerMs,
  signReport,
  startTestServer,
  waitForRollout,
  waveOf,
} from '../../testing/index.ts'

let server: TestServer
let client: TestClient
let db: Db
let signers: Signer[]
let first: PublishedRelease
let second: PublishedRelease
let security: PublishedRelease
let last: PublishedRelease
let back: PublishedRelease
let all: PublishedRelease[]

before(async () => {
  server = await startTestServer({ workers: 2 })
  client = createTestClient(server)
  ;({ signers } = await setUpTrust(client))
  const versions = ['1.0.0', '1.1.0', '1.1.1-security', '1.2.0', '1.0.0-again']
  all = await publishAll(client, server.adminToken, signers, versions)
  ;[first, second, security, last, back] = all as [
    PublishedRelease,
    PublishedRelease,
    PublishedRelease,
    PublishedRelease,
    PublishedRelease,
  ]
  db = server.openDatabase()
})

after(async () => {
  await db.close()
  client.close()
  await server.stop()
})

async function begin(
  fleet: string,
  release: PublishedRelease,
  policy: Parameters<typeof policyOf>[0] = {},
  wayBackOf?: string,
): Promise<string> {
  const { id } = await client.api.call(createRollout, {
    body: {
      fleet,
      version: release.version,
      policy: policyOf(policy),
      ...(wayBackOf === undefined ? {} : { wayBackOf }),
    },
  })
  await waitForRollout(client, id, ({ waves }) => waves[0]?.state !== 'waiting')
  return id
}

/** Asks until the device is told to run the release: a worker may not know of the rollout yet. */
async function askUntil(installer: Installer, release: PublishedRelease): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    if ((await installer.ask()) === release.sha256) return
  }
  assert.fail(`it was never told to run ${release.version}`)
}

const show = (rolloutId: string) => client.api.call(showRollout, { params: { rolloutId } })
const refused = (code: string) => (error: unknown) => (error as { code?: string }).code === code
const inFlight = ({ waves }: RolloutView) => waves.reduce((sum, w) => sum + w.inFlightCount, 0)

test('D3 a paused rollout offers nothing, updates under way go on; resumed it offers again; aborted it ends', async () => {
  const [a, b, c] = (await makeFleet(client, server.url, 'steered', 3)) as [
    Installer,
    Installer,
    Installer,
  ]
  const id = await begin('steered', first)
  const params = { rolloutId: id }
  await askUntil(a, first)
  const paused = await client.api.call(pauseRollout, { params, body: { reason: 'lunch' } })
  assert.deepEqual(
    [paused.state, paused.stopCode, paused.stopReason],
    ['paused', 'by_person', 'lunch'],
  )
  assert.equal(await b.ask(), null)
  assert.equal(await a.say('watching', first), first.sha256, 'who has begun is told to go on')
  await assert.rejects(
    client.api.call(pauseRollout, { params, body: {} }),
    refused('rollout_not_active'),
  )
  await client.api.call(resumeRollout, { params, body: {} })
  await askUntil(b, first)
  await a.commit(first)
  const aborted = await client.api.call(abortRollout, { params, body: { reason: 'enough' } })
  assert.equal(aborted.state, 'aborted')
  assert.equal(await c.ask(), null)
  assert.equal(await b.ask(), null, 'who has not begun to install stays')
  const { items } = await client.api.call(listRolloutUpdates, { params, query: {} })
  assert.deepEqual(items.map(({ state }) => state).toSorted(), ['committed', 'superseded'])
  await assert.rejects(
    client.api.call(resumeRollout, { params, body: {} }),
    refused('rollout_ended'),
  )
})

test('D3 a rollout is edited: its waves before it starts, its limits while it runs, and `why` says so', async () => {
  const [a, b] = (await makeFleet(client, server.url, 'edited', 2)) as [Installer, Installer]
  const share = (percent: number) => waveOf({ kind: 'percent', percent })
  const startAt = '2199-01-01T00:00:00Z'
  const { id } = await client.api.call(createRollout, {
    body: {
      ...{ fleet: 'edited', version: first.version, startAt },
      policy: policyOf({ waves: [share(1), share(50), share(100)] }),
    },
  })
  const params = { rolloutId: id }
  const edit = (policy: RolloutView['policy'], policyVersion: number, more: object = {}) =>
    client.api.call(editRollout, { params, body: { policy, policyVersion, ...more } })
  const one = policyOf({ waves: [share(100)], inFlightMax: 1 })
  const soon = { startAt: '2026-01-01T00:00:00Z', reason: 'the festival is over' }
  const begun = await edit(one, 1, soon)
  assert.deepEqual([begun.waves.length, begun.policyVersion], [1, 2])
  await assert.rejects(edit(one, 1), refused('rollout_changed_meanwhile'))
  await assert.rejects(edit(one, 2), refused('rollout_unchanged'))
  await waitForRollout(client, id, ({ waves }) => waves[0]?.state === 'open')
  await askUntil(a, first)
  assert.equal(await b.ask(), null, 'one at a time')
  const other = policyOf({ waves: [share(50)], inFlightMax: 1 })
  await assert.rejects(edit(other, 2), refused('rollout_change_too_late'))
  const { policyChanges } = await edit({ ...one, inFlightMax: 2 }, 2)
  assert.deepEqual(policyChanges.at(-1)!.lines, ['updates at the same time: 1 → 2'])
  assert.equal(policyChanges[0]!.reason, 'the festival is over')
  const why = await client.api.call(explainRollout, {
    params: { ...params, deviceId: b.device.id },
    query: {},
  })
  assert.match(why.sentence, /somebody changed its policy at \d\d:\d\d UTC/)
  await askUntil(b, first)
  await client.api.call(abortRollout, { params, body: {} })
  await assert.rejects(edit(one, 3), refused('rollout_ended'))
})

test('D4 the failure that breaks the gate pauses the rollout before the next device is offered anything', async () => {
  const devices = await makeFleet(client, server.url, 'gated', 8)
  const gate = { failurePercentMax: 30, sampleMin: 3 }
  const id = await begin('gated', first, {
    waves: [waveOf({ kind: 'percent', percent: 100 }, gate)],
    inFlightMax: 4,
  })
  const [a, b, c, d] = devices as [Installer, Installer, Installer, Installer]
  for (const device of [a, b, c, d]) await askUntil(device, first)
  await a.commit(first)
  await b.say('failed', first, 'out_of_space')
  assert.equal((await show(id)).state, 'active', 'two have ended, and the gate wants three')
  await c.say('rolled_back', first, 'unhealthy')
  const rollout = await show(id)
  assert.deepEqual([rollout.state, rollout.stopCode], ['paused', 'failure_gate'])
  assert.match(rollout.stopReason ?? '', /2 of 3 ended updates failed/)
  const { wave, failedCount, endedCount } = rollout.stopValues!
  assert.deepEqual([wave, failedCount, endedCount, rollout.nextCode], [1, 2, 3, 'paused'])
  assert.equal(await devices[5]?.ask(), null)
  const { items } = await client.api.call(listDeviceUpdates, {
    params: { deviceId: b.device.id },
    query: {},
  })
  assert.equal(items[0]?.code, 'out_of_space')
  // A person who resumes the rollout has accepted these failures.
  await client.api.call(resumeRollout, { params: { rolloutId: id }, body: {} })
  await askUntil(devices[6]!, first)
})

test('D4 safe mode: one device at a time until the first is healthy, and the first failure stops', async () => {
  const [a, b, c] = (await makeFleet(client, server.url, 'safe', 3)) as [
    Installer,
    Installer,
    Installer,
  ]
  const id = await begin('safe', first, { safeMode: true, onFailure: 'abort' })
  await askUntil(a, first)
  assert.equal(await b.ask(), null)
  await a.commit(first)
  await askUntil(b, first)
  await askUntil(c, first)
  await b.say('failed', first, 'unhealthy')
  const rollout = await show(id)
  assert.deepEqual([rollout.state, rollout.stopCode], ['aborted', 'safe_mode'])
})

test('D11 an emergency overtakes what has not begun to install, and needs a signed security release', async () => {
  const [a, b] = (await makeFleet(client, server.url, 'urgent', 2)) as [Installer, Installer]
  const planned = await begin('urgent', second)
  await askUntil(a, second)
  await askUntil(b, second)
  await a.say('downloading', second)
  await b.say('installing', second)
  await assert.rejects(
    begin('urgent', last, { isEmergency: true }),
    refused('release_not_security'),
  )
  await begin('urgent', security, { isEmergency: true })
  await askUntil(a, security)
  assert.equal(await b.ask(), second.sha256, 'who installs already finishes that first')
  await b.commit(second)
  await askUntil(b, security)
  const { items } = await client.api.call(listRolloutUpdates, {
    params: { rolloutId: planned },
    query: {},
  })
  const own = items.find(({ deviceId }) => deviceId === a.device.id)
  assert.deepEqual([own?.state, own?.code], ['superseded', 'overtaken'])
})

test('D12 the way back takes only devices that run the bad release, and ends its rollout', async () => {
  const [a, b] = (await makeFleet(client, server.url, 'returning', 2)) as [Installer, Installer]
  const bad = await begin('returning', last)
  await askUntil(a, last)
  await a.follow(all)
  assert.equal(a.running(), last.sha256)
  await assert.rejects(begin('returning', second, {}, bad), refused('way_back_not_possible'))
  const id = await begin('returning', back, {}, bad)
  assert.equal((await show(bad)).state, 'aborted')
  await askUntil(a, back)
  assert.equal(await b.ask(), null)
  const why = await client.api.call(explainRollout, {
    params: { rolloutId: id, deviceId: b.device.id },
    query: {},
  })
  assert.equal(why.code, 'not_taking_part')
  await a.commit(back)
  await waitForRollout(client, id, ({ state }) => state === 'finished')
})

test('D3 a wave that needs approval waits for a person', async () => {
  const [a] = (await makeFleet(client, server.url, 'approved', 1)) as [Installer]
  const wave = { ...waveOf({ kind: 'percent', percent: 100 }), needsApproval: true }
  const id = await begin('approved', first, { waves: [wave] })
  assert.equal((await show(id)).waves[0]?.state, 'awaiting_approval')
  assert.equal(await a.ask(), null)
  const params = { rolloutId: id }
  const approved = await client.api.call(approveRollout, { params, body: { wave: 1 } })
  assert.match(approved.waves[0]?.approvedBy ?? '', /^token_/)
  await waitForRollout(client, id, ({ waves }) => waves[0]?.state === 'open')
  await askUntil(a, first)
})

test('D3 V4 attack: by its token a device neither joins, empties nor outvotes a canary wave', async () => {
  const [canary, ...others] = (await makeFleet(client, server.url, 'canaries', 3)) as [
    Installer,
    ...Installer[],
  ]
  const waves = [
    waveOf({ kind: 'tag', key: 'canary', value: 'yes' }, { successOf: 'ended', sampleMin: 1 }),
    waveOf({ kind: 'percent', percent: 100 }),
  ]
  const setTags = (tags: Record<string, string>) =>
    client.api.call(setDevice, { params: { deviceId: canary.device.id }, body: { tags } })
  await setTags({ canary: 'yes' })
  const id = await begin('canaries', first, { waves })
  const saysOfItself = async ({ device }: Installer, tags: Record<string, string>) => {
    const { status } = await client.send('PATCH', '/v1/device/metadata', {
      token: device.accessToken,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ tags }),
    })
    return status
  }
  // Those that nobody chose would join it: as its only evidence, or as more than the true canaries.
  for (const other of others) {
    assert.equal(await saysOfItself(other, { canary: 'yes' }), 400)
    assert.equal(await other.ask(), null)
  }
  // The only canary would leave it, and a wave without devices would pass.
  assert.equal(await saysOfItself(canary, {}), 400)
  const { tags } = await client.api.call(showDevice, { params: { deviceId: canary.device.id } })
  assert.deepEqual(tags, { canary: 'yes' })
  await askUntil(canary, first)
  assert.equal((await show(id)).waves[1]?.state, 'waiting')
  await client.api.call(abortRollout, { params: { rolloutId: id }, body: {} })

  // Where a person takes the tag away, the next wave waits for a person.
  const again = await begin('canaries', second, { waves })
  await setTags({})
  const emptied = await waitForRollout(client, again, ({ next }) =>
    next.endsWith('because no device with the tag of wave 1 takes part.'),
  )
  assert.deepEqual(
    emptied.waves.map(({ state }) => state),
    ['open', 'awaiting_approval'],
  )
  for (const other of others) assert.equal(await other.ask(), null)
  const params = { rolloutId: again }
  await client.api.call(approveRollout, { params, body: { wave: 2 } })
  await waitForRollout(client, again, ({ waves: shown }) => shown[1]?.state === 'open')
  await askUntil(others[0]!, second)
})

test('D4 a removed device frees its place in flight, a moved one too', async () => {
  const [a, b, c] = (await makeFleet(client, server.url, 'leaving', 3)) as [
    Installer,
    Installer,
    Installer,
  ]
  await makeFleet(client, server.url, 'arriving', 1)
  const id = await begin('leaving', first, { inFlightMax: 1 })
  await askUntil(a, first)
  assert.equal(await b.ask(), null)
  await client.api.call(removeDevice, { params: { deviceId: a.device.id } })
  assert.equal(inFlight(await show(id)), 0)
  await askUntil(b, first)
  const params = { deviceId: b.device.id }
  await client.api.call(setDevice, { params, body: { fleet: 'arriving' } })
  await askUntil(c, first)
  assert.equal(await b.ask(), null)
  const { items } = await client.api.call(listRolloutUpdates, {
    params: { rolloutId: id },
    query: {},
  })
  const codes = new Map(items.map(({ deviceId, code }) => [deviceId, code]))
  assert.equal(codes.get(a.device.id), 'device_removed')
  assert.equal(codes.get(b.device.id), 'device_moved')
})

test('D4 late and repeated reports end no later attempt', async () => {
  const [a] = (await makeFleet(client, server.url, 'retrying', 1)) as [Installer]
  const id = await begin('retrying', first, { attempts: { max: 3, waitSeconds: 0 } })
  await askUntil(a, first)
  assert.equal(a.attempt(), undefined)
  await a.say('downloading', first)
  // The second attempt is offered on the report that tells how the first ended.
  assert.equal(await a.say('failed', first, 'no_network'), first.sha256)
  const params = { rolloutId: id }
  const list = () => client.api.call(listRolloutUpdates, { params, query: {} })
  assert.deepEqual(
    (await list()).items.map(({ attempt, state }) => [attempt, state]),
    [[2, 'offered']],
  )
  assert.equal(a.attempt(), 2, 'the device is told that it is a further one')
  assert.equal(await a.ask(), first.sha256, 'the same report again')
  assert.equal(a.attempt(), 2)
  await a.say('downloading', first)
  await a.repeat(1, 'failed', first).catch(refused('report_sequence_reused'))
  assert.deepEqual(
    (await list()).items.map(({ attempt, state }) => [attempt, state]),
    [[2, 'downloading']],
  )
})

test('D2 a device that asks two workers at once gets one answer and one row', async () => {
  const devices = await makeFleet(client, server.url, 'twice', 4)
  const id = await begin('twice', first, { inFlightMax: 2 })
  for (let round = 0; round < 5; round++) {
    await Promise.all(devices.flatMap((device) => [device.ask(), device.ask(), device.ask()]))
  }
  const told = await Promise.all(devices.map((device) => device.ask()))
  assert.equal(told.filter((sha256) => sha256 === first.sha256).length, 2)
  const rollout = await show(id)
  assert.equal(inFlight(rollout), 2)
  const { items } = await client.api.call(listRolloutUpdates, {
    params: { rolloutId: id },
    query: {},
  })
  assert.deepEqual(
    items.map(({ attempt, state }) => [attempt, state]),
    [
      [1, 'offered'],
      [1, 'offered'],
    ],
  )
})

test('T10 a rollout changed in the database to what nobody signed is offered to nobody', async () => {
  const changes = [
    { fleet: 'forged-sha256', column: 'sha256', value: 'f'.repeat(64) },
    { fleet: 'forged-counter', column: 'counter', value: '99' },
    { fleet: 'forged-version', column: 'version', value: '9.9.9' },
  ]
  for (const { fleet, column, value } of changes) {
    const [a] = (await makeFleet(client, server.url, fleet, 1)) as [Installer]
    const id = await begin(fleet, first)
    await db.write(async ({ sql }) => {
      await sql.unsafe(
        `update rollouts set ${column} = '${value}', revision = revision + 1 where id = '${id}'`,
      )
      await sql`select pg_notify('rollouts', ${id})`
    })
    const rollout = await waitForRollout(client, id, ({ state }) => state === 'aborted')
    assert.equal(rollout.stopCode, 'release_withdrawn', column)
    assert.equal(await a.ask(), null)
  }
})

test('D3 a fleet in which a rollout runs does not go back to the newest release, and refusals name the way out', async () => {
  await makeFleet(client, server.url, 'strict', 1)
  const id = await begin('strict', second)
  const params = { fleet: 'strict' }
  const follow = (value: 'newest' | 'rollouts') =>
    client.api.call(setFleet, { params, body: { follow: value } })
  await assert.rejects(follow('newest'), (error) => {
    return refused('fleet_has_rollouts')(error) && String(error).includes(id)
  })
  await assert.rejects(begin('strict', second), refused('rollout_exists'))
  await assert.rejects(begin('strict', first), refused('release_not_newer'))
  await assert.rejects(
    begin('strict', { ...first, version: '7.7.7' }),
    refused('release_not_published'),
  )
  const gap = [waveOf({ kind: 'percent', percent: 50 }), waveOf({ kind: 'percent', percent: 10 })]
  await assert.rejects(begin('strict', last, { waves: gap }), refused('rollout_policy_invalid'))
  await client.api.call(abortRollout, { params: { rolloutId: id }, body: {} })
  await follow('newest')
  await assert.rejects(begin('strict', last), (error) => {
    return refused('fleet_follows_newest')(error) && String(error).includes('--follow rollouts')
  })
  const { items } = await client.api.call(listRollouts, { query: { fleet: 'strict' } })
  assert.deepEqual(
    items.map((rollout) => rollout.id),
    [id],
  )
  assert.equal((await client.api.call(showFleet, { params })).follow, 'newest')
})

test('D4 forged reports: failures told by devices that were offered nothing, or without their key, stop no rollout', async () => {
  const [a, b, c] = (await makeFleet(client, server.url, 'forged', 3)) as [
    Installer,
    Installer,
    Installer,
  ]
  const gate = { failurePercentMax: 0, sampleMin: 1 }
  const id = await begin('forged', first, {
    waves: [waveOf({ kind: 'percent', percent: 100 }, gate)],
    inFlightMax: 1,
    failuresMax: 0,
  })
  await askUntil(a, first)
  for (let i = 0; i < 5; i++) await b.say('failed', first, 'forged')
  const forged = makeReport({ sequence: 9, update: { state: 'failed', sha256: first.sha256 } })
  await assert.rejects(
    client.as(a.device.accessToken).call(checkIn, {
      body: { report: forged, signature: await signReport(c.device.signer, forged) },
    }),
    refused('report_signature_invalid'),
  )
  const rollout = await show(id)
  assert.deepEqual(
    [rollout.state, inFlight(rollout), rollout.waves[0]?.failedCount],
    ['active', 1, 0],
  )
  await a.commit(first)
  assert.equal((await show(id)).waves[0]?.healthyCount, 1)
})

test('D4 D8 attack: a fetcher that forges, repeats and replays failures without its device’s key stops no rollout', async () => {
  const [a] = (await makeFleet(client, server.url, 'fetched', 1)) as [Installer]
  const { device } = a
  const id = await begin('fetched', first, { attempts: { max: 5, waitSeconds: 0 }, failuresMax: 5 })
  const send = async (body: { report: ReturnType<typeof makeReport>; signature?: string }) =>
    (await client.as(device.accessToken).call(checkIn, { body })).assignment
  const update = (state: 'downloading' | 'failed') => ({ state, sha256: first.sha256 })
  const say = (sequence: number, state: 'downloading' | 'failed', refusals: Refused[] = []) =>
    makeReport({ sequence, update: update(state), refusals })
  const sign = async (report: ReturnType<typeof makeReport>) => ({
    report,
    signature: await signReport(device.signer, report),
  })
  const counts = async () => {
    const { state, waves } = await show(id)
    return [state, waves[0]?.inFlightCount, waves[0]?.failedCount]
  }
  await askUntil(a, first)
  // It forges a failure of what was offered, before and after the device was seen at work.
  const missing = refused('report_signature_missing')
  await assert.rejects(send({ report: say(0, 'failed') }), missing)
  await send({ report: say(0, 'downloading') })
  await assert.rejects(send({ report: say(0, 'failed') }), missing)
  await assert.rejects(send({ report: say(1, 'failed') }), missing)
  assert.deepEqual(await counts(), ['active', 1, 0])
  // The device does fail, and is told to try again.
  const refusal = { code: 'no_space', at: '2030-01-01T00:00:00Z' }
  const failed = await sign(say(1, 'failed', [refusal]))
  await send(failed)
  await waitUntil(
    'another attempt',
    async () => (await send({ report: say(1, 'failed') }))?.attempt === 2,
  )
  // The fetcher repeats the failure, and shows its signed report again.
  const isSecondUnharmed = async () => assert.deepEqual(await counts(), ['active', 1, 0])
  await send({ report: say(1, 'downloading') })
  await send({ report: say(1, 'failed') })
  await send(failed)
  await isSecondUnharmed()
  const configuration = { version: 3 }
  await send(await sign({ ...say(2, 'downloading', [refusal]), configuration }))
  await send({ report: say(2, 'failed', [refusal]) })
  await isSecondUnharmed()
  await assert.rejects(send(failed), refused('report_sequence_reused'))
  await isSecondUnharmed()
  // It leaves out what the device refused, and makes something up.
  await send({ report: { ...say(2, 'downloading'), configuration: { version: 9 } } })
  const view = await client.api.call(showDevice, { params: { deviceId: device.id } })
  assert.deepEqual(view.lastRefusal, { ...refusal, reason: null })
  assert.deepEqual(view.configuration, configuration)
  assert.equal(view.update?.state, 'downloading')
  const forged = { ...refusal, code: 'rollback' }
  await assert.rejects(send({ report: say(2, 'downloading', [refusal, forged]) }), missing)
  const running = { product: 'acme', version: first.version, sha256: first.sha256, counter: 1 }
  await send(await sign(makeReport({ sequence: 3, running, committedCounter: 1 })))
  assert.equal((await show(id)).waves[0]?.healthyCount, 1)
})

type Refused = ReturnType<typeof makeReport>['refusals'][number]

test('O1 kill -9 of workers between a report and its decision leaves every counter right', async () => {
  const devices = await makeFleet(client, server.url, 'killed', 12)
  const id = await begin('killed', first, { inFlightMax: 5, attempts: { max: 10, waitSeconds: 0 } })
  for (let round = 0; round < 2; round++) {
    const asking = Promise.all(devices.map((device) => followForAWhile(device)))
    let isAsking = true
    void asking.finally(() => (isAsking = false))
    await systemSleep((systemRandom.bytes(1)[0]! / 256) * 60)
    const pids = await server.workerPids()
    process.kill(pids[round % pids.length]!, 'SIGKILL')
    // Counters are checked while devices ask, and afterwards too: work of a killed worker may still
    // be committed.
    while (isAsking) {
      await assertCountersRight(id)
      await systemSleep(10)
    }
    await asking
    const { inFlightCount } = await assertCountersRight(id)
    assert.ok(inFlightCount <= 5)
  }
  const isFinished = async () => {
    try {
      const ask = ({ api }: TestClient) => api.call(showRollout, { params: { rolloutId: id } })
      const options = { answerMs: shortAnswerMs }
      return (await askApart(server, ask, options)).state === 'finished'
    } catch (error) {
      // Both workers may be starting again, and then nobody answers for a moment. Any other error
      // fails the test.
      if (error instanceof TransportError && ['unreachable', 'timed_out'].includes(error.code)) {
        return false
      }
      throw error
    }
  }
  await waitUntil('the rollout is finished', async () => {
    await Promise.all(devices.map((device) => followForAWhile(device)))
    return isFinished()
  })
})

/**
 * Compares counters and rows of one consistent state: requests may be under way, and each changes
 * both.
 */
async function assertCountersRight(id: string): Promise<{ inFlightCount: number }> {
  const { wave, rows } = await db.readSnapshot(async (tx) => ({
    wave: (await getRollout(tx, id))?.waves[0],
    rows: await tx.sql<{ state: string; count: number }[]>`
      select state, count(*) as count from updates where rollout = ${id} group by state`,
  }))
  const count = (isWanted: (state: string) => boolean) =>
    rows.reduce((sum, row) => sum + (isWanted(row.state) ? row.count : 0), 0)
  const isOver = (state: string) => ['committed', 'failed', 'rolled_back'].includes(state)
  const counted = {
    offeredCount: count(() => true),
    healthyCount: count((state) => state === 'committed'),
    inFlightCount: count((state) => !isOver(state)),
  }
  assert.deepEqual(
    {
      offeredCount: wave?.offeredCount,
      healthyCount: wave?.healthyCount,
      inFlightCount: wave?.inFlightCount,
    },
    counted,
  )
  return counted
}

/** A request that a killed worker was serving gets no answer and is not waited for. */
async function followForAWhile(device: Installer): Promise<void> {
  const followed = device.follow(all).catch(() => systemSleep(50))
  await Promise.race([followed, systemSleep(2000)])
}

test('D3 a dry run is refused whatever its rollout would be, says what tags find, and begins nothing', async () => {
  const [a] = (await makeFleet(client, server.url, 'rehearsal', 2)) as [Installer, Installer]
  const check = (release: PublishedRelease, policy: Parameters<typeof policyOf>[0] = {}) =>
    client.api.call(checkRollout, {
      body: { fleet: 'rehearsal', version: release.version, policy: policyOf(policy) },
    })
  const canary = waveOf({ kind: 'tag', key: 'canary', value: 'yes' })
  const waves = [canary, waveOf({ kind: 'percent', percent: 100 })]
  const counts = async () => (await check(second, { waves })).waves
  assert.deepEqual(await counts(), [{ taggedCount: 0 }, { taggedCount: null }])
  const params = { deviceId: a.device.id }
  await client.api.call(setDevice, { params, body: { tags: { canary: 'yes' } } })
  assert.deepEqual(await counts(), [{ taggedCount: 1 }, { taggedCount: null }])
  const { items } = await client.api.call(listRollouts, { query: { fleet: 'rehearsal' } })
  assert.deepEqual(items, [])

  await assert.rejects(check(last, { isEmergency: true }), refused('release_not_security'))
  await assert.rejects(check({ ...first, version: '7.7.7' }), refused('release_not_published'))
  const gap = [waveOf({ kind: 'percent', percent: 50 }), waveOf({ kind: 'percent', percent: 10 })]
  await assert.rejects(check(last, { waves: gap }), refused('rollout_policy_invalid'))
  const rolloutId = await begin('rehearsal', second)
  await assert.rejects(check(second), refused('rollout_exists'))
  await assert.rejects(check(first), refused('release_not_newer'))
  await client.api.call(abortRollout, { params: { rolloutId }, body: {} })
  const fleet = { params: { fleet: 'rehearsal' }, body: { follow: 'newest' as const } }
  await client.api.call(setFleet, fleet)
  await assert.rejects(check(last), refused('fleet_follows_newest'))
})

test('D5 why: a device is told in one sentence what it waits for', async () => {
  const [a] = (await makeFleet(client, server.url, 'asking', 1)) as [Installer]
  const params = { deviceId: a.device.id }
  const why = async () => client.api.call(explainDevice, { params, query: {} })
  assert.equal((await why()).code, 'no_rollout')
  const waves = [
    waveOf({ kind: 'tag', key: 'ring', value: 'early' }, { successOf: 'ended', bakeSeconds: 1800 }),
    waveOf({ kind: 'percent', percent: 100 }),
  ]
  await begin('asking', first, { waves })
  const waiting = await why()
  assert.equal(waiting.code, 'wave_not_open')
  assert.match(waiting.sentence, /wave 2 of 2 opens when/)
  assert.equal(waiting.wave, 2)
  const { nextWave, gateWave, bakeSeconds } = waiting.values
  assert.deepEqual([nextWave, gateWave, bakeSeconds], [2, 1, 1800])
  await assert.rejects(
    client.api.call(explainDevice, { params, query: { timeZone: 'Mars/Olympus' } }),
    refused('time_zone_unknown'),
  )
})

test('T10 a withdrawn release ends its rollout, and devices are told to stay', async () => {
  const [a] = (await makeFleet(client, server.url, 'withdrawn', 1)) as [Installer]
  const id = await begin('withdrawn', security)
  await askUntil(a, security)
  const { version } = security
  await carryOut(client, { kind: 'withdraw', product: 'acme', channel: 'stable', version }, signers)
  const rollout = await waitForRollout(client, id, ({ state }) => state === 'aborted')
  assert.equal(rollout.stopCode, 'release_withdrawn')
  assert.equal(await a.ask(), null)
})
