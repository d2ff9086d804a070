/**
 * Rollouts over DDI (D7): what they offer, take back and hold back reaches clients as links,
 * cancels and skips.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { createFleet, setFleet } from '@seaworthy/api/fleets'
import { cancelForeignDevice } from '@seaworthy/api/foreign-devices'
import { ProblemError } from '@seaworthy/api/problems'
import { listRebootLocks } from '@seaworthy/api/reboot-locks'
import { abortRollout, createRollout, showRollout } from '@seaworthy/api/rollouts'
import { explainDevice, listDeviceUpdates } from '@seaworthy/api/updates'
import { waitUntil } from '@seaworthy/std/testing'
import type { Signer } from '@seaworthy/trust/keys'
import { insertDdiAction, listDdiActions, writeDdiAction } from '../../db/ddi-actions.ts'
import type { AddedController } from '../../testing/controllers.ts'
import { addController, awaitAction, pollAction, said } from '../../testing/controllers.ts'
import type { TestClient, TestServer } from '../../testing/index.ts'
import {
  carryOut,
  createTestClient,
  policyOf,
  publishIntent,
  publishOsImage,
  pushOsImage,
  pushRelease,
  setUpTrust,
  startTestServer,
} from '../../testing/index.ts'

let server: TestServer
let client: TestClient
let signers: Signer[]

before(async () => {
  server = await startTestServer()
  client = createTestClient(server)
  ;({ signers } = await setUpTrust(client))
  for (const version of ['1.0', '2.0', '3.0', 'urgent']) {
    const files = { 'firmware.swu': randomBytes(1000) }
    const pushed = await pushOsImage(client, server.adminToken, version, files)
    await publishOsImage(client, pushed, signers, { security: version === 'urgent' })
  }
})
after(async () => {
  client.close()
  await server.stop()
})

let count = 0
async function makeFleet(...names: string[]): Promise<{ fleet: string; units: AddedController[] }> {
  const fleet = `f${++count}`
  await client.api.call(createFleet, {
    body: { name: fleet, product: 'acme', channel: 'stable', follow: 'rollouts', pollSeconds: 1 },
  })
  const units = []
  for (const name of names) units.push(await addController(client, name, fleet))
  return { fleet, units }
}
const begin = async (fleet: string, version: string, policy = policyOf()) =>
  (await client.api.call(createRollout, { body: { fleet, version, policy } })).id
const updateOf = async ({ deviceId }: AddedController) =>
  (await client.api.call(listDeviceUpdates, { params: { deviceId } })).items[0]
const tell = async (unit: AddedController, path: string, ...words: Parameters<typeof said>) =>
  (await unit.send('POST', `${path}/feedback`, said(...words))).status

async function awaitCancel(unit: AddedController): Promise<string> {
  let href: string | undefined
  await waitUntil('an action is cancelled', async () => {
    const { body } = await unit.send('GET', '')
    href = body._links.cancelAction?.href
    if (href !== undefined) assert.equal(body._links.deploymentBase, undefined)
    return href !== undefined
  })
  return href!.slice(href!.lastIndexOf('/cancelAction/'))
}

test('D7 an update goes through its states as the client tells them, and retries as the policy says', async () => {
  const { fleet, units } = await makeFleet('states')
  const unit = units[0]!
  await begin(fleet, '1.0', policyOf({ attempts: { max: 2, waitSeconds: 0 } }))
  const first = await awaitAction(unit)
  assert.equal((await updateOf(unit))?.state, 'offered')
  const path = `/deploymentBase/${first}`
  await tell(unit, path, 'download')
  assert.equal((await updateOf(unit))?.state, 'downloading')
  await tell(unit, path, 'proceeding')
  assert.equal((await updateOf(unit))?.state, 'installing')
  await tell(unit, path, 'closed', 'failure', { code: 7 })
  const failed = (await updateOf(unit))?.events.find(({ state }) => state === 'failed')
  assert.deepEqual([failed?.code, failed?.attempt], ['ddi_7', 1])
  // The next attempt is made when the device polls and is shown one, not when it reports the
  // failure.
  assert.equal((await updateOf(unit))?.state, 'failed')
  const second = await awaitAction(unit)
  assert.equal(second, first + 1)
  assert.deepEqual([(await updateOf(unit))?.state, (await updateOf(unit))?.attempt], ['offered', 2])
  // What the device still says about the first attempt does not affect the second.
  assert.equal(await tell(unit, path, 'closed', 'success'), 410)
  assert.equal((await updateOf(unit))?.state, 'offered')
  await tell(unit, `/deploymentBase/${second}`, 'closed', 'success')
  assert.equal((await updateOf(unit))?.state, 'committed')
})

test('D7 an aborted rollout is cancelled on the device, which says when it has stopped', async () => {
  const { fleet, units } = await makeFleet('stops', 'too-late', 'done-anyway')
  const [stops, tooLate, doneAnyway] = units as [AddedController, AddedController, AddedController]
  const rolloutId = await begin(fleet, '1.0')
  for (const unit of units) {
    const action = await awaitAction(unit)
    await tell(unit, `/deploymentBase/${action}`, 'download')
  }
  await client.api.call(abortRollout, { params: { rolloutId }, body: { reason: 'not this one' } })
  const paths = []
  for (const unit of units) paths.push(await awaitCancel(unit))
  assert.deepEqual((await stops.send('GET', paths[0]!)).body, {
    id: '1',
    cancelAction: { stopId: '1' },
  })
  assert.equal((await stops.send('GET', '/deploymentBase/1')).status, 404)
  // What the device says in between changes nothing.
  assert.equal(await tell(stops, paths[0]!, 'proceeding'), 200)
  assert.equal(await tell(stops, paths[0]!, 'closed', 'success'), 200)
  assert.equal(await tell(stops, paths[0]!, 'closed', 'success'), 410)
  assert.equal((await stops.send('GET', paths[0]!)).status, 404)
  assert.equal(await pollAction(stops), undefined)
  // A device that cannot stop runs on, and is not asked again.
  assert.equal(await tell(tooLate, paths[1]!, 'rejected'), 200)
  assert.equal(await pollAction(tooLate), 1)
  assert.equal(await tell(tooLate, '/deploymentBase/1', 'closed', 'success'), 200)
  // A device that finished before it saw the wish to cancel is believed.
  assert.equal(await tell(doneAnyway, '/deploymentBase/1', 'closed', 'success'), 200)
  assert.equal(await pollAction(doneAnyway), undefined)
})

test('D7 another rollout takes over: the first action is cancelled before the second is shown', async () => {
  const { fleet, units } = await makeFleet('overtaken')
  const unit = units[0]!
  const rolloutId = await begin(fleet, '1.0')
  const first = await awaitAction(unit)
  await client.api.call(abortRollout, { params: { rolloutId }, body: {} })
  await begin(fleet, '2.0')
  const cancel = await awaitCancel(unit)
  assert.equal(cancel, `/cancelAction/${first}`)
  await tell(unit, cancel, 'closed', 'success')
  const second = await awaitAction(unit)
  assert.equal(second, first + 1)
  const { body } = await unit.send('GET', `/deploymentBase/${second}`)
  assert.equal(body.deployment.chunks[0].version, '2.0')
})

test('D7 fault: a client that never answers a cancel takes no place in the next rollout and fails none', async () => {
  const { fleet, units } = await makeFleet('mute', 'answers')
  const [mute, answers] = units as [AddedController, AddedController]
  const first = await begin(fleet, '1.0')
  for (const unit of units) await awaitAction(unit)
  await client.api.call(abortRollout, { params: { rolloutId: first }, body: {} })
  const rolloutId = await begin(fleet, '2.0', policyOf({ safeMode: true }))
  const cancel = await awaitCancel(answers)
  await awaitCancel(mute)
  const params = { deviceId: mute.deviceId }
  await waitUntil('it is due but for the cancel', async () => {
    assert.deepEqual((await mute.send('GET', '')).body._links.deploymentBase, undefined)
    return (await client.api.call(explainDevice, { params })).code === 'cancel_pending'
  })
  const before = await client.api.call(showRollout, { params: { rolloutId } })
  assert.equal(before.waves[0]?.offeredCount, 0)
  assert.equal((await updateOf(mute))?.rolloutId, first)
  // The place that the silent device did not take is free for the other.
  assert.equal(await tell(answers, cancel, 'canceled'), 200)
  const next = await awaitAction(answers)
  await tell(answers, `/deploymentBase/${next}`, 'closed', 'success')
  assert.equal(await pollAction(mute), undefined)
  const { action } = await client.api.call(cancelForeignDevice, { params, body: {} })
  assert.deepEqual([action.id, action.state], [1, 'canceled'])
  assert.equal(await tell(mute, '/cancelAction/1', 'closed', 'success'), 410)
  assert.equal(await awaitAction(mute), 2)
  const after = await client.api.call(showRollout, { params: { rolloutId } })
  assert.deepEqual([after.waves[0]?.offeredCount, after.waves[0]?.failedCount], [2, 0])
  await assert.rejects(
    client.api.call(cancelForeignDevice, { params, body: {} }),
    (error) => error instanceof ProblemError && error.code === 'cancel_not_pending',
  )
})

test('D7 fault: a cancel that nobody answers ends when its time is over, and the next action follows', async () => {
  const { fleet, units } = await makeFleet('mute-for-long')
  const unit = units[0]!
  const rolloutId = await begin(fleet, '1.0')
  const first = await awaitAction(unit)
  await client.api.call(abortRollout, { params: { rolloutId }, body: {} })
  await begin(fleet, '2.0')
  await awaitCancel(unit)
  assert.equal(await pollAction(unit), undefined)
  const db = server.openDatabase()
  try {
    await db.write(
      ({ sql }) => sql`
        update ddi_actions set cancel_asked_at = cancel_asked_at - interval '15 minutes' where device = ${unit.deviceId}`,
    )
  } finally {
    await db.close()
  }
  assert.equal(await awaitAction(unit), first + 1)
  assert.equal(await tell(unit, `/cancelAction/${first}`, 'closed', 'success'), 410)
})

test('D7 fault: a client that rejects a cancel and hangs holds up no wave for ever', async () => {
  const { fleet, units } = await makeFleet('hangs', 'hangs-too')
  const rolloutId = await begin(fleet, '1.0')
  for (const unit of units)
    await tell(unit, `/deploymentBase/${await awaitAction(unit)}`, 'download')
  await client.api.call(abortRollout, { params: { rolloutId }, body: {} })
  const next = await begin(fleet, '2.0')
  for (const unit of units) {
    assert.equal(await tell(unit, await awaitCancel(unit), 'rejected'), 200)
    assert.equal(await pollAction(unit), 1)
  }
  const [timed, forced] = units as [AddedController, AddedController]
  const db = server.openDatabase()
  try {
    await db.write(
      ({ sql }) => sql`
        update ddi_actions set cancel_asked_at = cancel_asked_at - interval '15 minutes' where device = ${timed.deviceId}`,
    )
  } finally {
    await db.close()
  }
  assert.equal(await awaitAction(timed), 2)
  // The other device still has time, unless a person says otherwise.
  assert.equal(await pollAction(forced), 1)
  await client.api.call(cancelForeignDevice, { params: { deviceId: forced.deviceId }, body: {} })
  assert.equal(await awaitAction(forced), 2)
  for (const unit of units) {
    assert.equal(await tell(unit, '/deploymentBase/1', 'closed', 'success'), 410)
    assert.equal(await tell(unit, '/deploymentBase/2', 'closed', 'success'), 200)
  }
  await waitUntil('the wave is passed', async () => {
    const view = await client.api.call(showRollout, { params: { rolloutId: next } })
    return view.state === 'finished' && view.waves[0]?.healthyCount === 2
  })
})

test('D7 fault: an emergency counts for a client only when that has stopped what it had in hand', async () => {
  const { fleet, units } = await makeFleet('interrupted')
  const unit = units[0]!
  const rolloutId = await begin(fleet, '1.0')
  const first = await awaitAction(unit)
  await tell(unit, `/deploymentBase/${first}`, 'download')
  const emergency = await begin(fleet, 'urgent', policyOf({ isEmergency: true }))
  const cancel = await awaitCancel(unit)
  assert.equal((await updateOf(unit))?.rolloutId, rolloutId)
  const offered = await client.api.call(showRollout, { params: { rolloutId: emergency } })
  assert.equal(offered.waves[0]?.offeredCount, 0)
  await tell(unit, cancel, 'closed', 'success')
  assert.equal(await awaitAction(unit), first + 1)
  assert.equal((await updateOf(unit))?.rolloutId, emergency)
})

test('V12 outside of the window the update is skipped, and what has begun to be installed is not', async () => {
  const { fleet, units } = await makeFleet('waits', 'began')
  const [waits, began] = units as [AddedController, AddedController]
  const setReboot = (reboot: Parameters<typeof asReboot>[0]) =>
    client.api.call(setFleet, { params: { fleet }, body: { reboot: asReboot(reboot) } })
  await begin(fleet, '1.0')
  for (const unit of units) await awaitAction(unit)
  await tell(began, '/deploymentBase/1', 'proceeding')
  await setReboot('off')
  const skipped = await waits.send('GET', '/deploymentBase/1')
  assert.equal(skipped.body.deployment.update, 'skip')
  assert.equal(skipped.body.deployment.maintenanceWindow, 'unavailable')
  const runsOn = await began.send('GET', '/deploymentBase/1')
  assert.equal(runsOn.body.deployment.update, 'forced')
  await setReboot('immediate')
  assert.equal((await waits.send('GET', '/deploymentBase/1')).body.deployment.update, 'forced')
})

function asReboot(strategy: 'off' | 'immediate') {
  return { strategy }
}

test('V12 where restarts are coordinated as many install at once as there are slots, until they are well', async () => {
  const { fleet, units } = await makeFleet('slot-1', 'slot-2')
  const [first, second] = units as [AddedController, AddedController]
  await client.api.call(setFleet, {
    params: { fleet },
    body: { reboot: { strategy: 'coordinated', slots: 1, ttlSeconds: null } },
  })
  await begin(fleet, '1.0')
  for (const unit of units) await awaitAction(unit)
  const mode = async (unit: AddedController) =>
    (await unit.send('GET', '/deploymentBase/1')).body.deployment.update
  assert.equal(await mode(first), 'forced')
  assert.equal(await mode(second), 'skip')
  assert.equal(await mode(first), 'forced')
  const held = await client.api.call(listRebootLocks, { params: { fleet } })
  assert.equal(held.items.length, 1)
  await tell(first, '/deploymentBase/1', 'proceeding')
  assert.equal(await mode(second), 'skip')
  await tell(first, '/deploymentBase/1', 'closed', 'success')
  assert.equal(await mode(second), 'forced')
  await tell(second, '/deploymentBase/1', 'closed', 'failure')
  const left = await client.api.call(listRebootLocks, { params: { fleet } })
  assert.equal(left.items.length, 0)
})

test('V12 D7 a device whose rollout is aborted while it downloads keeps its slot until its client says that it has stopped, or how it ended', async () => {
  const { fleet, units } = await makeFleet('slot-stops', 'slot-goes-on')
  const [stops, goesOn] = units as [AddedController, AddedController]
  await client.api.call(setFleet, {
    params: { fleet },
    body: { reboot: { strategy: 'coordinated', slots: 2, ttlSeconds: null } },
  })
  const rolloutId = await begin(fleet, '1.0')
  for (const unit of units) {
    const action = await awaitAction(unit)
    const shown = await unit.send('GET', `/deploymentBase/${action}`)
    assert.equal(shown.body.deployment.update, 'forced')
    await tell(unit, `/deploymentBase/${action}`, 'download')
  }
  const held = async () =>
    (await client.api.call(listRebootLocks, { params: { fleet } })).items.length
  await client.api.call(abortRollout, { params: { rolloutId }, body: { reason: 'not this one' } })
  const paths = []
  for (const unit of units) paths.push(await awaitCancel(unit))
  assert.equal(await held(), 2)
  assert.equal(await tell(goesOn, paths[1]!, 'rejected'), 200)
  assert.equal(await pollAction(goesOn), 1)
  await goesOn.send('GET', '/deploymentBase/1')
  assert.equal(await held(), 2)
  assert.equal(await tell(stops, paths[0]!, 'closed', 'success'), 200)
  assert.equal(await held(), 1)
  assert.equal(await tell(goesOn, '/deploymentBase/1', 'closed', 'success'), 200)
  assert.equal(await held(), 0)
})

test('D7 a release without files for the device fails at once, once an attempt, and is seen', async () => {
  // A bundle for the device's platform has no files that its client could fetch.
  const bundle = await pushRelease(client, server.adminToken, '4.0', 'linux/arm64')
  const intent = publishIntent(bundle)
  if (intent.kind !== 'publish') throw new Error('not an intent to publish')
  const content = { ...intent.content, platforms: ['linux/arm64'] }
  await carryOut(client, { ...intent, content }, signers)
  const { fleet, units } = await makeFleet('no-files')
  const unit = units[0]!
  await begin(fleet, '4.0', policyOf({ attempts: { max: 1, waitSeconds: 0 } }))
  let update = await updateOf(unit)
  await waitUntil('there is an update', async () => {
    assert.equal(await pollAction(unit), undefined)
    update = await updateOf(unit)
    return update !== undefined
  })
  assert.deepEqual([update?.state, update?.code], ['failed', 'image_without_files'])
  for (let i = 0; i < 3; i++) assert.equal(await pollAction(unit), undefined)
  assert.equal((await updateOf(unit))?.attempt, 1)
  await client.api.call(setFleet, { params: { fleet }, body: { updatesEnabled: false } })
})

test('D7 a limit of updates in flight holds for DDI devices, and why says so', async () => {
  const { fleet, units } = await makeFleet('one', 'two', 'three')
  const rolloutId = await begin(fleet, '3.0', policyOf({ inFlightMax: 1 }))
  await awaitAction(units[0]!)
  const polls = await Promise.all(units.map((unit) => pollAction(unit)))
  assert.deepEqual(polls, [1, undefined, undefined])
  const why = await client.api.call(explainDevice, { params: { deviceId: units[1]!.deviceId } })
  assert.equal(why.code, 'in_flight_max')
  await tell(units[0]!, '/deploymentBase/1', 'closed', 'success')
  const next = await Promise.all(units.map((unit) => pollAction(unit)))
  assert.equal(next.filter((action) => action !== undefined).length, 1)
  const rollout = await client.api.call(showRollout, { params: { rolloutId } })
  assert.deepEqual([rollout.waves[0]?.healthyCount, rollout.waves[0]?.inFlightCount], [1, 1])
})

test('O1 D7 attack: one token that fails the baseline again and again gets no second action, and a device keeps its last ones alone', async () => {
  const { fleet, units } = await makeFleet('well')
  const rolloutId = await begin(fleet, '2.0')
  const action = await awaitAction(units[0]!)
  await tell(units[0]!, `/deploymentBase/${action}`, 'closed', 'success')
  await waitUntil('2.0 is the baseline', async () => {
    const { state } = await client.api.call(showRollout, { params: { rolloutId } })
    return state === 'finished'
  })
  const ill = await addController(client, 'ill', fleet)
  const id = await awaitAction(ill)
  const details = Array.from({ length: 20 }, () => 'x'.repeat(512))
  assert.equal(await tell(ill, `/deploymentBase/${id}`, 'closed', 'failure', { details }), 200)
  assert.equal(await pollAction(ill), undefined)
  const installed = await ill.send('PUT', '/installedBase', { name: 'acme', version: '1.0' })
  assert.equal(installed.status, 201)
  assert.equal(await pollAction(ill), undefined)
  const why = await client.api.call(explainDevice, { params: { deviceId: ill.deviceId } })
  assert.equal(why.code, 'rolled_back_before')
  const db = server.openDatabase()
  try {
    const device = ill.deviceId
    const facts = { device, product: 'acme', version: '2.0', sha256: '0'.repeat(64), counter: 1 }
    for (let i = 0; i < 60; i += 1) {
      await db.write(async (tx) => {
        const now = await tx.now()
        const made = await insertDdiAction(tx, { ...facts, rollout: null, createdAt: now })
        const state = i === 2 ? 'finished' : 'failed'
        await writeDdiAction(tx, { ...made!, state, closedAt: now })
      })
    }
    const ids = (await listDdiActions(db.reader, device, 1000)).map((row) => row.id)
    // The last fifty, and the last that ended well: its client has a link to it.
    assert.deepEqual(ids, [...Array.from({ length: 50 }, (_, i) => id + 60 - i), id + 3])
  } finally {
    await db.close()
  }
})
