/** Approvals by another person: nobody gets around them, and what was approved is what is done. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ApprovalView } from '@seaworthy/api/approvals'
import {
  approveRequest,
  listApprovals,
  rejectRequest,
  setApprovalPolicy,
  showApproval,
  showApprovalPolicy,
  withdrawRequest,
} from '@seaworthy/api/approvals'
import type { ApiClient } from '@seaworthy/api/client'
import { listDevices, removeDevice, setDevice } from '@seaworthy/api/devices'
import { createFleet, setFleet } from '@seaworthy/api/fleets'
import {
  createForeignDevice,
  createGatewayToken,
  revokeGatewayToken,
  rotateForeignDevice,
} from '@seaworthy/api/foreign-devices'
import { reinvitePerson } from '@seaworthy/api/invitations'
import { disablePerson, enablePerson, setPerson } from '@seaworthy/api/people'
import type { BodyInputOf } from '@seaworthy/api/route'
import type { ProblemError } from '@seaworthy/api/problems'
import {
  abortRollout,
  approveRollout,
  createRollout,
  editRollout,
  listRollouts,
  pauseRollout,
  resumeRollout,
  showRollout,
} from '@seaworthy/api/rollouts'
import { createToken } from '@seaworthy/api/tokens'
import { formatInstant, hourMs } from '@seaworthy/std/time'
import { hasCode } from '@seaworthy/std/testing'
import type { TestClient, TestServer, Joined } from '../testing/index.ts'
import {
  acceptLink,
  addDevice,
  createTestBrowser,
  createTestClient,
  fillFleet,
  makeProvisioningKey,
  policyOf,
  publishAll,
  setUpTrust,
  startTestServer,
  waitForRollout,
  confirmed,
  joinAsFirstOwner,
  joinBy,
} from '../testing/index.ts'

let server: TestServer
let client: TestClient
let db: ReturnType<TestServer['openDatabase']>
let olive: Joined
let oscar: Joined
let otto: Joined
const devices: string[] = []

const rules = { releaseDevicesAbove: 1, deviceRemoval: true, credentialLease: true }

before(async () => {
  server = await startTestServer({ workers: 1 })
  client = createTestClient(server)
  db = server.openDatabase()
  const { signers } = await setUpTrust(client)
  await publishAll(client, server.adminToken, signers, ['1.0.0', '2.0.0'])
  devices.push(...(await fillFleet(client, server.url, 2)).map(({ id }) => id))
  olive = await joinAsFirstOwner(server, client)
  await assert.rejects(setRules(olive, rules), hasCode('approvers_too_few'))
  oscar = await join('owner')
  otto = await join('operator')
})
after(async () => {
  client.close()
  await db.close()
  await server.stop()
})

async function setRules(by: Joined, body: BodyInputOf<typeof setApprovalPolicy>) {
  return (await confirmed(by)).call(setApprovalPolicy, { body })
}

const join = (
  role: 'owner' | 'admin' | 'operator' | 'viewer',
  by = olive,
  fleets?: string[],
): Promise<Joined> => joinBy(by, { role, ...(fleets && { fleets }) }, { server, client })

async function tokenOf(person: Joined): Promise<ApiClient> {
  const body = { name: 'by-hand', role: 'admin', lifetimeSeconds: 86_400 } as const
  return client.as((await (await confirmed(person)).call(createToken, { body })).token)
}

/** The request that a call is answered with. */
async function requestOf(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => undefined,
    (why: unknown) => why as ProblemError,
  )
  assert.equal(error?.code, 'approval_required', String(error))
  return error.problem.approval!
}

async function approve(by: Joined, approvalId: string): Promise<ApprovalView> {
  return (await confirmed(by)).call(approveRequest, { params: { approvalId } })
}

const show = (by: ApiClient, approvalId: string) =>
  by.call(showApproval, { params: { approvalId } })
const stateOf = async (id: string) => (await show(olive.browser.api, id)).state

const rollout = (version = '1.0.0') => ({
  body: { fleet: 'shops', version, policy: policyOf({ failuresMax: 3 }) },
})
const begin = (by: ApiClient, version?: string) => by.call(createRollout, rollout(version))

const makeFleet = (name: string) =>
  client.api.call(createFleet, {
    body: { name, product: 'acme', channel: 'stable', follow: 'rollouts' },
  })

async function newDevice(): Promise<string> {
  const fleet = 'spare'
  return (await addDevice(client, server.url, await makeProvisioningKey(client, 1, fleet))).id
}
const remove = (by: ApiClient, deviceId: string) => by.call(removeDevice, { params: { deviceId } })
async function isThere(id: string): Promise<boolean> {
  const { items } = await client.api.call(listDevices, { query: { limit: 1000 } })
  return items.some((device) => device.id === id)
}

/** What was done without an approval so far was done a day ago. */
const passDay = () =>
  db.write(({ sql }) => sql`update unapproved_releases set at = at - interval '1 day'`)

test('A2 a rollout to more devices than the rules allow is begun once another person has approved exactly that', async () => {
  const { api } = otto.browser
  assert.equal((await api.call(showApprovalPolicy, {})).since, null)
  const free = await begin(api)
  await api.call(abortRollout, { params: { rolloutId: free.id }, body: {} })
  assert.deepEqual((await setRules(olive, rules)).rules, rules)
  await makeFleet('spare')

  const id = await requestOf(begin(api))
  assert.equal(await requestOf(begin(api)), id, 'the same call asks once')
  const asked = await show(oscar.browser.api, id)
  assert.equal(asked.state, 'pending')
  assert.deepEqual([asked.isOwn, asked.mayDecide, asked.devicesMax], [false, true, 2])
  assert.equal(asked.effect[0], 'Would move the fleet shops to acme@1.0.0.')
  assert.ok(asked.effect.includes('  1  the whole fleet'), asked.effect.join('\n'))
  assert.ok(asked.effect.some((line) => line.includes('3 failed devices')))
  assert.equal((await show(api, id)).isOwn, true)

  const approved = await approve(oscar, id)
  assert.deepEqual([approved.state, approved.decidedBy?.id], ['approved', oscar.id])
  const begun = await begin(api)
  assert.equal(begun.version, '1.0.0')
  assert.equal(await stateOf(id), 'done')
  const entries = await db.reader.sql<{ entry: Uint8Array }[]>`
    select entry from audit_entries order by id desc limit 10`
  const said = entries.map(({ entry }) => JSON.parse(Buffer.from(entry).toString()))
  const of = (action: string) => said.find((one) => one.action === action && one.outcome === 'done')
  assert.equal(of('approval.request').subject, id)
  assert.equal(of('approval.approve').subject, id)
  assert.equal(of('approval.approve').detail.effectSha256, approved.effectSha256)
  assert.equal(of('rollout.create').detail.approval, id)
  assert.equal(of('rollout.create').detail.approvedBy, oscar.id)

  await api.call(abortRollout, { params: { rolloutId: begun.id }, body: {} })
  const again = await requestOf(begin(api))
  assert.notEqual(again, id, 'attack: an approval is replayed')
  await api.call(withdrawRequest, { params: { approvalId: again } })
  await assert.rejects(approve(oscar, again), hasCode('approval_closed'))
})

test('A2 attack: whoever asks approves by a second token, an account that they invite, or one that they take over', async () => {
  const token = await tokenOf(oscar)
  const device = await newDevice()
  const id = await requestOf(remove(token, device))
  assert.equal((await show(oscar.browser.api, id)).isOwn, true)
  await assert.rejects(approve(oscar, id), hasCode('approval_own'))
  const second = await tokenOf(oscar)
  const params = { approvalId: id }
  await assert.rejects(
    second.call(rejectRequest, { params, body: { reason: 'mine' } }),
    hasCode('approval_own'),
  )
  // A token comes to no approval at all: it can be copied.
  const others = await tokenOf(olive)
  await assert.rejects(others.call(approveRequest, { params }), hasCode('permission_denied'))

  const puppet = await join('owner', oscar)
  await assert.rejects(approve(puppet, id), hasCode('approval_own'))
  const puppets = await join('admin', puppet)
  await assert.rejects(approve(puppets, id), hasCode('approval_own'))
  const victim = await join('admin', olive)
  const reinvited = { params: { personId: victim.id } }
  const { link } = await (await confirmed(oscar)).call(reinvitePerson, reinvited)
  const taken = { browser: createTestBrowser(server, client), id: victim.id }
  await acceptLink(taken.browser, link, 'A taken account')
  await assert.rejects(approve(taken, id), hasCode('approval_own'))

  // The other way round: the puppet asks, and its maker approves.
  const other = await newDevice()
  const own = await requestOf(remove(puppet.browser.api, other))
  await assert.rejects(approve(oscar, own), hasCode('approval_own'))
  await assert.rejects(approve(puppets, own), hasCode('approval_own'))
  await assert.rejects(remove(token, device), hasCode('approval_required'))
  assert.ok(await isThere(device))

  await approve(olive, id)
  await remove(token, device)
  assert.ok(!(await isThere(device)))
  // Rules set by two owners take in everybody who is there.
  const change = { ...rules, releaseDevicesAbove: 0 }
  const ask = await requestOf(setRules(olive, change))
  const words = (await show(oscar.browser.api, ask)).effect
  assert.ok(words.some((line) => line.includes(puppet.id)))
  await assert.rejects(approve(puppet, own), hasCode('approval_own'))
  await approve(oscar, ask)
  await setRules(olive, change)
  await approve(taken, own)
  await approve(oscar, await requestOf(setRules(olive, rules)))
  await setRules(olive, rules)
})

test('A2 attack: rules for approvals are changed, or their second owner is sent away, by one owner alone', async () => {
  const none = { releaseDevicesAbove: null, deviceRemoval: false, credentialLease: false }
  const id = await requestOf(setRules(oscar, none))
  assert.match((await show(olive.browser.api, id)).effect.join('\n'), /nothing needs an approval/)
  await assert.rejects(approve(oscar, id), hasCode('approval_own'))
  await assert.rejects(approve(otto, id), hasCode('permission_denied'))
  const admin = await join('admin')
  await assert.rejects(approve(admin, id), hasCode('permission_denied'))
  // The admin has joined meanwhile, and the change would take them in: it is another one.
  const latest = await requestOf(setRules(oscar, none))
  assert.equal(await stateOf(id), 'void')
  assert.deepEqual((await oscar.browser.api.call(showApprovalPolicy, {})).rules, rules)
  await assert.rejects(remove(client.api, devices[0]!), hasCode('approval_needs_person'))

  const owners = await db.reader.sql<{ id: string }[]>`
    select id from people where role = 'owner' and disabled_at is null and id <> ${oscar.id}`
  const away = owners.filter((one) => one.id !== olive.id)
  for (const { id: personId } of away) {
    await (await confirmed(oscar)).call(disablePerson, { params: { personId } })
  }
  await assert.rejects(
    (await confirmed(oscar)).call(disablePerson, { params: { personId: olive.id } }),
    hasCode('owner_last'),
  )
  const params = { approvalId: latest }
  await olive.browser.api.call(rejectRequest, { params, body: { reason: 'we keep them' } })
  const seen = await show(oscar.browser.api, latest)
  assert.deepEqual([seen.state, seen.reason], ['rejected', 'we keep them'])
})

test('A2 attack: who approved may not do it any more when it is carried out, or never could', async () => {
  const device = await newDevice()
  const { api } = otto.browser
  const id = await requestOf(remove(api, device))
  const viewer = await join('viewer')
  await assert.rejects(approve(viewer, id), hasCode('permission_denied'))
  await assert.rejects(show(viewer.browser.api, id), hasCode('out_of_scope'))
  const admin = await join('admin', oscar)
  const params = { personId: admin.id }
  await approve(admin, id)
  await (await confirmed(olive)).call(setPerson, { params, body: { role: 'viewer' } })
  await assert.rejects(remove(api, device), hasCode('approval_void'))
  assert.equal(await stateOf(id), 'void')

  const second = await requestOf(remove(api, device))
  await (await confirmed(olive)).call(setPerson, { params, body: { role: 'admin' } })
  await approve(admin, second)
  await (await confirmed(olive)).call(disablePerson, { params })
  await assert.rejects(remove(api, device), hasCode('approval_void'))
  assert.ok(await isThere(device))
})

test('A2 attack: another call than the approved one is carried out, or the approved one after the world has moved', async () => {
  const { api } = otto.browser
  const id = await requestOf(begin(api))
  await approve(oscar, id)
  const other = await requestOf(begin(api, '2.0.0'))
  assert.notEqual(other, id)
  const bolder = { body: { ...rollout().body, policy: policyOf({ failuresMax: 4 }) } }
  assert.notEqual(await requestOf(api.call(createRollout, bolder)), id)
  const fleet = { params: { fleet: 'shops' } }
  await client.api.call(setFleet, { ...fleet, body: { updatesEnabled: false } })
  await assert.rejects(begin(api), hasCode('approval_void'))
  const second = await requestOf(begin(api))
  await approve(oscar, second)
  await addDevice(client, server.url, await makeProvisioningKey(client, 1))
  await assert.rejects(begin(api), hasCode('approval_void'))
  const { items } = await api.call(listRollouts, { query: { state: 'active' } })
  assert.deepEqual(items, [])
  await client.api.call(setFleet, { ...fleet, body: { updatesEnabled: true } })

  // Fewer devices are within what was approved.
  const third = await requestOf(begin(api))
  assert.equal((await show(api, third)).devicesMax, 3)
  await approve(oscar, third)
  const gone = await requestOf(remove(api, devices.pop()!))
  await approve(olive, gone)
  await remove(api, (await show(api, gone)).subject)
  const { id: rolloutId } = await begin(api)
  await api.call(abortRollout, { params: { rolloutId }, body: {} })
})

test('A2 attack: devices are brought to a release past the rules for rollouts: by what the fleet follows, by moves', async () => {
  const { api } = otto.browser
  const params = { fleet: 'shops' }
  const body = { follow: 'newest' } as const
  const id = await requestOf(api.call(setFleet, { params, body }))
  assert.match((await show(api, id)).effect[0]!, /without a rollout/)
  await api.call(setFleet, { params, body: { pinnedVersion: '1.0.0', pollSeconds: 61 } })
  await requestOf(api.call(setFleet, { params, body }))
  await approve(oscar, await requestOf(setRules(olive, { ...rules, releaseDevicesAbove: 0 })))
  await setRules(olive, { ...rules, releaseDevicesAbove: 0 })
  const deviceId = await newDevice()
  await requestOf(api.call(setDevice, { params: { deviceId }, body: { fleet: 'shops' } }))
  await api.call(setDevice, { params: { deviceId }, body: { name: 'till' } })
  await approve(oscar, await requestOf(setRules(olive, rules)))
  await setRules(olive, rules)
})

test('A2 attack: a release that an empty fleet has passed is brought to all that came since: by the baseline, by updates switched on', async () => {
  const { api } = (await join('operator')).browser
  await makeFleet('dock')
  const params = { fleet: 'dock' }
  const set = (body: BodyInputOf<typeof setFleet>) => api.call(setFleet, { params, body })
  const empty = { ...rollout('2.0.0').body, fleet: 'dock' }
  const { id } = await api.call(createRollout, { body: empty })
  await waitForRollout(client, id, ({ state }) => state === 'finished')
  await set({ follow: 'newest', pinnedVersion: '1.0.0' })
  await set({ updatesEnabled: false })
  const key = await makeProvisioningKey(client, 3, 'dock')
  for (let count = 0; count < 3; count += 1) await addDevice(client, server.url, key)

  const asked = await show(api, await requestOf(set({ follow: 'rollouts', updatesEnabled: true })))
  assert.equal(asked.devicesMax, 3)
  assert.match(asked.effect[0]!, /take its baseline acme@2\.0\.0 at once, without a rollout/)
  // Nothing comes to a fleet whose updates are off.
  await set({ follow: 'rollouts', pinnedVersion: null })
  await requestOf(set({ updatesEnabled: true }))

  // A rollout that began while the fleet was small and got no updates is no baseline yet.
  await makeFleet('quay')
  const quay = { params: { fleet: 'quay' } }
  const policy = policyOf({ waves: [{ ...policyOf().waves[0]!, needsApproval: true }] })
  await api.call(createRollout, { body: { ...empty, fleet: 'quay', policy } })
  await api.call(setFleet, { ...quay, body: { updatesEnabled: false } })
  const other = await makeProvisioningKey(client, 2, 'quay')
  for (let count = 0; count < 2; count += 1) await addDevice(client, server.url, other)
  await requestOf(api.call(setFleet, { ...quay, body: { updatesEnabled: true } }))
})

test('A2 attack: a rollout that was begun in a small fleet goes on in the fleet that has grown since: by a resume, an approved wave, a late start', async () => {
  const { api } = (await join('operator')).browser
  await passDay()
  await makeFleet('pier')
  const grow = async (count: number) => {
    const key = await makeProvisioningKey(client, count, 'pier')
    for (let added = 0; added < count; added += 1) await addDevice(client, server.url, key)
  }
  await grow(1)
  const wave = { ...policyOf().waves[0]!, needsApproval: true }
  const wanted = policyOf({ waves: [wave], onFailure: 'abort' })
  const body = { ...rollout('2.0.0').body, fleet: 'pier', policy: wanted }
  const later = (hours: number) => formatInstant(new Date(Date.now() + hours * hourMs))
  const late = { ...body, startAt: later(25) }
  const far = await show(api, await requestOf(api.call(createRollout, { body: late })))
  assert.equal(far.devicesMax, null, 'nobody knows how the fleet will have grown')

  const { id: rolloutId } = await api.call(createRollout, { body: { ...body, startAt: later(1) } })
  const params = { rolloutId }
  const pause = () => api.call(pauseRollout, { params, body: {} })
  const resume = () => api.call(resumeRollout, { params, body: {} })
  const open = () => api.call(approveRollout, { params, body: { wave: 1 } })
  await pause()
  await resume()
  await grow(2)
  const asked = await requestOf(open())
  const { effect, devicesMax } = await show(oscar.browser.api, asked)
  assert.equal(devicesMax, 2, 'those who came since')
  assert.match(
    effect[0]!,
    /Would let wave 1 of the rollout .* of acme@2\.0\.0 open, in the fleet pier/,
  )
  await pause()
  const going = await requestOf(resume())
  await grow(1)
  await approve(oscar, going)
  await assert.rejects(resume(), hasCode('approval_void'))
  await approve(oscar, await requestOf(resume()))
  assert.equal((await resume()).state, 'active')
  // The approval counted the fleet anew: nobody has come since.
  await open()
  // What was approved is a policy too: it becomes looser only by another approval.
  const { policy, policyVersion } = await api.call(showRollout, { params })
  const edit = (changes: Partial<typeof policy>) =>
    api.call(editRollout, { params, body: { policy: { ...policy, ...changes }, policyVersion } })
  const looser = await show(oscar.browser.api, await requestOf(edit({ onFailure: 'pause' })))
  assert.match(looser.effect[1]!, /on too many failures: abort → pause/)
  assert.equal((await edit({ inFlightMax: 1 })).policyVersion, policyVersion + 1)
  await assert.rejects(resume(), hasCode('rollout_not_paused'))
})

test('A2 attack: devices that were stopped because two machines use their identity take a release without an approval: each settled, or all by the fleet', async () => {
  const { api } = (await join('operator')).browser
  await passDay()
  await makeFleet('crane')
  const params = { fleet: 'crane' }
  const set = (body: BodyInputOf<typeof setFleet>) => api.call(setFleet, { params, body })
  await set({ follow: 'newest', pinnedVersion: '1.0.0', sharedIdentity: 'stop' })
  const key = await makeProvisioningKey(client, 2, 'crane')
  const ids = [await addDevice(client, server.url, key), await addDevice(client, server.url, key)]
  await set({ sharedIdentity: 'tell' })
  await set({ sharedIdentity: 'stop' })
  await db.write(async ({ sql }) => {
    for (const { id } of ids) {
      await sql`
        insert into identity_traces (device, left_boots, went_back_at, shared_since)
        values (${id}, '[]', '[]', now())`
    }
  })
  const asked = await show(api, await requestOf(set({ sharedIdentity: 'tell' })))
  assert.equal(asked.devicesMax, 2)
  assert.match(asked.effect[0]!, /whose identity two machines seem to use/)
  const settle = ({ id: deviceId }: { id: string }) =>
    api.call(setDevice, { params: { deviceId }, body: { identityShared: false } })
  await settle(ids[0]!)
  await requestOf(settle(ids[1]!))
})

test('A2 attack: many devices are brought another release few at a time: moved one by one, by small fleets, by a second token', async () => {
  await passDay()
  const mover = await join('admin')
  const { api } = mover.browser
  const ids = [await newDevice(), await newDevice(), await newDevice()]
  const move = (by: ApiClient, deviceId: string) =>
    by.call(setDevice, { params: { deviceId }, body: { fleet: 'shops' } })
  await move(api, ids[0]!)
  const asked = await requestOf(move(api, ids[1]!))
  await requestOf(move(await tokenOf(mover), ids[2]!))
  await makeFleet('kiosk')
  await addDevice(client, server.url, await makeProvisioningKey(client, 1, 'kiosk'))
  await requestOf(api.call(createRollout, { body: { ...rollout().body, fleet: 'kiosk' } }))
  const params = { fleet: 'kiosk' }
  await requestOf(api.call(setFleet, { params, body: { follow: 'newest' } }))
  // What another person has approved is no part of it, nor is what another person does.
  await approve(oscar, asked)
  await move(api, ids[1]!)
  await move((await join('admin', oscar)).browser.api, ids[2]!)
  const before = { params: { deviceId: ids[0]! }, body: { fleet: 'spare' } }
  await requestOf(api.call(setDevice, before))
  await passDay()
  await api.call(setDevice, before)
  // Two at once do not both take the last that is free; nor do tokens that go back to nobody.
  const two = [await newDevice(), await newDevice()]
  const done = await Promise.allSettled(two.map((id) => move(client.api, id)))
  const [won, lost] = done.toSorted((a, b) => a.status.localeCompare(b.status))
  assert.equal(won!.status, 'fulfilled')
  assert.ok(lost!.status === 'rejected' && hasCode('approval_needs_person')(lost!.reason))
})

test('A2 attack: a move is asked for into a fleet that whoever asks does not reach, or approved by whoever does not reach both', async () => {
  await makeFleet('far')
  const deviceId = await newDevice()
  const scoped = (await join('admin', olive, ['spare'])).browser.api
  const move = (fleet: string) => ({ params: { deviceId }, body: { fleet } })
  await approve(oscar, await requestOf(setRules(olive, { ...rules, releaseDevicesAbove: 0 })))
  await setRules(olive, { ...rules, releaseDevicesAbove: 0 })
  await assert.rejects(scoped.call(setDevice, move('far')), hasCode('out_of_scope'))
  await assert.rejects(scoped.call(setDevice, move('nowhere')), hasCode('out_of_scope'))
  const id = await requestOf(otto.browser.api.call(setDevice, move('far')))
  for (const fleet of ['far', 'spare']) {
    const one = await join('admin', olive, [fleet])
    await assert.rejects(approve(one, id), hasCode('out_of_scope'))
    const { items } = await one.browser.api.call(listApprovals, { query: { limit: 1000 } })
    assert.ok(!items.some((item) => item.id === id))
  }
  const both = await join('admin', olive, ['far', 'spare'])
  await approve(both, id)
  await otto.browser.api.call(setDevice, move('far'))
  await approve(oscar, await requestOf(setRules(olive, rules)))
  await setRules(olive, rules)
})

test('A2 attack: a device is ended in another way than by its removal: another token, the end of its gateway', async () => {
  const api = await tokenOf(await join('admin'))
  const params = { fleet: 'spare' }
  const body = { protocol: 'ddi', externalId: 'pump-1', platform: 'linux/amd64' } as const
  const { device } = await client.api.call(createForeignDevice, { params, body })
  const rotate = { params: { deviceId: device.id }, body: {} }
  const id = await requestOf(api.call(rotateForeignDevice, rotate))
  assert.match(
    (await show(oscar.browser.api, id)).effect[0]!,
    /the token of a device of the fleet spare, device_\w+, named "pump-1"/,
  )
  const gateway = await client.api.call(createGatewayToken, {
    ...{ params, body: { uses: 2, platform: 'linux/amd64' } },
  })
  const revoke = { params: { gatewayTokenId: gateway.view.id } }
  const end = await requestOf(api.call(revokeGatewayToken, revoke))
  assert.match((await show(oscar.browser.api, end)).effect[0]!, /every device behind that gateway/)
  for (const one of [id, end]) await approve(oscar, one)
  await api.call(rotateForeignDevice, rotate)
  await api.call(revokeGatewayToken, revoke)
})

test('A2 attack: an approval outlives who asked: disabled meanwhile, or asked too long ago', async () => {
  const asking = await join('operator')
  const device = await newDevice()
  const id = await requestOf(remove(asking.browser.api, device))
  await assert.rejects(approve(olive, id), hasCode('approval_own'))
  await db.write(
    ({ sql }) => sql`update sessions set factor = 'provider' where person_id = ${oscar.id}`,
  )
  await assert.rejects(approve(oscar, id), hasCode('passkey_needed'))
  await db.write(
    ({ sql }) => sql`update sessions set factor = 'passkey' where person_id = ${oscar.id}`,
  )
  await approve(oscar, id)
  const params = { personId: asking.id }
  await (await confirmed(olive)).call(disablePerson, { params })
  await assert.rejects(remove(asking.browser.api, device), hasCode('unauthenticated'))
  await (await confirmed(olive)).call(enablePerson, { params })
  assert.ok(await isThere(device))
  await db.write(({ sql }) => sql`update approvals set expires_at = now() where id = ${id}`)
  assert.equal(await stateOf(id), 'expired')
  await asking.browser.signIn()
  const second = await requestOf(remove(asking.browser.api, device))
  assert.notEqual(second, id)
  await db.write(({ sql }) => sql`update approvals set expires_at = now() where id = ${second}`)
  await assert.rejects(approve(oscar, second), hasCode('approval_closed'))
})

test('A2 attack: two approve, or act, at the same moment: one of them does', async () => {
  const { api } = otto.browser
  const device = await newDevice()
  const id = await requestOf(remove(api, device))
  const both = await Promise.allSettled([approve(olive, id), approve(oscar, id)])
  const [won, lost] = both.toSorted((a, b) => a.status.localeCompare(b.status))
  assert.equal(won!.status, 'fulfilled')
  assert.ok(lost!.status === 'rejected' && hasCode('approval_closed')(lost!.reason))
  const acts = await Promise.allSettled([remove(api, device), remove(api, device)])
  assert.equal(acts.filter(({ status }) => status === 'fulfilled').length, 1)
  const asks = await Promise.allSettled([begin(api), begin(api), begin(api)])
  const ids = asks.map((one) => (one as { reason: ProblemError }).reason.problem.approval)
  assert.equal(new Set(ids).size, 1)
})

test('A2 A9 attack: one person leaves requests without end: they are few, and lists are of what one reaches', async () => {
  const { api } = otto.browser
  for (let days = 1; ; days += 1) {
    const policy = policyOf({ timeoutSeconds: days * 3600 })
    const body = { fleet: 'shops', version: '1.0.0', policy }
    const error = await api.call(createRollout, { body }).catch((why: unknown) => why)
    if ((error as ProblemError).code === 'approval_required' && days < 40) continue
    hasCode('approvals_too_many')(error)
    break
  }
  const query = { state: 'open', limit: 1000 } as const
  const { items } = await api.call(listApprovals, { query })
  assert.equal(items.filter(({ isOwn }) => isOwn).length, 20)
  const scoped = await (
    await confirmed(olive)
  ).call(createToken, {
    body: { name: 'far', role: 'admin', fleets: ['elsewhere'], lifetimeSeconds: 3600 },
  })
  const far = await client.as(scoped.token).call(listApprovals, { query })
  assert.ok(far.items.every(({ isOwn }) => isOwn))
  for (const { id, isOwn } of items) {
    if (isOwn) await api.call(withdrawRequest, { params: { approvalId: id } })
  }
  const left = await api.call(listApprovals, { query })
  assert.ok(left.items.every(({ isOwn }) => !isOwn))
})

test('A2 A9 attack: one person asks and withdraws without end: a day has an allowance', async () => {
  const { api } = (await join('operator')).browser
  await db.write(({ sql }) => sql`update approvals set requested_at = now() - interval '1 day'`)
  const device = await newDevice()
  const asks = async () =>
    remove(api, device).catch((error: unknown) => (error as ProblemError).problem)
  let asked = 0
  for (;;) {
    const problem = await asks()
    if (problem?.code !== 'approval_required' || asked >= 150) {
      assert.equal(problem?.code, 'approvals_too_many')
      break
    }
    asked += 1
    await api.call(withdrawRequest, { params: { approvalId: problem.approval! } })
  }
  assert.equal(asked, 100)
  await db.write(({ sql }) => sql`update approvals set requested_at = now() - interval '1 day'`)
  assert.equal((await asks())?.code, 'approval_required')
})
