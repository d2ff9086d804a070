/**
 * Coordinated restarts: FleetLock clients and our agents on one row of slots, with two workers and
 * a real database.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createForeignDevice, rotateForeignDevice } from '@seaworthy/api/foreign-devices'
import { createFleet, setFleet } from '@seaworthy/api/fleets'
import { createProvisioningKey } from '@seaworthy/api/provisioning-keys'
import { listDevices, removeDevice, setDevice } from '@seaworthy/api/devices'
import { ProblemError } from '@seaworthy/api/problems'
import {
  createFleetLockKey,
  listFleetLockKeys,
  listRebootLocks,
  releaseRebootLock,
  revokeFleetLockKey,
} from '@seaworthy/api/reboot-locks'
import type { BodyInputOf } from '@seaworthy/api/route'
import type { DeviceReport } from '@seaworthy/api/device-self'
import { waitUntil } from '@seaworthy/std/testing'
import type { Signer } from '@seaworthy/trust/keys'
import { systemSleep } from '@seaworthy/std/time'
import { releaseSlot } from './slots.ts'
import type { PushedRelease, TestClient, TestDevice, TestServer } from '../../testing/index.ts'
import {
  addDevice,
  createTestClient,
  publishRelease,
  pushRelease,
  report,
  setUpTrust,
  startTestServer,
} from '../../testing/index.ts'

let server: TestServer
let client: TestClient
let other: TestClient
let signers: Signer[]
let release: PushedRelease

before(async () => {
  server = await startTestServer({ workers: 2 })
  client = createTestClient(server)
  other = createTestClient(server)
  ;({ signers } = await setUpTrust(client))
  release = await pushRelease(client, server.adminToken, '1.0.0')
  await publishRelease(client, release, signers)
})
after(async () => {
  client.close()
  other.close()
  await server.stop()
})

type Slots = { slots: number; ttlSeconds?: number | null }

async function makeFleet(name: string, { slots, ttlSeconds = null }: Slots): Promise<string> {
  await client.api.call(createFleet, {
    body: {
      name,
      product: 'acme',
      channel: 'stable',
      pollSeconds: 3600,
      reboot: { strategy: 'coordinated', slots, ttlSeconds },
    },
  })
  const { key } = await client.api.call(createFleetLockKey, { params: { fleet: name } })
  return key
}

type Wish = 'pre-reboot' | 'steady-state'

/** Sends a request as zincati does, without a content type. */
async function ask(
  wish: Wish,
  group: string,
  id: string,
  authorization: string | null,
  via = client,
): Promise<{ status: number; kind?: string; value?: string }> {
  const { status, json } = await via.send('POST', `/fleetlock/v1/${wish}`, {
    headers: {
      'fleet-lock-protocol': 'true',
      ...(authorization === null ? {} : { authorization }),
    },
    body: JSON.stringify({ client_params: { id, group } }),
  })
  return { status, ...(json() as object) }
}

const basic = (credential: string) =>
  `Basic ${Buffer.from(`anybody:${credential}`).toString('base64')}`

async function holders(fleet: string): Promise<string[]> {
  const { items } = await client.api.call(listRebootLocks, { params: { fleet } })
  return items.map(({ holder }) => holder)
}

async function addTo(fleet: string): Promise<TestDevice> {
  const { key } = await client.api.call(createProvisioningKey, {
    params: { fleet },
    body: { uses: 1, lifetimeSeconds: 3600 },
  })
  return addDevice(client, server.url, key)
}

/** A device of another system, which has a token of its own. */
async function addForeignTo(fleet: string): Promise<{ id: string; token: string }> {
  const { device, token } = await client.api.call(createForeignDevice, {
    params: { fleet },
    body: { protocol: 'omaha', platform: 'linux/amd64' },
  })
  return { id: device.id, token }
}

test('D13 FleetLock: lock, lock again, full for others with 423, unlock, unlock by a non-holder', async () => {
  const key = basic(await makeFleet('doors', { slots: 1 }))
  assert.equal((await ask('steady-state', 'doors', 'A', key)).status, 200)
  assert.equal((await ask('pre-reboot', 'doors', 'A', key)).status, 200)
  assert.equal((await ask('pre-reboot', 'doors', 'A', key, other)).status, 200)
  const full = await ask('pre-reboot', 'doors', 'a', key, other)
  assert.deepEqual([full.status, full.kind], [423, 'slots_taken'], 'ids are case-sensitive')
  assert.ok(full.value!.length > 0)
  assert.equal((await ask('steady-state', 'doors', 'a', key)).status, 200)
  assert.deepEqual(await holders('doors'), ['A'], 'only the holder gives it back')
  assert.equal((await ask('steady-state', 'doors', 'A', key)).status, 200)
  assert.equal((await ask('pre-reboot', 'doors', 'a', key, other)).status, 200)
  assert.equal((await ask('steady-state', 'doors', 'a', key)).status, 200)
})

test('D13 FleetLock: each fault of a request has its status and the error form of the protocol', async () => {
  const key = basic(await makeFleet('forms', { slots: 1 }))
  const body = JSON.stringify({ client_params: { id: 'A', group: 'forms' } })
  const header = { 'fleet-lock-protocol': 'true', authorization: key }
  const path = '/fleetlock/v1/pre-reboot'
  const cases: [number, string, string, string, Record<string, string>, string?][] = [
    [405, 'method_not_allowed', 'GET', path, header],
    [404, 'not_found', 'POST', '/fleetlock/v1/reboot', header, body],
    [400, 'missing_header', 'POST', path, { authorization: key }, body],
    [400, 'missing_header', 'POST', path, { ...header, 'fleet-lock-protocol': 'yes' }, body],
    [400, 'decode_error', 'POST', path, header, '{'],
    [400, 'decode_error', 'POST', path, header, '[]'],
    [400, 'decode_error', 'POST', path, header, 'null'],
    [400, 'decode_error', 'POST', path, header, body.replace('"A"', '""')],
    [400, 'decode_error', 'POST', path, header, body.replace('"A"', '7')],
    [400, 'decode_error', 'POST', path, header, body.replace('"A"', `"${'x'.repeat(129)}"`)],
    [400, 'decode_error', 'POST', path, header, body.replace('"forms"', '"for ms"')],
    [413, 'body_too_large', 'POST', path, header, body.padEnd(5000)],
    [403, 'group_not_allowed', 'POST', path, header, body.replace('forms', 'doors')],
    [403, 'group_not_allowed', 'POST', path, header, body.replace('forms', 'nowhere')],
  ]
  for (const [status, kind, method, at, headers, content] of cases) {
    const reply = await client.send(method, at, {
      headers,
      ...(content === undefined ? {} : { body: content }),
    })
    const error = reply.json() as { kind: string; value: string }
    assert.deepEqual([reply.status, error.kind], [status, kind], `${method} ${at} ${content}`)
    assert.equal(typeof error.value, 'string')
  }
  assert.deepEqual(await holders('forms'), [])
})

test('D13 FleetLock attack: nobody takes or frees a slot without a credential of the fleet', async () => {
  const key = await makeFleet('banks', { slots: 1 })
  const stranger = await makeFleet('others', { slots: 1 })
  const [device, neighbour] = [await addForeignTo('banks'), await addForeignTo('banks')]
  assert.equal((await ask('pre-reboot', 'banks', 'x', `Bearer ${device.token}`)).status, 200)
  const wrong = [
    null,
    'Bearer nonsense',
    basic('nonsense'),
    basic(server.adminToken),
    basic(`${key.slice(0, -1)}${key.endsWith('0') ? '1' : '0'}`),
  ]
  for (const authorization of wrong) {
    const reply = await ask('steady-state', 'banks', 'x', authorization)
    assert.deepEqual([reply.status, reply.kind], [401, 'unauthorized'], String(authorization))
  }
  assert.equal((await ask('steady-state', 'banks', 'x', basic(stranger))).status, 403)
  // Neither the fleet's key nor a neighbour frees a slot that a device took by its own credential,
  // whatever id they send.
  for (const id of ['x', device.id]) {
    for (const credential of [basic(key), `Bearer ${neighbour.token}`]) {
      assert.equal((await ask('steady-state', 'banks', id, credential)).status, 200)
    }
  }
  assert.deepEqual(await holders('banks'), [device.id])
  // A device is one holder under any name: it cannot use up the slots of its fleet.
  const reboot = { strategy: 'coordinated', slots: 3, ttlSeconds: null } as const
  await client.api.call(setFleet, { params: { fleet: 'banks' }, body: { reboot } })
  for (const id of ['x', 'y', 'z']) {
    const { status } = await ask('pre-reboot', 'banks', id, `Bearer ${device.token}`)
    assert.equal(status, 200)
  }
  assert.deepEqual(await holders('banks'), [device.id])
})

test('D13 a device of another system takes a slot with its own token, and one that was replaced or removed opens nothing', async () => {
  await makeFleet('mills', { slots: 1 })
  const made = await client.api.call(createForeignDevice, {
    params: { fleet: 'mills' },
    body: { protocol: 'omaha', platform: 'linux/amd64' },
  })
  assert.equal((await ask('pre-reboot', 'mills', 'm', basic(made.token))).status, 200)
  assert.deepEqual(await holders('mills'), [made.device.id])
  const params = { deviceId: made.device.id }
  const { token } = await client.api.call(rotateForeignDevice, { params, body: {} })
  await waitUntil('the old token ends', async () => {
    return (await ask('steady-state', 'mills', 'm', basic(made.token))).status === 401
  })
  assert.equal((await ask('pre-reboot', 'mills', 'm', basic(token))).status, 200)
  await client.api.call(removeDevice, { params })
  assert.deepEqual(await holders('mills'), [])
  await waitUntil('the token ends', async () => {
    return (await ask('pre-reboot', 'mills', 'm', basic(token))).status === 401
  })
})

test('D13 a revoked FleetLock key opens nothing any more; its slots stay', async () => {
  const key = await makeFleet('halls', { slots: 1 })
  assert.equal((await ask('pre-reboot', 'halls', 'A', basic(key))).status, 200)
  const params = { fleet: 'halls' }
  const { items } = await client.api.call(listFleetLockKeys, { params })
  const fleetLockKeyId = items[0]!.id
  await client.api.call(revokeFleetLockKey, { params: { fleetLockKeyId } })
  assert.equal((await ask('steady-state', 'halls', 'A', basic(key))).status, 401)
  assert.deepEqual(await holders('halls'), ['A'])
})

test('D13 never more holders than slots, however many ask at the same time on both workers', async () => {
  const key = basic(await makeFleet('crowd', { slots: 3 }))
  const ids = Array.from({ length: 40 }, (_all, i) => `machine-${i}`)
  for (let round = 0; round < 3; round++) {
    const answers = await Promise.all(
      ids.map((id, i) => ask('pre-reboot', 'crowd', id, key, i % 2 === 0 ? client : other)),
    )
    const granted = ids.filter((_id, i) => answers[i]!.status === 200)
    assert.equal(granted.length, 3)
    assert.deepEqual((await holders('crowd')).toSorted(), granted.toSorted())
    await Promise.all(granted.map((id) => ask('steady-state', 'crowd', id, key)))
    await systemSleep(50)
  }
})

test('D13 devices that are removed or moved while they ask leave no slot behind, and nobody waits for nobody', async () => {
  await makeFleet('tides', { slots: 2 })
  await makeFleet('winds', { slots: 2 })
  const made = await Promise.all(
    Array.from({ length: 12 }, () =>
      client.api.call(createForeignDevice, {
        params: { fleet: 'tides' },
        body: { protocol: 'omaha', platform: 'linux/amd64' },
      }),
    ),
  )
  const answers = await Promise.all(
    made.flatMap(({ device, token }, i) => {
      const params = { deviceId: device.id }
      const change =
        i % 3 === 0
          ? client.api.call(removeDevice, { params })
          : client.api.call(setDevice, { params, body: i % 3 === 1 ? { fleet: 'winds' } : {} })
      const asked = [client, other, client].map((by) =>
        ask('pre-reboot', 'tides', 'x', basic(token), by).then(({ status }) => status),
      )
      return [...asked, change.then(() => 200)]
    }),
  )
  const known = [200, 401, 403, 423]
  assert.deepEqual(
    answers.filter((status) => !known.includes(status)),
    [],
  )
  const stayed = made.filter((_one, i) => i % 3 === 2).map(({ device }) => device.id)
  const held = await holders('tides')
  assert.ok(held.length <= 2 && held.every((id) => stayed.includes(id)), held.join())
})

test('D13 people see who holds a slot and may take it away, with a reason in the audit log', async () => {
  const key = basic(await makeFleet('ports', { slots: 2 }))
  const device = await addTo('ports')
  await report(client, device, { sequence: 1, update: { state: 'idle' } }, true)
  await ask('pre-reboot', 'ports', 'crane', key)
  await report(client, device, { sequence: 2, update: waiting() }, true)
  const { items, slots } = await client.api.call(listRebootLocks, { params: { fleet: 'ports' } })
  assert.equal(slots, 2)
  assert.deepEqual(
    items.map(({ kind, holder }) => [kind, holder]),
    [
      ['client', 'crane'],
      ['device', device.id],
    ],
  )
  assert.equal(items[0]!.device, null)
  assert.equal(items[1]!.device?.updateState, 'installing')
  const params = { rebootLockId: items[0]!.id }
  const body = { reason: 'the crane was scrapped' }
  await client.api.call(releaseRebootLock, { params, body })
  await assert.rejects(client.api.call(releaseRebootLock, { params, body }), (error: unknown) => {
    assert.ok(error instanceof ProblemError)
    assert.equal(error.code, 'reboot_lock_not_found')
    return true
  })
  assert.deepEqual(await holders('ports'), [device.id])
  await client.api.call(removeDevice, { params: { deviceId: device.id } })
  assert.deepEqual(await holders('ports'), [], 'a removed device holds nothing')
  await waitUntil('both slots are free', async () => {
    const answers = [
      await ask('pre-reboot', 'ports', 'b', key),
      await ask('pre-reboot', 'ports', 'c', key),
    ]
    return answers.every(({ status }) => status === 200)
  })
  const entries = await auditEntries()
  const released = entries.find(
    ({ action, outcome }) => action === 'reboot-lock.release' && outcome === 'done',
  )
  assert.equal(released?.detail['reason'], body.reason)
  assert.equal(released.detail['holder'], 'crane')
})

interface Entry {
  action: string
  subject: string
  outcome: string
  detail: Record<string, string>
}

async function auditEntries(): Promise<Entry[]> {
  const db = server.openDatabase()
  try {
    const rows = await db.reader.sql<
      { entry: Uint8Array }[]
    >`select entry from audit_entries order by id`
    return rows.map(({ entry }) => JSON.parse(Buffer.from(entry).toString()) as Entry)
  } finally {
    await db.close()
  }
}

test('D13 a slot held for long raises an alarm, and one beyond its lifetime is given up, with another', async () => {
  const key = basic(await makeFleet('wells', { slots: 1, ttlSeconds: 60 }))
  await ask('pre-reboot', 'wells', 'A', key)
  const age = async (seconds: number) => {
    const db = server.openDatabase()
    try {
      await db.write(
        ({ sql }) =>
          sql`update reboot_locks set taken_at = now() - ${seconds} * interval '1 second' where fleet = 'wells'`,
      )
    } finally {
      await db.close()
    }
  }
  const has = async (action: string) =>
    (await auditEntries()).filter((e) => e.action === action && e.detail['fleet'] === 'wells')
      .length
  await age(40)
  await waitUntil('the alarm', async () => (await has('reboot-lock.age-alarm')) > 0)
  assert.deepEqual(await holders('wells'), ['A'])
  await age(61)
  await waitUntil('the end', async () => (await holders('wells')).length === 0)
  assert.equal(await has('reboot-lock.age-alarm'), 1, 'one alarm for each time it is held')
  assert.equal(await has('reboot-lock.expire'), 1)
  await waitUntil('free', async () => (await ask('pre-reboot', 'wells', 'B', key)).status === 200)
})

const waiting = () =>
  ({ state: 'installing', code: 'waiting_for_restart', sha256: release.sha256 }) as const

test('V12 an agent that waits gets a slot when one is free, and gives it back when its update has ended, not when it is up again', async () => {
  await makeFleet('trams', { slots: 1 })
  const [first, second] = [await addTo('trams'), await addTo('trams')]
  const say = (device: TestDevice, changes: Partial<DeviceReport>, isSigned = false) =>
    report(client, device, changes, isSigned)
  // It has had two updates before, and repeats how each ended when it comes up.
  const [before, failed] = [
    { state: 'committed', sha256: 'b'.repeat(64) },
    { state: 'rolled_back', sha256: release.sha256 },
  ] as const
  await say(first, { sequence: 1, update: before }, true)
  await say(first, { sequence: 2, update: failed }, true)
  const begun = await say(first, { sequence: 2 })
  assert.equal(begun.assignment?.mayRestart, false, 'ready first, restart later')
  assert.equal(begun.pollSeconds, 3600)
  const granted = await say(first, { sequence: 3, update: waiting() }, true)
  assert.equal(granted.assignment?.mayRestart, true)
  const refused = await say(second, { sequence: 1, update: waiting() }, true)
  assert.equal(refused.assignment?.mayRestart, false)
  assert.equal(refused.pollSeconds, 60, 'who waits asks soon again')
  assert.deepEqual(await holders('trams'), [first.id])
  // The device is up again, tells of the update before, then watches the new one: it keeps its
  // slot.
  await say(first, { sequence: 3 })
  await say(first, { sequence: 3, update: before })
  // It keeps its slot even where the update before was an attempt at the same release, and where
  // the device has signed something else meanwhile.
  await say(first, { sequence: 3, update: failed })
  await say(first, { sequence: 4, update: { state: 'watching', sha256: release.sha256 } }, true)
  await say(first, { sequence: 4, update: failed })
  const waits = { sequence: 1, update: waiting() }
  assert.equal((await say(second, waits)).assignment?.mayRestart, false)
  const running = { product: 'acme', version: '1.0.0', sha256: release.sha256, counter: 1 }
  const committed = { state: 'committed', sha256: release.sha256 } as const
  await say(first, { sequence: 5, running, committedCounter: 1, update: committed }, true)
  assert.deepEqual(await holders('trams'), [])
  await waitUntil('the slot of the second', async () => {
    const { assignment } = await say(second, waits)
    return assignment?.mayRestart === true
  })
  await say(second, { sequence: 2, update: { state: 'rolled_back', sha256: release.sha256 } }, true)
  assert.deepEqual(await holders('trams'), [])
})

test('D13 V12 attack: whoever has the token of an agent neither takes, keeps nor frees a restart slot by FleetLock', async () => {
  await makeFleet('quays', { slots: 1 })
  const [first, second] = [await addTo('quays'), await addTo('quays')]
  const thief = `Bearer ${first.accessToken}`
  const tries = async () => [
    (await ask('pre-reboot', 'quays', first.id, thief)).status,
    (await ask('steady-state', 'quays', first.id, thief)).status,
  ]
  await report(client, first, { sequence: 1 }, true)
  assert.deepEqual([await tries(), await holders('quays')], [[401, 401], []])
  // The slot that the device signed to wait for is not freed while it restarts.
  const granted = await report(client, first, { sequence: 2, update: waiting() }, true)
  assert.equal(granted.assignment?.mayRestart, true)
  assert.deepEqual([await tries(), await holders('quays')], [[401, 401], [first.id]])
  const waits = { sequence: 1, update: waiting() }
  assert.equal((await report(client, second, waits, true)).assignment?.mayRestart, false)
  // Nor is it kept from its end.
  const running = { product: 'acme', version: '1.0.0', sha256: release.sha256, counter: 1 }
  const update = { state: 'committed', sha256: release.sha256 } as const
  await report(client, first, { sequence: 3, running, committedCounter: 1, update }, true)
  assert.deepEqual(await holders('quays'), [])
})

test('D13 attack: FleetLock neither frees nor keeps the slot that a device was given for its update, nor does an update end a slot of FleetLock', async () => {
  await makeFleet('weirs', { slots: 2 })
  const [offered, locking] = [await addForeignTo('weirs'), await addForeignTo('weirs')]
  const db = server.openDatabase()
  const slotOf = async (id: string) => {
    const [row] = await db.reader.sql<{ sha256: string | null }[]>`
      select sha256 from reboot_locks where holder = ${id}`
    return row === undefined ? 'none' : row.sha256
  }
  try {
    const wish = (what: Wish, { id, token }: { id: string; token: string }) =>
      ask(what, 'weirs', id, basic(token)).then(({ status }) => status)
    // A check-in took this slot; the test server has no Omaha image, so the row is written here.
    await wish('pre-reboot', offered)
    await db.write(
      ({ sql }) =>
        sql`update reboot_locks set sha256 = ${release.sha256}, sequence = 1 where holder = ${offered.id}`,
    )
    assert.equal(await wish('pre-reboot', offered), 200)
    assert.equal(await slotOf(offered.id), release.sha256, 'it is still the slot of its update')
    assert.equal(await wish('steady-state', offered), 200)
    assert.equal(await slotOf(offered.id), release.sha256, 'the end of the update gives it back')
    assert.equal(await wish('pre-reboot', locking), 200)
    await db.write((tx) => releaseSlot(tx, locking.id))
    await db.write((tx) => releaseSlot(tx, offered.id))
    assert.deepEqual([await slotOf(offered.id), await slotOf(locking.id)], ['none', null])
    assert.equal(await wish('steady-state', locking), 200)
    assert.equal(await slotOf(locking.id), 'none')
  } finally {
    await db.close()
  }
})

test('D13 attack: one FleetLock client in a loop is told to wait, and others with the same key are not', async () => {
  const key = basic(await makeFleet('mints', { slots: 2 }))
  const device = await addForeignTo('mints')
  const senders = [
    ['A', key],
    [device.id, basic(device.token)],
  ] as const
  for (const [id, credential] of senders) {
    await waitUntil('the limit', async () => {
      const many = Array.from({ length: 60 }, () => ask('pre-reboot', 'mints', id, credential))
      const answers = await Promise.all(many)
      return answers.some(({ status, kind }) => status === 429 && kind === 'too_many_requests')
    })
  }
  assert.equal((await ask('steady-state', 'mints', 'B', key)).status, 200)
})

test('V12 windows and off: no permission to restart outside of the window, none at all when off; immediate asks for nothing', async () => {
  await makeFleet('ships', { slots: 1 })
  const device = await addTo('ships')
  const set = (body: BodyInputOf<typeof setFleet>) =>
    client.api.call(setFleet, { params: { fleet: 'ships' }, body })
  let sequence = 0
  const leave = async () => {
    const waits = { sequence: ++sequence, update: waiting() }
    return (await report(client, device, waits, true)).assignment?.mayRestart
  }
  const windows = (from: string, to: string) => ({
    timeZone: 'UTC',
    fallbackTimeZone: 'UTC',
    spans: [{ days: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const, from, to }],
  })
  const clock = (hours: number) => {
    const now = new Date(Date.now() + hours * 3_600_000)
    return now.toISOString().slice(11, 16)
  }
  const open = windows(clock(-2), clock(2))
  const closed = windows(clock(2), clock(4))
  const cases = [
    [{ strategy: 'off' }, false],
    [{ strategy: 'window', windows: closed }, false],
    [{ strategy: 'window', windows: open }, true],
    [{ strategy: 'coordinated', slots: 1, ttlSeconds: null, windows: closed }, false],
    [{ strategy: 'coordinated', slots: 1, ttlSeconds: null, windows: open }, true],
    [{ strategy: 'coordinated', slots: 1, ttlSeconds: null, windows: closed }, true],
    [{ strategy: 'immediate' }, undefined],
  ] as const
  for (const [reboot, expected] of cases) {
    await set({ reboot })
    await waitUntil(
      `${JSON.stringify(reboot)} → ${expected}`,
      async () => (await leave()) === expected,
    )
  }
  await waitUntil('a fleet that is not coordinated holds nothing', async () => {
    return (await holders('ships')).length === 0
  })
})

test('V12 an agent that waits for something that is no longer assigned gives its slot back', async () => {
  await makeFleet('lifts', { slots: 1 })
  const device = await addTo('lifts')
  await report(client, device, { sequence: 1, update: waiting() }, true)
  assert.deepEqual(await holders('lifts'), [device.id])
  await client.api.call(setFleet, { params: { fleet: 'lifts' }, body: { updatesEnabled: false } })
  await waitUntil('the slot is free', async () => {
    await report(client, device, { sequence: 1, update: waiting() })
    return (await holders('lifts')).length === 0
  })
  const { items } = await client.api.call(listDevices, { query: { fleet: 'lifts' } })
  assert.equal(items.length, 1)
})
