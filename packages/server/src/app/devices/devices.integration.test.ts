/**
 * How devices are admitted: provisioning keys, tokens, reports, removal. Two workers run, so that
 * the memory of one is not enough.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { ProblemError } from '@seaworthy/api/problems'
import type { BodyOf } from '@seaworthy/api/route'
import {
  checkIn,
  createDeviceToken,
  readOwnApplication,
  readOwnSettings,
  setOwnMetadata,
} from '@seaworthy/api/device-self'
import type { DeviceFilter, DeviceView } from '@seaworthy/api/devices'
import {
  countDevices,
  deviceSort,
  listDevices,
  listEnrolments,
  moveDevices,
  removeDevice,
  setDevice,
  showDevice,
} from '@seaworthy/api/devices'
import {
  createFleet,
  listFleets,
  removeFleet,
  setFleet,
  showFleet,
  showFleetDependents,
} from '@seaworthy/api/fleets'
import { listProducts } from '@seaworthy/api/products'
import { listProvisioningKeys, revokeProvisioningKey } from '@seaworthy/api/provisioning-keys'
import {
  listSecrets,
  removeSecret,
  sealSecret,
  setHeldSecret,
  setSecret,
} from '@seaworthy/api/secrets'
import { setVariable } from '@seaworthy/api/variables'
import { createZones } from '@seaworthy/fleet/rollouts'
import { digestOf } from '@seaworthy/oci/digests'
import { putBlob } from '@seaworthy/oci/store'
import { createMemoryStore } from '@seaworthy/oci/store/memory'
import { base64Decode, base64Encode, utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import { systemRandom } from '@seaworthy/std/random'
import { hasCode, waitUntil } from '@seaworthy/std/testing'
import { dayMs, ManualClock, systemClock, systemSleep } from '@seaworthy/std/time'
import type { EnrolmentKey, ProvisioningCertificate } from '@seaworthy/trust/enrolment'
import { enrol, signProvisioningKey } from '@seaworthy/trust/enrolment'
import { generateReceivingKey, openReceivingKey } from '@seaworthy/trust/hpke'
import { generateKeyPair, generateSigner, keyId } from '@seaworthy/trust/keys'
import { createSecretEnvelope } from '@seaworthy/trust/secrets'
import type { Signer } from '@seaworthy/trust/keys'
import { readStorage } from '../../db/storage.ts'
import { addContent, beginUpload, dropUpload, recountStorage } from '../content/index.ts'
import { writeSignedReports } from '../../db/check-ins.ts'
import { deleteReports } from '../../db/retention.ts'
import { firstCursor, forgetOldRecords } from '../retention.ts'
import { createSettlements } from '../rollouts/index.ts'
import type { Db, TestClient, TestDevice, TestServer } from '../../testing/index.ts'
import {
  addDevice,
  carryOut,
  createTestClient,
  makeAssertion,
  makeProvisioningKey,
  makeReport,
  publishRelease,
  pushRelease,
  register,
  report,
  scrape,
  setUpTrust,
  signReport,
  startTestServer,
} from '../../testing/index.ts'

let server: TestServer
let db: Db
let client: TestClient
/** A second connection, which the other worker may serve. */
let other: TestClient
let signers: Signer[]

before(async () => {
  server = await startTestServer({ workers: 2 })
  db = server.openDatabase()
  client = createTestClient(server)
  other = createTestClient(server)
  ;({ signers } = await setUpTrust(client))
})
after(async () => {
  client.close()
  other.close()
  await db.close()
  await server.stop()
})

const refused = (code: string) => (error: unknown) => {
  assert.ok(error instanceof ProblemError, String(error))
  assert.equal(error.code, code)
  return true
}

test('V4 many devices at once take exactly as many uses as the provisioning key has', async () => {
  const key = await makeProvisioningKey(client, 5)
  const candidates = await Promise.all(Array.from({ length: 12 }, () => generateSigner('ed25519')))
  const results = await Promise.allSettled(
    candidates.map((signer, i) => register(i % 2 === 0 ? client : other, key, signer)),
  )
  const registered = results.filter(({ status }) => status === 'fulfilled')
  assert.equal(registered.length, 5)
  for (const result of results) {
    if (result.status === 'rejected') refused('provisioning_key_used_up')(result.reason)
  }
  const params = { fleet: 'shops' }
  const { items } = await client.api.call(listProvisioningKeys, { params })
  assert.ok(items.some(({ usesLeft }) => usesLeft === 0))
})

test('V4 the same key registers once: repetitions, also at the same time, answer the same device', async () => {
  const key = await makeProvisioningKey(client, 1)
  const signer = await generateSigner('p256')
  const replies = await Promise.all(
    Array.from({ length: 6 }, (_, i) => register(i % 2 === 0 ? client : other, key, signer)),
  )
  assert.equal(new Set(replies.map(({ deviceId }) => deviceId)).size, 1)
  const second = await makeProvisioningKey(client, 1)
  await assert.rejects(register(client, second, signer), refused('device_already_registered'))
})

test('V4 a registration without possession of the key is refused', async () => {
  const key = await makeProvisioningKey(client, 1)
  const [mine, theirs] = [await generateSigner('ed25519'), await generateSigner('ed25519')]
  const forged: Signer = { ...mine, sign: (message) => theirs.sign(message) }
  await assert.rejects(register(client, key, forged), refused('proof_invalid'))
})

test('O1 attack: a device that fetches tokens without end is told to wait, leaves a bounded number of rows, and holds up nobody', async () => {
  const [wild, quiet] = [await generateSigner('ed25519'), await generateSigner('ed25519')]
  const key = await makeProvisioningKey(client, 2)
  const { deviceId } = await register(client, key, wild)
  const { deviceId: neighbour } = await register(client, key, quiet)
  const fetchToken = async (signer: Signer, id: string, by: TestClient) => {
    const assertion = await makeAssertion(signer, id, server.url)
    await by.api.call(createDeviceToken, { body: { assertion } })
  }
  const begun = performance.now()
  let refusedCount = 0
  for (let i = 0; i < 200; i++) {
    try {
      await fetchToken(wild, deviceId, i % 2 === 0 ? client : other)
    } catch (error) {
      refused('tokens_too_often')(error)
      refusedCount += 1
    }
  }
  const minutes = Math.ceil((performance.now() - begun) / 60_000)
  assert.ok(refusedCount >= 200 - 2 * (60 + minutes), String(refusedCount))
  const [row] = await db.reader.sql<{ count: number }[]>`
    select count(*) as count from assertion_ids where device = ${deviceId}`
  assert.equal(row!.count, 200 - refusedCount)
  await fetchToken(quiet, neighbour, client)
  await fetchToken(quiet, neighbour, other)
})

test('V4 a revoked provisioning key makes no further device', async () => {
  const key = await makeProvisioningKey(client, 3)
  const provisioningKeyId = `provisioning_${key.split('_')[1]}`
  await register(client, key, await generateSigner('ed25519'))
  await client.api.call(revokeProvisioningKey, { params: { provisioningKeyId } })
  const late = await generateSigner('ed25519')
  await assert.rejects(register(client, key, late), refused('unauthenticated'))
})

test('V4 an assertion is good for one token, for this server, for five minutes', async () => {
  const signer = await generateSigner('ed25519')
  const { deviceId } = await register(client, await makeProvisioningKey(client, 1), signer)
  const call = (assertion: string, by = client) =>
    by.api.call(createDeviceToken, { body: { assertion } })
  const good = await makeAssertion(signer, deviceId, server.url)
  const results = await Promise.allSettled([call(good), call(good, other), call(good)])
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
  await assert.rejects(call(good), refused('assertion_replayed'))
  const now = Math.floor(Date.now() / 1000)
  const stranger = `device_${'0'.repeat(26)}`
  const spoiled: readonly (readonly [code: string, changes: Record<string, unknown>])[] = [
    ['assertion_audience_wrong', { aud: 'https://evil.example' }],
    ['assertion_expired', { exp: now - 1, iat: now - 100 }],
    ['assertion_invalid', { exp: now + 4000 }],
    ['assertion_too_early', { iat: now + 1000, exp: now + 1100 }],
    ['assertion_invalid', { sub: stranger }],
    ['assertion_device_unknown', { iss: stranger, sub: stranger }],
    ['assertion_invalid', { jti: 'short' }],
    ['assertion_challenge_invalid', { nonce: 'made-up' }],
  ]
  for (const [code, changes] of spoiled) {
    const assertion = await makeAssertion(signer, deviceId, server.url, changes)
    await assert.rejects(call(assertion), refused(code))
  }
  const thief = await generateSigner('ed25519')
  const stolen = await makeAssertion(thief, deviceId, server.url, { iat: 0, exp: 300 })
  await assert.rejects(call(stolen), (error: unknown) => {
    refused('assertion_signature_invalid')(error)
    // Only a caller that has shown the key is told what to sign next.
    assert.equal((error as ProblemError).problem.challenge, undefined)
    return true
  })
  await assert.rejects(call('a.b.c'), refused('assertion_invalid'))
})

test('D8 V4 a clock that is wrong in either direction: the device asks all the same, and its clock is shown, listed, counted and logged', async () => {
  const now = Math.floor(Date.now() / 1000)
  const key = await makeProvisioningKey(client, 10)
  const dayMs = 86_400_000
  const shown = new Map<string, number>()
  // A minute is allowed; the rest is for a machine that is slow between clock and request.
  for (const offset of [180, 2 * 86_400, -3 * 86_400, -now]) {
    const signer = await generateSigner('ed25519')
    const { deviceId } = await register(client, key, signer)
    const asserting = (changes: Record<string, unknown> = {}) =>
      makeAssertion(signer, deviceId, server.url, {
        iat: now + offset,
        exp: now + offset + 300,
        ...changes,
      })
    const call = (assertion: string, by = client) =>
      by.api.call(createDeviceToken, { body: { assertion } })
    let challenge: string | undefined
    await assert.rejects(call(await asserting()), (error: unknown) => {
      refused(offset > 0 ? 'assertion_too_early' : 'assertion_expired')(error)
      challenge = (error as ProblemError).problem.challenge
      return true
    })
    const good = await asserting({ nonce: challenge })
    // The other worker accepts the challenge too, but each assertion only once.
    const { accessToken } = await call(good, other)
    await assert.rejects(call(good), refused('assertion_replayed'))
    const at = new Date((now + offset) * 1000).toISOString().slice(0, 19)
    await report(
      client,
      { id: deviceId, signer, accessToken },
      {
        at: `${at}Z`,
        // The device's lower bound of the time lies above its clock.
        timestampVerifiedAt: `${new Date(Date.parse(`${at}Z`) + dayMs).toISOString().slice(0, 19)}Z`,
      },
    )
    const view = await client.api.call(showDevice, { params: { deviceId } })
    assert.ok(Math.abs(view.clockOffsetSeconds! - offset) < 120, String(view.clockOffsetSeconds))
    assert.equal(view.timestampAgeSeconds, 0)
    shown.set(deviceId, offset)
    const line = server
      .log()
      .split('\n')
      .find((one) => one.includes('device.assertion-refused') && one.includes(deviceId))
    assert.match(line ?? '', offset > 0 ? /assertion_too_early/ : /assertion_expired/)
    // The challenge of one device is worth nothing to another.
    const thief = await addDevice(client, server.url, key)
    const foreign = await makeAssertion(thief.signer, thief.id, server.url, { nonce: challenge })
    await assert.rejects(call(foreign), refused('assertion_challenge_invalid'))
  }
  const listed = await client.api.call(listDevices, { query: { clock: 'off' } })
  assert.deepEqual(listed.items.map(({ id }) => id).toSorted(), [...shown.keys()].toSorted())
  const { sum } = await scrape(client, server.adminToken)
  const off = (direction: string) => sum('seaworthy_devices_clock_off', { direction })
  assert.deepEqual([off('ahead'), off('behind')], [2, 2])
})

test('D8 forged version reports are refused: what runs changes by signature alone', async () => {
  const release = await pushRelease(client, server.adminToken, '1.0.0')
  await publishRelease(client, release, signers)
  const device = await addDevice(client, server.url, await makeProvisioningKey(client, 1))
  const running = { product: 'acme', version: '1.0.0', sha256: release.sha256, counter: 1 }
  const claim = { sequence: 1, running, committedCounter: 1 }
  await assert.rejects(report(client, device, claim), refused('report_signature_missing'))
  const thief = { ...device, signer: await generateSigner('ed25519') }
  await assert.rejects(report(client, thief, claim, true), refused('report_signature_invalid'))
  const stored = await report(client, device, claim, true)
  assert.equal(stored.acknowledgedSequence, 1)
  // A repetition after a lost answer is accepted; another report under the same number is not.
  const body = makeReport(claim)
  const signature = await signReport(device.signer, body)
  const view = await client.api.call(showDevice, { params: { deviceId: device.id } })
  assert.deepEqual(view.running, running)
  assert.equal(view.reports.length, 1)
  assert.equal(view.reports[0]!.report.committedCounter, 1)
  await assert.rejects(
    report(client, device, { ...claim, committedCounter: 7 }, true),
    refused('report_sequence_reused'),
  )
  assert.ok(signature.length > 0)
})

test('D8 forged reasons are not shown: why an update failed is what the device signed last', async () => {
  const device = await addDevice(client, server.url, await makeProvisioningKey(client, 1))
  const sha256 = 'f'.repeat(64)
  const failure = { sha256, code: 'start_failed', reason: 'EACCES ./app', output: ['a line'] }
  const shown = async () => {
    const view = await client.api.call(showDevice, { params: { deviceId: device.id } })
    return view.failure
  }
  await report(client, device, { sequence: 0, failure })
  assert.equal(await shown(), null)
  await report(client, device, { sequence: 1, failure }, true)
  assert.deepEqual(await shown(), failure)
  await report(client, device, { sequence: 1 })
  await report(client, device, { sequence: 1, failure: { ...failure, reason: 'forged' } })
  assert.deepEqual(await shown(), failure)
  await report(client, device, { sequence: 2 }, true)
  assert.equal(await shown(), null)
})

test('D1 attack: a fetcher names another machine, and what the device signed is shown', async () => {
  const device = await addDevice(client, server.url, await makeProvisioningKey(client, 1))
  const machine = {
    ...{ node: 'v26.10.0', os: 'Debian GNU/Linux 13 (trixie)', kernel: '6.12.48' },
    ...{ architecture: 'x64', bootedAt: '2026-03-01T06:00:00Z', freeBytes: 2_100_000_000 },
  }
  const shown = async () => {
    const view = await client.api.call(showDevice, { params: { deviceId: device.id } })
    return view.machine
  }
  await report(client, device, { sequence: 0, machine })
  assert.equal(await shown(), null)
  await report(client, device, { sequence: 1, machine }, true)
  assert.deepEqual(await shown(), machine)
  await report(client, device, { sequence: 1, machine: { ...machine, os: 'another' } })
  await report(client, device, { sequence: 1 })
  assert.deepEqual(await shown(), machine)
})

test('D8 attack: a fetcher sends an old signed report again, and the device is shown at no older release', async () => {
  const device = await addDevice(client, server.url, await makeProvisioningKey(client, 1))
  const sha256 = 'd'.repeat(64)
  const sign = async (counter: number) => {
    const running = { product: 'acme', version: `${counter}.0.0`, sha256, counter }
    const body = makeReport({ sequence: counter, running, committedCounter: counter, floor: 1 })
    return { report: body, signature: await signReport(device.signer, body) }
  }
  const [old, newest] = [await sign(1), await sign(2)]
  for (const body of [old, newest]) await client.as(device.accessToken).call(checkIn, { body })
  const unsigned = { report: old.report }
  for (const by of [client, other, client]) {
    const send = (body: typeof old | typeof unsigned) =>
      by.as(device.accessToken).call(checkIn, { body })
    await assert.rejects(send(old), refused('report_sequence_reused'))
    await assert.rejects(send(unsigned), refused('report_signature_missing'))
    // What the device itself says is heard meanwhile.
    await send(newest)
  }
  const view = await client.api.call(showDevice, { params: { deviceId: device.id } })
  assert.equal(view.running?.version, '2.0.0')
  assert.equal(view.identitySharedSince, null)
})

/**
 * Writes reports, where `what` stands for what a report says. Answers the devices whose sequence
 * number was used before.
 */
function writeReports(
  receivedAt: Date,
  reports: readonly { device: string; sequence: number; what?: string }[],
): Promise<ReadonlySet<string>> {
  const signature = new Uint8Array(64)
  const rows = reports.map(({ device, sequence, what = 'idle' }) => {
    return { device, sequence, report: utf8Encode(what), signature }
  })
  return db.write(async (tx) => {
    const atStatement = () => tx.sql`${receivedAt}::timestamptz`
    return (await writeSignedReports({ ...tx, atStatement }, rows)).reused
  })
}

const sequencesOf = (device: string, from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => ({ device, sequence: from + i }))

test('D8 signed reports go after ninety days but for the newest hundred, and their sequence numbers stay used', async () => {
  const clock = new ManualClock(systemClock.now())
  const key = await makeProvisioningKey(client, 3)
  const devices = [1, 2, 3].map(() => addDevice(client, server.url, key))
  const [a, b, c] = (await Promise.all(devices)) as [TestDevice, TestDevice, TestDevice]
  const kept = async () => {
    const rows = await db.reader.sql<{ device: string; range: string }[]>`
      select device, min(sequence) || '-' || max(sequence) || ': ' || count(*) as range
      from device_reports group by device`
    return [a, b, c].map(({ id }) => rows.find(({ device }) => device === id)?.range)
  }
  const forget = () => forgetOldRecords({ db, clock }, firstCursor)
  const old = [...sequencesOf(a.id, 0, 249), ...sequencesOf(b.id, 0, 49)]
  await writeReports(clock.now(), [...old, ...sequencesOf(c.id, 0, 99)])
  clock.advance(80 * dayMs)
  await writeReports(clock.now(), sequencesOf(c.id, 100, 149))
  clock.advance(9 * dayMs)
  assert.deepEqual(await forget(), firstCursor)
  assert.deepEqual(await kept(), ['0-249: 250', '0-49: 50', '0-149: 150'])
  clock.advance(2 * dayMs)
  assert.deepEqual(await forget(), firstCursor)
  assert.deepEqual(await kept(), ['150-249: 100', '0-49: 50', '50-149: 100'])
  for (const what of ['idle', 'another']) {
    const again = async (device: TestDevice, sequence: number) =>
      (await writeReports(clock.now(), [{ device: device.id, sequence, what }])).has(device.id)
    assert.equal(await again(a, 149), true, 'deleted')
    assert.equal(await again(c, 0), true, 'deleted')
    assert.equal(await again(a, 150), what === 'another')
    assert.equal(await again(b, 0), what === 'another')
  }
  await assert.rejects(
    report(client, a, { sequence: 149 }, true),
    refused('report_sequence_reused'),
  )
  assert.equal((await report(client, a, { sequence: 250 }, true)).acknowledgedSequence, 250)
  assert.deepEqual(await kept(), ['150-250: 101', '0-49: 50', '50-149: 100'])
})

test('D8 attack: reports without end under one device’s key are kept up to a number and a size, and others’ stay', async () => {
  const clock = new ManualClock(systemClock.now())
  const key = await makeProvisioningKey(client, 3)
  const devices = [1, 2, 3].map(() => addDevice(client, server.url, key))
  const [many, large, honest] = (await Promise.all(devices)) as [TestDevice, TestDevice, TestDevice]
  const big = 'x'.repeat(60 * 1024)
  await writeReports(clock.now(), [
    ...sequencesOf(many.id, 1, 2345),
    ...sequencesOf(large.id, 1, 200).map((row) => ({ ...row, what: big })),
    ...sequencesOf(honest.id, 1, 130),
  ])
  assert.deepEqual(await forgetOldRecords({ db, clock }, firstCursor), firstCursor)
  const rows = await db.reader.sql<{ device: string; range: string }[]>`
    select device, min(sequence) || '-' || max(sequence) || ': ' || count(*) as range
    from device_reports group by device`
  const kept = [many, large, honest].map(({ id }) => rows.find((row) => row.device === id)?.range)
  // 136 times 60 KiB are the most that 8 MiB hold.
  assert.deepEqual(kept, ['346-2345: 2000', '65-200: 136', '1-130: 130'])
  await assert.rejects(
    report(client, many, { sequence: 345 }, true),
    refused('report_sequence_reused'),
  )
})

test('D8 attack: a report sent at the moment in which its sequence number is deleted is not stored again', async () => {
  const { id: device } = await addDevice(client, server.url, await makeProvisioningKey(client, 1))
  const now = systemClock.now()
  await writeReports(now, sequencesOf(device, 1, 2))
  const upTo = (upToSequence: number) => [{ device, upToSequence, beyondSequence: -1 }]
  const before = new Date(now.getTime() + 1)
  let again: Promise<ReadonlySet<string>> | undefined
  await db.write(async (tx) => {
    assert.equal(await deleteReports(tx, upTo(1), before), 1)
    again = writeReports(now, [{ device, sequence: 1, what: 'another' }])
    await waitUntil('it waits', async () => {
      const rows = await db.reader.sql`
        select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%into device_reports%'`
      return rows.length > 0
    })
  })
  assert.deepEqual([...(await again!)], [device])
  // In the other order, nobody is waited for.
  await db.write(async (tx) => {
    await tx.sql`select 1 from devices where id = ${device} for key share`
    assert.equal(await db.write((deleting) => deleteReports(deleting, upTo(2), before)), 0)
  })
})

test('V4 a device changes its own metadata and reads its own application', async () => {
  const device = await addDevice(client, server.url, await makeProvisioningKey(client, 1))
  const own = client.as(device.accessToken)
  const params = { deviceId: device.id }
  await client.api.call(setDevice, { params, body: { tags: { site: 'kiel' } } })
  await own.call(setOwnMetadata, { body: { name: 'till 4' } })
  const view = await client.api.call(showDevice, { params })
  assert.deepEqual([view.name, view.tags], ['till 4', { site: 'kiel' }])
  const application = await own.call(readOwnApplication, {})
  assert.deepEqual([application.product, application.channel], ['acme', 'stable'])
})

test('T9 attack: one device’s key grows the audit log by a bounded number of bounded entries', async () => {
  const device = await addDevice(client, server.url, await makeProvisioningKey(client, 1))
  const own = client.as(device.accessToken)
  const entries = async () => {
    const rows = await db.reader.sql<
      { entry: Uint8Array }[]
    >`select entry from audit_entries order by id`
    return rows.filter(({ entry }) => utf8Decode(entry).includes(device.id))
  }
  const before = (await entries()).length
  let refusedCount = 0
  for (let i = 0; i < 60; i++) {
    try {
      await own.call(setOwnMetadata, { body: { name: `${'x'.repeat(120)}${i}` } })
    } catch (error) {
      refused('changes_too_often')(error)
      refusedCount += 1
    }
  }
  const found = await entries()
  assert.equal(refusedCount, 50)
  // Ten changes are recorded; refusals are recorded up to a limit of their own.
  assert.ok(found.length - before <= 10 + 2 * 30, String(found.length - before))
  assert.ok(found.every(({ entry }) => entry.length < 1000))
  // A change that alters nothing is not recorded and uses none of the allowance.
  const quiet = await addDevice(client, server.url, await makeProvisioningKey(client, 1))
  const body = { name: 'till 9' }
  for (let i = 0; i < 20; i++) await client.as(quiet.accessToken).call(setOwnMetadata, { body })
  const [row] = await db.reader.sql<{ count: number }[]>`
    select count(*) as count from audit_entries
    where position(${quiet.id} in convert_from(entry, 'UTF8')) > 0
      and position('device.set-metadata' in convert_from(entry, 'UTF8')) > 0`
  assert.equal(row!.count, 1)
})

test('T9 what is repeated and changes nothing is not recorded again', async () => {
  const key = await makeProvisioningKey(client, 1)
  const signer = await generateSigner('ed25519')
  const { deviceId } = await register(client, key, signer)
  for (let i = 0; i < 5; i++) assert.equal((await register(client, key, signer)).deviceId, deviceId)
  const params = { deviceId }
  for (let i = 0; i < 5; i++) await client.api.call(setDevice, { params, body: { name: 'till 5' } })
  const rows = await db.reader.sql<
    { entry: Uint8Array }[]
  >`select entry from audit_entries order by id`
  const own = rows.map(({ entry }) => utf8Decode(entry)).filter((text) => text.includes(deviceId))
  assert.deepEqual(
    own.map((text) => (JSON.parse(text) as { action: string }).action),
    ['device.register', 'devices.set'],
  )
})

test('A10 fault: an enrolment that was left out when a device registered is taken in when it asks again, and never exchanged', async () => {
  const key = await makeProvisioningKey(client, 1)
  const signer = await generateSigner('ed25519')
  const { deviceId } = await register(client, key, signer)
  const params = { fleet: 'shops' }
  const shown = async () => {
    const { items } = await client.api.call(listEnrolments, { params, query: { limit: 1000 } })
    return items.find((one) => one.deviceId === deviceId)!.enrolment
  }
  assert.equal(await shown(), null)
  // What the server holds for enrolled devices reaches it only when it asks again.
  const body = { product: 'acme', value: base64Encode(utf8Encode('for the enrolled')) }
  await client.api.call(setHeldSecret, { params: { ...params, secret: 'LATE' }, body })
  const newest = async () => (await client.api.call(listSecrets, { params })).version
  const before = await newest()
  const certificate = { product: 'acme', fleet: 'shops', publicKey: signer.key, signatures: [] }
  const enrolment = { certificate, receivingKey: 'A'.repeat(43), signature: 'mine' }
  await register(client, key, signer, { enrolment })
  assert.equal((await shown())?.signature, 'mine')
  const after = await newest()
  assert.ok(after > before, 'the device is told to ask again')
  // Whoever repeats the registration takes nothing away.
  await register(client, key, signer)
  await register(client, key, signer, { enrolment: { ...enrolment, signature: 'other' } })
  assert.equal((await shown())?.signature, 'mine')
  assert.equal(await newest(), after, 'nobody drives the version up by repetitions')
  await client.api.call(removeSecret, { params: { ...params, secret: 'LATE' } })
})

test('V8 T9 fault: a variable that is set to what it is raises no version and is no entry, nor is a fleet, unless it is to be tried again', async () => {
  const params = { fleet: 'shops', variable: 'COLOUR' }
  const first = await client.api.call(setVariable, { params, body: { value: 'red' } })
  const count = async () => {
    const [row] = await db.reader.sql<{ count: number }[]>`
      select count(*)::int as count from audit_entries`
    return row!.count
  }
  const before = await count()
  for (let i = 0; i < 5; i++) {
    const again = await client.api.call(setVariable, { params, body: { value: 'red' } })
    assert.deepEqual(again, first)
    await client.api.call(setFleet, { params, body: { updatesEnabled: true } })
  }
  assert.equal(await count(), before)
  // Devices on which it failed try it again only when it has another version.
  const body = { value: 'red', isAgain: true } as const
  const again = await client.api.call(setVariable, { params, body })
  assert.ok(again.version > first.version)
  assert.equal(await count(), before + 1)
  const next = await client.api.call(setVariable, { params, body: { value: 'blue' } })
  assert.ok(next.version > again.version)
  assert.equal(await count(), before + 2)
})

test('V8 fault: a device moved to a fleet whose configuration has the same version is told another one', async () => {
  await client.api.call(createFleet, { body: { name: 'bays', product: 'acme', channel: 'stable' } })
  const device = await addDevice(client, server.url, await makeProvisioningKey(client, 1))
  const params = { fleet: 'bays', variable: 'COLOUR' }
  await client.api.call(setVariable, { params, body: { value: 'green' } })
  await db.write(async ({ sql }) => {
    await sql`update fleets set config_version = (select max(config_version) from fleets)
      where name in ('shops', 'bays')`
    await sql`select pg_notify('fleets', '')`
  })
  const [row] = await db.reader.sql<{ version: number }[]>`
    select config_version as version from fleets where name = 'shops'`
  await waitUntil(
    'every worker has heard of the version',
    async () =>
      (await report(client, device, { sequence: 0 })).configVersion === row!.version &&
      (await report(other, device, { sequence: 0 })).configVersion === row!.version,
  )
  const own = client.as(device.accessToken)
  assert.equal((await own.call(readOwnSettings, {})).fleet, 'shops')
  const body = { fleet: 'bays' }
  await client.api.call(setDevice, { params: { deviceId: device.id }, body })
  await waitUntil(
    'another version is told',
    async () => (await report(client, device)).configVersion > row!.version,
  )
  const taken = await own.call(readOwnSettings, {})
  assert.equal(taken.fleet, 'bays')
  assert.equal(taken.version, row!.version + 1)
  assert.deepEqual(
    taken.entries.map(({ content }) => utf8Decode(base64Decode(content))),
    ['green'],
  )
})

test('V8 fault: secrets that were shortened and not yet sealed anew fit into one answer, or are refused; who sealed is shown', async () => {
  await client.api.call(createFleet, {
    body: { name: 'vaults', product: 'acme', channel: 'stable' },
  })
  const device = await addDevice(client, server.url, await makeProvisioningKey(client, 1))
  await client.api.call(setDevice, {
    params: { deviceId: device.id },
    body: { fleet: 'vaults' },
  })
  const fleet = { fleet: 'vaults' }
  const base64Of = (length: number) => base64Encode(new Uint8Array(length))
  const setAs = async (secret: string, length: number) => {
    const { nextVersion: version } = await client.api.call(listSecrets, { params: fleet })
    const params = { ...fleet, secret }
    const body = { version, holderKey: base64Of(32), holderCopy: base64Of(length) }
    await client.api.call(setSecret, { params, body })
    return version
  }
  const seal = (secret: string, version: number, length: number) =>
    client.api.call(sealSecret, {
      params: { ...fleet, secret },
      body: { version, seals: [{ deviceId: device.id, sealed: base64Of(length) }] },
    })
  let refusals = 0
  for (let n = 0; n < 8; n++) {
    // Sixteen KiB are sealed; then the name is set to a few bytes, which nobody has sealed yet.
    try {
      const long = await setAs(`NAME_${n}`, 16_000)
      await seal(`NAME_${n}`, long, 16_000)
      await setAs(`NAME_${n}`, 60)
    } catch (error) {
      refused('configuration_too_large')(error)
      refusals++
    }
  }
  assert.equal(refusals, 4)
  const { entries } = await client.as(device.accessToken).call(readOwnSettings, {})
  assert.equal(entries.length, 4)
  assert.ok(JSON.stringify(entries).length < 100_000)
  const { items } = await client.api.call(listSecrets, { params: fleet })
  const [first] = items
  assert.deepEqual([first!.sealedBy, first!.sealedAt], [null, null], 'of this version')
  await seal('NAME_0', first!.version, 60)
  const [sealed] = (await client.api.call(listSecrets, { params: fleet })).items
  assert.equal(sealed!.sealedBy, sealed!.setBy)
  assert.notEqual(sealed!.sealedAt, null)
  // There is room again.
  await setAs('NAME_9', 16_000)
})

test('V4 a removed device is refused at once, on every worker, and its key never comes back', async () => {
  const key = await makeProvisioningKey(client, 2)
  const signer = await generateSigner('ed25519')
  const device = await addDevice(client, server.url, key)
  await report(other, device)
  await client.api.call(removeDevice, { params: { deviceId: device.id } })
  for (const by of [client, other, client, other]) {
    await assert.rejects(report(by, device), (error: unknown) => {
      assert.ok(error instanceof ProblemError)
      assert.ok(['unauthenticated', 'device_removed'].includes(error.code), error.code)
      return true
    })
    const pull = await by.send('GET', '/v2/acme/tags/list', { token: device.accessToken })
    assert.ok([401, 403].includes(pull.status), String(pull.status))
  }
  // A device that asks for a token is told why there is none: it may come back with a new key (and
  // not with this one).
  const assertion = await makeAssertion(device.signer, device.id, server.url)
  await assert.rejects(
    client.api.call(createDeviceToken, { body: { assertion } }),
    refused('device_removed'),
  )
  await assert.rejects(register(client, key, device.signer), refused('device_removed'))
  const back = await register(client, key, signer)
  assert.notEqual(back.deviceId, device.id)
  assert.ok(signer.keyId !== device.signer.keyId)
})

const isShared = async (deviceId: string) => {
  const view = await client.api.call(showDevice, { params: { deviceId } })
  const { items } = await client.api.call(listDevices, {
    query: { identity: 'shared', limit: 1000 },
  })
  const isListed = items.some(({ id }) => id === deviceId)
  assert.equal(view.identitySharedSince !== null, isListed)
  return isListed
}

test('D8 attack: two machines under one identity are noticed, told of, and stopped where the fleet says so', async () => {
  const device = await addDevice(client, server.url, await makeProvisioningKey(client, 1))
  const peer = await addDevice(client, server.url, await makeProvisioningKey(client, 1))
  for (let turn = 0; turn < 6; turn++) {
    const say = (by: TestClient, from: TestDevice, bootId: string, sequence: number) =>
      report(by, from, { bootId, sequence }, true)
    await say(client, device, 'boot-a', 2000 * turn)
    // The other one hears that its number was overtaken, and goes on from a higher one.
    if (turn > 0) {
      await assert.rejects(say(other, device, 'boot-b', turn), refused('report_sequence_reused'))
    }
    await say(other, device, 'boot-b', 2000 * turn + 1000)
    await say(other, peer, `boot-${turn}`, turn)
    await report(client, peer, { bootId: `boot-${turn}`, sequence: turn })
  }
  assert.ok(await isShared(device.id))
  assert.ok(!(await isShared(peer.id)))
  assert.match(server.log(), /device\.identity-shared/)
  const rows = await db.reader.sql<{ entry: Uint8Array }[]>`select entry from audit_entries`
  const told = rows.filter(({ entry }) => utf8Decode(entry).includes('device.identity-shared'))
  assert.equal(told.length, 1)
  // The sharing is only told of, until the fleet says that such devices are stopped.
  await report(client, device, { bootId: 'boot-a', sequence: 12_000 }, true)
  const params = { fleet: 'shops' }
  await client.api.call(setFleet, { params, body: { sharedIdentity: 'stop' } })
  const signIn = async (by: TestClient, { id, signer }: TestDevice) => {
    const assertion = await makeAssertion(signer, id, server.url)
    return by.api.call(createDeviceToken, { body: { assertion } })
  }
  const isStopped = (by: TestClient) =>
    signIn(by, device).then(
      () => false,
      (error: unknown) => refused('identity_shared')(error),
    )
  for (const by of [client, other, client, other]) {
    await waitUntil('nobody gets a token', () => isStopped(by))
    await assert.rejects(report(by, device), refused('unauthenticated'))
  }
  await report(other, peer, { sequence: 5 })
  await signIn(client, peer)
  // An operator has turned one machine off.
  const settled = { params: { deviceId: device.id }, body: { identityShared: false } } as const
  assert.equal((await client.api.call(setDevice, settled)).identitySharedSince, null)
  await waitUntil('it gets a token again', async () => !(await isStopped(client)))
  await waitUntil('it is taken again', () =>
    report(client, device, { bootId: 'boot-a', sequence: 12_000 }).then(
      () => true,
      () => false,
    ),
  )
  assert.ok(!(await isShared(device.id)))
  await client.api.call(setFleet, { params, body: { sharedIdentity: 'tell' } })
})

test('D8 attack: two machines under one identity that tell no boot are noticed by the numbers that fall', async () => {
  const device = await addDevice(client, server.url, await makeProvisioningKey(client, 1))
  const say = (sequence: number) => report(client, device, { sequence }, true)
  // One state that was restored is no second machine.
  await say(3000)
  await assert.rejects(say(1), refused('report_sequence_reused'))
  await say(3001)
  assert.ok(!(await isShared(device.id)))
  for (let turn = 2; turn <= 5; turn++) {
    await assert.rejects(say(turn), refused('report_sequence_reused'))
    await say(3000 + turn)
  }
  assert.ok(await isShared(device.id))
})

test('D9 D2 a pinned or switched-off fleet stops assignments on every worker', async () => {
  const device = await addDevice(client, server.url, await makeProvisioningKey(client, 1))
  assert.notEqual((await report(client, device)).assignment, null)
  const params = { fleet: 'shops' }
  await client.api.call(setFleet, { params, body: { updatesEnabled: false, pollSeconds: 7 } })
  await waitUntil('it is told', async () => (await report(other, device)).pollSeconds === 7)
  assert.equal((await report(other, device)).assignment, null)
  assert.equal((await report(client, device)).assignment, null)
  await client.api.call(setFleet, { params, body: { updatesEnabled: true } })
})

test('D1 lists come in pages; a device moves only within its product', async () => {
  const page = await client.api.call(listDevices, { query: { limit: 2 } })
  assert.equal(page.items.length, 2)
  assert.equal(page.next, page.items[1]!.id)
  const rest = await client.api.call(listDevices, { query: { limit: 1000, after: page.next } })
  assert.ok(rest.items.length > 0 && rest.items.every(({ id }) => id > page.next!))
  await client.api.call(createFleet, { body: { name: 'labs', product: 'acme', channel: 'stable' } })
  const deviceId = page.items[0]!.id
  const moved = await client.api.call(setDevice, { params: { deviceId }, body: { fleet: 'labs' } })
  assert.equal(moved.fleet, 'labs')
  await assert.rejects(
    client.api.call(setDevice, { params: { deviceId }, body: { fleet: 'absent' } }),
    refused('fleet_not_found'),
  )
})

test('D1 D5 any filter over devices leaves exactly those for which each of its parts holds', async () => {
  const key = await makeProvisioningKey(client, 6)
  const names = ['gate-1', 'gate-10', 'Gate-1', 'gate-1', 'g\u{10ffff}', 'gate_1%']
  for (const [i, name] of names.entries()) {
    const device = await addDevice(client, server.url, key)
    const tags = { site: ['berlin', 'bern', 'ber=n'][i % 3]!, line: String(i) }
    await client.api.call(setDevice, { params: { deviceId: device.id }, body: { name, tags } })
    const state = i % 2 === 0 ? 'downloading' : 'failed'
    const refusals = [{ code: i < 3 ? 'freeze' : 'wrong_hash', at: '2026-01-01T00:00:00Z' }]
    if (i < 4) await report(client, device, { sequence: 1, update: { state }, refusals }, true)
  }
  const { items: all } = await client.api.call(listDevices, { query: { limit: 1000 } })
  const first = all.map(({ lastSeenAt }) => lastSeenAt ?? '').toSorted()
  const absent = 'absent'
  const times = [...new Set([...first.filter((at) => at !== ''), '2020-01-01T00:00:00Z'])]
  const one = <T>(...values: T[]) => fc.constantFrom(...values)
  const filters = fc.record(
    {
      fleet: one('shops', 'labs', absent),
      product: one('acme', absent),
      name: one(...names, 'gate', absent),
      namePrefix: one('g', 'gate-1', 'gate_', 'G', 'g\u{10ffff}', absent),
      tag: one('site=berlin', 'site=ber', 'site=ber=n', 'line=3', 'absent=1'),
      version: one('1.0.0', absent),
      state: one('idle' as const, 'downloading' as const, 'failed' as const),
      protocol: one('agent' as const, 'ddi' as const),
      platform: one('linux/amd64', 'linux/arm64'),
      agentVersion: one('0.1.0', '0.1'),
      refusal: one('freeze', 'wrong_hash', absent),
      seenBefore: one(...times),
      seenSince: one(...times),
      presence: one('online' as const, 'late' as const, 'silent' as const),
      update: one('failed' as const),
      clockOffSeconds: one(60, 100, 86_400),
      q: one('BERLIN', 'gate-1', '%', '{', 'site=BER', 'linux/', absent, all[0]!.id.slice(-9)),
    },
    { requiredKeys: [] },
  )
  const tagsOf = ({ tags }: DeviceView) => Object.entries(tags).map((pair) => pair.join('='))
  const holds: Record<string, (d: DeviceView, value: string) => boolean> = {
    fleet: (d, value) => d.fleet === value,
    product: (_d, value) => value === 'acme',
    name: (d, value) => d.name === value,
    namePrefix: (d, value) => d.name?.startsWith(value) ?? false,
    tag: (d, value) => tagsOf(d).includes(value),
    version: (d, value) => (d.running?.version ?? d.unsignedVersion) === value,
    state: (d, value) => d.update?.state === value,
    protocol: (d, value) => d.protocol === value,
    platform: (d, value) => d.platform === value,
    agentVersion: (d, value) => d.agentVersion === value,
    refusal: (d, value) => d.lastRefusal?.code === value,
    clockOffSeconds: (d, value) => Math.abs(d.clockOffsetSeconds ?? 0) > Number(value),
    seenBefore: (d, value) => (d.lastSeenAt ?? d.registeredAt) < value,
    seenSince: (d, value) => (d.lastSeenAt ?? d.registeredAt) >= value,
    presence: (d, value) => d.presence === value,
    update: (d) => d.update?.state === 'failed' || d.update?.state === 'rolled_back',
    q: (d, value) =>
      [d.id, d.name, d.fleet, d.platform, d.hardware, ...tagsOf(d)].some((part) =>
        part?.toLowerCase().includes(value.toLowerCase()),
      ),
  }
  await fc.assert(
    fc.asyncProperty(filters, async (filter: DeviceFilter) => {
      const expected = all.filter((d) =>
        Object.entries(filter).every(([part, value]) => holds[part]!(d, String(value))),
      )
      const { items } = await client.api.call(listDevices, { query: { ...filter, limit: 1000 } })
      assert.deepEqual(
        items.map(({ id }) => id),
        expected.map(({ id }) => id),
      )
      assert.deepEqual(await other.api.call(countDevices, { query: filter }), {
        count: expected.length,
      })
    }),
    { numRuns: 150, interruptAfterTimeLimit: 60_000 },
  )
  assert.equal(all.filter(({ name }) => name === 'gate-1').length, 2)
  for (const filter of [{ q: 'a\0' }, { namePrefix: 'a\0' }, { tag: 'site=a\0' }]) {
    await assert.rejects(
      client.api.call(countDevices, { query: filter }),
      refused('invalid_request'),
    )
  }
})

test('A9 attack: uploads that are begun and never ended are counted for the token, whatever their product, until they are removed', async () => {
  const app = { db }
  const upload = (id: string, actor: string) => ({ id, product: 'begun', actor })
  await db.write(async (tx) => {
    await tx.sql`
      insert into product_uploads (id, product, actor, bytes, used_at)
      select 'begun-' || n, 'p' || n, 'token_hoarder', 0, now() from generate_series(1, 999) n`
  })
  await beginUpload(app, upload('begun-last', 'token_hoarder'))
  await assert.rejects(beginUpload(app, upload('begun-more', 'token_hoarder')), {
    code: 'uploads_too_many',
  })
  await beginUpload(app, upload('begun-other', 'token_other'))
  await dropUpload(app, 'begun-1')
  await beginUpload(app, upload('begun-more', 'token_hoarder'))
  await recountStorage({ db, store: createMemoryStore(ports) }, new Date(Date.now() + dayMs))
  await beginUpload(app, upload('begun-again', 'token_hoarder'))
  await dropUpload(app, 'begun-again')
})

test('A9 fault: content that came in uncounted, and what was removed without being counted, are counted anew', async () => {
  const store = createMemoryStore(ports)
  const app = { db, store }
  const product = 'counted'
  const blob = (text: string) => {
    const bytes = utf8Encode(text)
    return { digest: digestOf(bytes), size: bytes.length, bytes }
  }
  const [kept, imported, removed] = [blob('kept'), blob('imported!'), blob('removed')]
  for (const { bytes, ...expected } of [kept, imported]) {
    await putBlob(
      store,
      product,
      expected,
      (async function* () {
        yield bytes
      })(),
    )
  }
  for (const one of [kept, removed]) await addContent(app, product, one)
  const used = async () => (await readStorage(db.reader, product)).usedBytes
  assert.equal(await used(), kept.size + removed.size)
  await recountStorage(app, new Date(0))
  assert.equal(await used(), kept.size + imported.size)
  await recountStorage(app, new Date(0))
  assert.equal(await used(), kept.size + imported.size)
})

const ports = { clock: systemClock, random: systemRandom }

/** Registers by the provisioning key, and shows an enrolment by the enrolment key. */
async function joinEnrolled(
  provisioningKey: string,
  enrolmentKey: EnrolmentKey,
  shown: ProvisioningCertificate = enrolmentKey.certificate,
) {
  const signer = await generateSigner('ed25519')
  const key = await openReceivingKey((await generateReceivingKey()).pkcs8)
  const keys = { publicKey: signer.key, receivingKey: base64Encode(key.publicKey) }
  const enrolment = await enrol(enrolmentKey, keys)
  const { deviceId } = await register(client, provisioningKey, signer, {
    enrolment: { ...enrolment, certificate: { ...shown, signatures: [...shown.signatures] } },
  })
  const assertion = await makeAssertion(signer, deviceId, server.url)
  const { accessToken } = await client.api.call(createDeviceToken, { body: { assertion } })
  return { id: deviceId, accessToken, key, keyId: signer.keyId }
}

/** What the device opens of what the server gives it. */
async function readHeld(
  { accessToken, key, keyId: deviceKeyId }: Awaited<ReturnType<typeof joinEnrolled>>,
  fleet: string,
): Promise<Record<string, string>> {
  const envelope = await createSecretEnvelope()
  const { entries } = await client.as(accessToken).call(readOwnSettings, {})
  const opened: Record<string, string> = {}
  for (const { name, kind, version, content, isOfFleet } of entries) {
    if (kind === 'variable') continue
    const scope = isOfFleet ? { fleet } : ('device' as const)
    const binding = { scope, name, version, deviceKeyId }
    opened[name] = utf8Decode(await envelope.open(key, binding, base64Decode(content)))
  }
  return opened
}

test('V8 attack: what the server holds is sealed to enrolled devices alone, as they ask; a row that is exchanged, put back, taken from another fleet or made of a sealed secret opens for nobody', async () => {
  const fleet = 'holds'
  const other = 'holds-too'
  for (const name of [fleet, other]) {
    await client.api.call(createFleet, { body: { name, product: 'acme', channel: 'stable' } })
  }
  const own = await generateKeyPair('ed25519')
  const certificate = await signProvisioningKey(
    { product: 'acme', fleet, publicKey: own.key },
    signers,
  )
  const enrolmentKey = { certificate, pkcs8: base64Encode(own.pkcs8) }
  const provisioningKey = await makeProvisioningKey(client, 20, fleet, await keyId(own.key))
  const join = (isEnrolled: boolean) =>
    joinEnrolled(
      provisioningKey,
      enrolmentKey,
      isEnrolled ? certificate : { ...certificate, signatures: [] },
    )
  type Joined = Awaited<ReturnType<typeof join>>
  const read = (device: Joined) => readHeld(device, fleet)
  const set = (secret: string, value: string, of = fleet) =>
    client.api.call(setHeldSecret, {
      params: { fleet: of, secret },
      body: { product: 'acme', value: base64Encode(utf8Encode(value)) },
    })
  const first = await set('TOKEN', 'planted-one')
  assert.deepEqual([first.keeper, first.holderKey, first.holderCopy], ['server', null, null])
  await set('OTHER', 'planted-two')
  const early = await join(true)
  assert.deepEqual(await read(early), { OTHER: 'planted-two', TOKEN: 'planted-one' })
  const invented = await join(false)
  assert.deepEqual(await read(invented), {})

  // A rotation arrives, and so does the secret at a device that comes later; no person is asked.
  const rowOf = async (of = fleet) => {
    const [row] = await db.reader.sql<{ copy: Buffer; version: number }[]>`
      select server_copy as copy, version from settings where fleet = ${of} and name = 'TOKEN'`
    return row!
  }
  const old = await rowOf()
  await set('TOKEN', 'planted-three')
  const both = { OTHER: 'planted-two', TOKEN: 'planted-three' }
  const later = await join(true)
  for (const device of [early, later]) assert.deepEqual(await read(device), both)
  const sound = await rowOf()
  for (const { copy } of [old, sound]) assert.ok(!copy.toString('latin1').includes('planted'))

  // What somebody who writes to the database makes of the row, and how it is named in the log.
  const damage = (copy: Uint8Array, version = sound.version) =>
    db.write(async (tx) => {
      await tx.sql`
      update settings set server_copy = ${Buffer.from(copy)}, version = ${version}
      where fleet = ${fleet} and name = 'TOKEN'`
    })
  await set('TOKEN', 'planted-four', other)
  const [swapped] = await db.reader.sql<{ copy: Buffer }[]>`
    select server_copy as copy from settings where fleet = ${fleet} and name = 'OTHER'`
  const attacks: [string, RegExp, () => Promise<void>][] = [
    ['two rows swapped', /in the place of another/, () => damage(swapped!.copy)],
    [
      'an earlier version under the present number',
      /in the place of another/,
      () => damage(old.copy),
    ],
    [
      'an earlier row, whole',
      /earlier version of the secret was put back/,
      () => damage(old.copy, old.version),
    ],
    [
      'the row of another fleet',
      /in the place of another/,
      async () => damage((await rowOf(other)).copy),
    ],
    ['bytes that are no seal', /is cut short/, () => damage(new Uint8Array(5))],
  ]
  let logged = 0
  for (const [what, named, attack] of attacks) {
    await attack()
    const from = server.log().length
    const newest = await join(true)
    assert.deepEqual(await read(newest), { OTHER: 'planted-two' }, what)
    assert.deepEqual(await read(early), both, `${what}: who has it keeps it`)
    const { items } = await client.api.call(listSecrets, { params: { fleet } })
    const damaged = items.map(({ name, isDamaged }) => [name, isDamaged])
    assert.deepEqual(
      damaged,
      [
        ['OTHER', false],
        ['TOKEN', true],
      ],
      what,
    )
    await waitUntil(`${what} is logged by name`, async () =>
      server
        .log()
        .slice(from)
        .split('\n')
        .some((line) => line.includes('secret.not-opened') && named.test(line)),
    )
    logged++
    await damage(sound.copy)
    assert.deepEqual(await read(newest), both, `${what}: put right again`)
  }
  assert.equal(logged, attacks.length)

  // A secret of people that is made into one of the server: what lies there is sealed to people.
  const { nextVersion: version } = await client.api.call(listSecrets, { params: { fleet } })
  const copy = new Uint8Array(80).fill(7)
  await client.api.call(setSecret, {
    params: { fleet, secret: 'TOKEN' },
    body: { version, holderKey: base64Encode(new Uint8Array(32)), holderCopy: base64Encode(copy) },
  })
  const [kept] = await db.reader.sql<{ count: number }[]>`
    select count(server_copy) as count from settings where fleet = ${fleet} and name = 'TOKEN'`
  assert.equal(Number(kept!.count), 0, 'the copy of the server is destroyed')
  await assert.rejects(
    db.write(async (tx) => {
      await tx.sql`update settings set server_copy = holder_copy where fleet = ${fleet} and name = 'TOKEN'`
    }),
    /settings_kind/,
  )
  await db.write(async (tx) => {
    await tx.sql`
      update settings set server_copy = holder_copy, holder_copy = null, holder_key = null
      where fleet = ${fleet} and name = 'TOKEN'`
  })
  assert.deepEqual(await read(await join(true)), { OTHER: 'planted-two' })
  // Nobody seals beside the server.
  await assert.rejects(
    client.api.call(sealSecret, {
      params: { fleet, secret: 'TOKEN' },
      body: { version, seals: [{ deviceId: early.id, sealed: base64Encode(copy) }] },
    }),
    refused('seal_unusable'),
  )
  // An override for one device is nobody else's, and what was removed asks in vain.
  await client.api.call(setHeldSecret, {
    params: { fleet, secret: 'OTHER' },
    body: {
      product: 'acme',
      value: base64Encode(utf8Encode('planted-five')),
      deviceId: later.id,
    },
  })
  assert.equal((await read(later))['OTHER'], 'planted-five')
  assert.equal((await read(early))['OTHER'], 'planted-two')
  await client.api.call(removeDevice, { params: { deviceId: early.id } })
  await assert.rejects(read(early), (error: unknown) => {
    assert.ok(error instanceof ProblemError)
    return ['unauthenticated', 'device_removed'].includes(error.code)
  })
})

test('V8 attack: the enrolment key of an agent.json that leaked gives nothing that the server holds once its provisioning key is used up or revoked, by whatever other key a device comes in', async () => {
  const fleet = 'leaks'
  await client.api.call(createFleet, { body: { name: fleet, product: 'acme', channel: 'stable' } })
  const makeEnrolmentKey = async () => {
    const { key, pkcs8 } = await generateKeyPair('ed25519')
    const certificate = await signProvisioningKey(
      { product: 'acme', fleet, publicKey: key },
      signers,
    )
    return { id: await keyId(key), enrolmentKey: { certificate, pkcs8: base64Encode(pkcs8) } }
  }
  const [used, ended, fresh] = [
    await makeEnrolmentKey(),
    await makeEnrolmentKey(),
    await makeEnrolmentKey(),
  ]
  const value = base64Encode(utf8Encode('planted-six'))
  await client.api.call(setHeldSecret, {
    params: { fleet, secret: 'TOKEN' },
    body: { product: 'acme', value },
  })
  const usedUp = await makeProvisioningKey(client, 1, fleet, used.id)
  const genuine = await joinEnrolled(usedUp, used.enrolmentKey)
  assert.deepEqual(await readHeld(genuine, fleet), { TOKEN: 'planted-six' })
  const revoked = await makeProvisioningKey(client, 9, fleet, ended.id)
  const provisioningKeyId = `provisioning_${revoked.split('_')[1]}`
  await client.api.call(revokeProvisioningKey, { params: { provisioningKeyId } })
  for (const [key, { enrolmentKey }] of [
    [usedUp, used],
    [revoked, ended],
  ] as const) {
    await assert.rejects(joinEnrolled(key, enrolmentKey), ProblemError)
  }

  // Whoever may make provisioning keys, or has another one that is live, brings the old file.
  const unnamed = await makeProvisioningKey(client, 9, fleet)
  const named = await makeProvisioningKey(client, 9, fleet, fresh.id)
  const thieves = await Promise.all(
    [used, ended].flatMap(({ enrolmentKey }) =>
      [unnamed, named].map((key) => joinEnrolled(key, enrolmentKey)),
    ),
  )
  for (const thief of thieves) assert.deepEqual(await readHeld(thief, fleet), {})
  await waitUntil('the log says why', async () =>
    server
      .log()
      .split('\n')
      .some((line) => line.includes('enrolment-key-not-named') && line.includes(thieves[0]!.id)),
  )
  for (const at of [fleet, 'shops']) {
    for (const { id } of [used, ended, fresh]) {
      await assert.rejects(makeProvisioningKey(client, 1, at, id), refused('enrolment_key_taken'))
    }
  }
  // A key that another fleet names is not believed here, when the device is moved.
  const moved = await makeEnrolmentKey()
  const elsewhere = await makeProvisioningKey(client, 1, 'shops', moved.id)
  const mover = await joinEnrolled(elsewhere, moved.enrolmentKey)
  await client.api.call(setDevice, { params: { deviceId: mover.id }, body: { fleet } })
  assert.deepEqual(await readHeld(mover, fleet), {})
  const next = await joinEnrolled(named, fresh.enrolmentKey)
  assert.deepEqual(await readHeld(next, fleet), { TOKEN: 'planted-six' })
})

test('V8 attack: a fleet that is shown in the database as one of another product gives the devices of that product nothing that the server holds', async () => {
  const fleet = 'quays'
  const authority = { keys: signers.map(({ key }) => key), threshold: 1 }
  await carryOut(client, { kind: 'product-create', product: 'basalt', authority }, signers)
  await client.api.call(createFleet, { body: { name: fleet, product: 'acme', channel: 'stable' } })
  const put = (product: string) =>
    client.api.call(setHeldSecret, {
      params: { fleet, secret: 'TOKEN' },
      body: { product, value: base64Encode(utf8Encode('planted-seven')) },
    })
  await assert.rejects(put('basalt'), refused('configuration_changed'))
  await put('acme')
  const joinAs = async (product: string) => {
    const { key, pkcs8 } = await generateKeyPair('ed25519')
    const certificate = await signProvisioningKey({ product, fleet, publicKey: key }, signers)
    const provisioningKey = await makeProvisioningKey(client, 1, fleet, await keyId(key))
    return joinEnrolled(provisioningKey, { certificate, pkcs8: base64Encode(pkcs8) })
  }
  const first = await joinAs('acme')
  assert.deepEqual(await readHeld(first, fleet), { TOKEN: 'planted-seven' })
  // The value lies there as it was given for another product.
  const showAs = (product: string) =>
    db.write(async ({ sql }) => {
      await sql`update fleets set product = ${product} where name = ${fleet}`
    })
  await showAs('basalt')
  const damaged = async () =>
    (await client.api.call(listSecrets, { params: { fleet } })).items.map((one) => one.isDamaged)
  assert.deepEqual(await damaged(), [true])
  // The workers read the fleet again once something is set.
  await client.api.call(setVariable, {
    params: { fleet, variable: 'COLOUR' },
    body: { value: 'red' },
  })
  const thief = await joinAs('basalt')
  let looks = 0
  await waitUntil('the server has refused to open it for the device', async () => {
    // Clients that ask at each look are refused.
    if (looks++ % 20 === 0) assert.deepEqual(await readHeld(thief, fleet), {})
    return server
      .log()
      .split('\n')
      .some((line) => line.includes('secret.not-opened') && line.includes(thief.id))
  })
  await showAs('acme')
  assert.deepEqual(await damaged(), [false])
})

test('D1 devices are found by how many releases they are behind, and by the agent that they reported last', async () => {
  const key = await makeProvisioningKey(client, 3)
  const versions = ['7.0.0', '7.1.0', '7.2.0']
  const found: string[] = []
  for (const version of versions) {
    const release = await pushRelease(client, server.adminToken, version)
    await publishRelease(client, release, signers)
    const { items } = await client.api.call(listProducts, { query: {} })
    const { counter } = items.find(({ name }) => name === 'acme')!.channels[0]!.newest!
    const device = await addDevice(client, server.url, key)
    const running = { product: 'acme', version, sha256: release.sha256, counter }
    const claim = { sequence: 1, running, committedCounter: counter, agentVersion: `8.${version}` }
    await report(client, device, claim, true)
    found.push(device.id)
  }
  const [oldest, middle, newest] = found
  const listBy = async (filter: DeviceFilter) => {
    const { items } = await other.api.call(listDevices, { query: { ...filter, limit: 1000 } })
    const { count } = await other.api.call(countDevices, { query: filter })
    assert.equal(count, items.length)
    return items.map(({ id }) => id)
  }
  const ofThese = async (behind: number) =>
    (await listBy({ behind })).filter((id) => found.includes(id))
  assert.deepEqual(await ofThese(1), [oldest, middle])
  assert.deepEqual(await ofThese(2), [oldest])
  assert.deepEqual(await ofThese(3), [])
  assert.ok((await listBy({ behind: 3 })).length > 0, 'others run the first release')
  assert.deepEqual(await listBy({ behind: 10_000 }), [])
  assert.deepEqual(await listBy({ agentVersion: '8.7.2.0' }), [newest])
})

test('D1 a list of devices in any order, read in pages, has each device once, also where what it is sorted by is alike or missing', async () => {
  const { items: all } = await client.api.call(listDevices, { query: { limit: 1000 } })
  const bytes = (text: string) => Buffer.from(text)
  const orders: Record<string, (d: DeviceView) => string> = {
    registered: () => '',
    name: (d) => d.name ?? '',
    fleet: (d) => d.fleet,
    seen: (d) => d.lastSeenAt ?? d.registeredAt,
  }
  assert.ok(all.some(({ name }) => name === null) && all.some(({ name }) => name !== null))
  for (const sort of deviceSort.options) {
    const listed: DeviceView[] = []
    for (let after: string | undefined; ;) {
      const query = { sort, limit: 3, ...(after === undefined ? {} : { after }) }
      const page = await other.api.call(listDevices, { query })
      listed.push(...page.items)
      if (page.next === null) break
      after = page.next
    }
    assert.equal(new Set(listed.map(({ id }) => id)).size, all.length, sort)
    assert.equal(listed.length, all.length, sort)
    const ascending = sort.startsWith('-') ? listed.toReversed() : listed
    const keys = ascending.map((d) => orders[sort.replace('-', '')]!(d))
    assert.deepEqual(
      keys,
      keys.toSorted((x, y) => Buffer.compare(bytes(x), bytes(y))),
      sort,
    )
  }
  for (const sort of deviceSort.options) {
    const query = { sort, after: 'neither an id nor a time' }
    await client.api.call(listDevices, { query })
  }
})

test('D1 single tags are added and taken away, also by several people at once, and a device has at most 64', async () => {
  const { id: deviceId } = await addDevice(client, server.url, await makeProvisioningKey(client, 1))
  const set = (body: BodyOf<typeof setDevice>, by = client) =>
    by.api.call(setDevice, { params: { deviceId }, body })
  await set({ tags: { site: 'bern', line: '1' } })
  const names = Array.from({ length: 20 }, (_, i) => `tag-${i}`)
  await Promise.all(
    names.map((name, i) => set({ addTags: { [name]: 'on' } }, i % 2 === 0 ? client : other)),
  )
  const { tags } = await set({ addTags: { site: 'berlin' }, removeTags: ['line', 'absent'] })
  assert.deepEqual(tags, {
    site: 'berlin',
    ...Object.fromEntries(names.map((name) => [name, 'on'])),
  })
  const many = Array.from({ length: 44 }, (_, i) => [`more-${i}`, ''] as const)
  await assert.rejects(set({ addTags: Object.fromEntries(many) }), refused('tags_too_many'))
  const { tags: most } = await set({ addTags: Object.fromEntries(many.slice(1)) })
  assert.equal(Object.keys(most).length, 64)
})

test('D1 many devices move at once, each with its entry; those that are elsewhere stay there', async () => {
  const key = await makeProvisioningKey(client, 4)
  const ids: string[] = []
  for (let i = 0; i < 4; i++) ids.push((await addDevice(client, server.url, key)).id)
  await client.api.call(createFleet, {
    body: { name: 'moles', product: 'acme', channel: 'stable' },
  })
  const [elsewhere, ...wanted] = ids
  await client.api.call(setDevice, {
    params: { deviceId: elsewhere! },
    body: { fleet: 'labs' },
  })
  const absent = `device_${'0'.repeat(26)}`
  const move = (toFleet: string, by = client) =>
    by.api.call(moveDevices, {
      params: { fleet: 'shops' },
      body: { deviceIds: [...ids, absent, wanted[0]!], toFleet },
    })
  await assert.rejects(move('absent'), refused('fleet_not_found'))
  // Two who move the same devices at the same moment move each of them once.
  const done = await Promise.all([move('moles'), move('moles', other)])
  assert.deepEqual(done.flatMap(({ movedIds }) => movedIds).toSorted(), wanted.toSorted())
  assert.ok(done.every(({ leftIds }) => leftIds.includes(elsewhere!) && leftIds.includes(absent)))
  const { items } = await client.api.call(listDevices, { query: { fleet: 'moles' } })
  assert.deepEqual(items.map(({ id }) => id).toSorted(), wanted.toSorted())
  const { items: others } = await client.api.call(listDevices, { query: { fleet: 'labs' } })
  assert.ok(others.some(({ id }) => id === elsewhere))
  const rows = await db.reader.sql<{ entry: Uint8Array }[]>`select entry from audit_entries`
  const entries = rows
    .map(({ entry }) => utf8Decode(entry))
    .filter((text) => text.includes('"devices.move"') && text.includes('"moles"'))
  assert.deepEqual(
    wanted.map((id) => entries.filter((text) => text.includes(id)).length),
    [1, 1, 1],
  )
})

test('D1 a fleet is removed once no device is left, its keys and settings end, and its name never comes again', async () => {
  const { api } = client
  const params = { fleet: 'shed' }
  const wanted = { name: 'shed', product: 'acme', channel: 'stable' }
  await api.call(createFleet, { body: wanted })
  const key = await makeProvisioningKey(client, 2, 'shed')
  const { id: deviceId } = await addDevice(client, server.url, key)
  await api.call(setVariable, { params: { ...params, variable: 'LAMP' }, body: { value: 'on' } })
  const before = await api.call(showFleetDependents, { params })
  assert.deepEqual(
    [before.devicesCount, before.provisioningKeysCount, before.settingsCount],
    [1, 1, 1],
  )
  await assert.rejects(api.call(removeFleet, { params }), hasCode('fleet_has_devices'))
  await api.call(removeDevice, { params: { deviceId } })
  await api.call(removeFleet, { params })
  await assert.rejects(api.call(showFleet, { params }), hasCode('fleet_not_found'))
  await assert.rejects(api.call(removeFleet, { params }), hasCode('fleet_not_found'))
  await assert.rejects(addDevice(client, server.url, key))
  const { items } = await api.call(listFleets, { query: {} })
  assert.ok(!items.some(({ name }) => name === 'shed'))
  await assert.rejects(api.call(createFleet, { body: wanted }), hasCode('fleet_name_ended'))

  // A check-in that waited while its fleet was removed is answered, and takes no batch with it.
  const db = server.openDatabase()
  try {
    const zones = createZones()
    const ports = { clock: systemClock, sleep: systemSleep }
    const deps = { db, zones, rollouts: { put() {} }, releases: { of: () => [] } }
    const answer = await createSettlements(deps, ports).settle('shed', {
      ...{ deviceId, platform: 'linux/amd64', hardware: null, tags: {}, running: null },
      ...{
        committedCounter: 0,
        floor: 0,
        activity: { state: 'idle', sha256: null, code: null },
        countsAttempts: true,
      },
      ...{ sequence: 1, heldBack: null, updates: [] },
    })
    assert.deepEqual(answer, { release: null, reason: 'no_rollout', rolloutId: null })
  } finally {
    await db.close()
  }
})
