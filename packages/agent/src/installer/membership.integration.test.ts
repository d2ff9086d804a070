/**
 * V4: what becomes of a device that its server says was removed, whether the server tells the truth
 * or not.
 */
import assert from 'node:assert/strict'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { after, afterEach, beforeEach, test } from 'node:test'
import { base64Encode, utf8Encode } from '@seaworthy/std/bytes'
import { jsonLog } from '@seaworthy/std/log'
import { waitUntil } from '@seaworthy/std/testing'
import { systemClock } from '@seaworthy/std/time'
import { signProvisioningKey, verifyEnrolment } from '@seaworthy/trust/enrolment'
import { generateKeyPair, generateSigner } from '@seaworthy/trust/keys'
import type { InlineAgent } from '../testing/inline-agent.ts'
import { startInlineAgent } from '../testing/inline-agent.ts'
import { makeTestFolder, writeTestApp } from '../testing/test-agent.ts'
import type { TestOrigin } from '../testing/test-origin.ts'
import {
  freshProvisioningKey,
  startTestOrigin,
  testProvisioningKey,
} from '../testing/test-origin.ts'

const folder = makeTestFolder()
let origin: TestOrigin
let agent: InlineAgent
let count = 0
let configPath: string
let sha256: string
const logged: string[] = []
const log = jsonLog({ write: (line) => logged.push(line), clock: systemClock, level: 'info' })

const start = async () => {
  agent = await startInlineAgent(`${folder.path}/${count}/state`, origin, { configPath, log })
}

beforeEach(async () => {
  origin = await startTestOrigin(`${folder.path}/${++count}`)
  const app = writeTestApp(`${folder.path}/${count}/app`, '1.0.0', 'healthy', {
    windowSeconds: 0.2,
  })
  ;({ sha256 } = await origin.release('1.0.0', app, { counter: 7, floor: 5 }))
  configPath = `${folder.path}/${count}/agent.json`
  writeKey(testProvisioningKey)
  await start()
  await waitUntil('release 1 committed', () => agent.status().committedCounter === 7)
  await waitUntil('the provisioning key is gone', () => readKey() === undefined)
})
afterEach(async () => {
  await agent.stop()
  await origin.close()
})
after(() => folder.remove())

function writeKey(provisioningKey: string): void {
  writeFileSync(configPath, JSON.stringify({ provisioningKey }), { mode: 0o600 })
}

const readKey = () =>
  (JSON.parse(readFileSync(configPath, 'utf8')) as { provisioningKey?: string }).provisioningKey

const requestsTo = (path: string) =>
  origin.requests.filter((request) => request.endsWith(path)).length

/** A poll that the server refuses makes no report, but it asks for a token. */
const pollInVain = async () => {
  const before = requestsTo('/v1/device/token')
  agent.installer.pollNow()
  await waitUntil('asked again', () => requestsTo('/v1/device/token') > before)
}

const pollWell = async () => {
  const before = origin.reports.length
  agent.installer.pollNow()
  await waitUntil('a report', () => origin.reports.length > before)
}

const remove = async (id: string) => {
  origin.removeDevice(id)
  agent.installer.pollNow()
  await waitUntil('the device knows', () => agent.status()['removedAt'] !== null)
}

/** What no answer of a server may take from a device. */
function assertUnharmed(): void {
  const status = agent.status()
  assert.deepEqual([status.committedCounter, status['floor']], [7, 5])
  assert.equal((status['committed'] as { sha256: string }).sha256, sha256)
  assert.deepEqual([...agent.running], [sha256])
}

test('V4 a removed device says so, runs on, and registers anew with a fresh key: counter, floor and release stay', async () => {
  const first = origin.deviceId()
  await remove(first)
  await pollInVain()
  await waitUntil('it says so', () => agent.status().lastError === 'device_removed')
  assert.equal(origin.registrations, 1)
  assertUnharmed()

  const told = origin.reports.findLast(({ isSigned }) => isSigned)!.report.sequence
  writeKey(freshProvisioningKey('1'))
  agent.installer.pollNow()
  await waitUntil('registered anew', () => origin.registrations === 2)
  await waitUntil('taken', () => agent.status()['removedAt'] === null)
  await waitUntil('the key is spent', () => readKey() === undefined)
  const second = origin.deviceId()
  assert.notEqual(second, first)
  assert.equal(agent.status()['deviceId'], second)
  assert.equal(statSync(`${agent.layout.trust}/device.key.2`).mode & 0o777, 0o600)
  // The new device's first signed statement says what runs, by the new key, and goes on counting.
  const newest = () =>
    origin.reports.findLast((item) => item.isSigned && item.report.sequence > told)
  await waitUntil('a signed statement', () => newest() !== undefined)
  const { report } = newest()!
  assert.equal(report.running?.version, '1.0.0')
  assert.equal(report.committedCounter, 7)
  assertUnharmed()

  await agent.stop()
  await start()
  await pollWell()
  assert.equal(agent.status()['deviceId'], second)
  assert.equal(origin.registrations, 2)
})

test('V4 O2 fault: a device that a restored backup does not know registers anew with a fresh key: counter, floor and release stay', async () => {
  const first = origin.deviceId()
  origin.forgetDevice(first)
  agent.installer.pollNow()
  await waitUntil('the device knows', () => agent.status()['removedAt'] !== null)
  await pollInVain()
  await waitUntil('it says so', () => agent.status().lastError === 'assertion_device_unknown')
  assert.equal(origin.registrations, 1)
  assertUnharmed()
  writeKey(freshProvisioningKey('1'))
  agent.installer.pollNow()
  await waitUntil('registered anew', () => origin.registrations === 2)
  await waitUntil('taken', () => agent.status()['removedAt'] === null)
  assert.notEqual(agent.status()['deviceId'], first)
  await pollWell()
  assertUnharmed()
})

test('V4 a removed device comes back again and again, each time with another key and another fresh provisioning key', async () => {
  const ids = [origin.deviceId()]
  const keyIds = [agent.status()['keyId']]
  for (const letter of ['1', '2', '3']) {
    await remove(ids.at(-1)!)
    writeKey(freshProvisioningKey(letter))
    agent.installer.pollNow()
    await waitUntil('back', () => agent.status()['removedAt'] === null)
    await pollWell()
    ids.push(origin.deviceId())
    keyIds.push(agent.status()['keyId'])
  }
  assert.equal(new Set(ids).size, 4)
  assert.equal(new Set(keyIds).size, 4)
  assertUnharmed()
})

test('V4 attack: a server that calls a device removed costs it nothing but asking again', async () => {
  const id = origin.deviceId()
  await remove(id)
  for (let i = 0; i < 3; i++) await pollInVain()
  assertUnharmed()
  origin.restore(id)
  await pollWell()
  await waitUntil('known again', () => agent.status()['removedAt'] === null)
  assert.equal(agent.status()['deviceId'], id)
  assert.equal(origin.registrations, 1)
  assertUnharmed()
})

test('V4 attack: a device that a lie made register anew is taken under its former identity by a server that knows only that', async () => {
  const id = origin.deviceId()
  await remove(id)
  writeKey(freshProvisioningKey('1'))
  agent.installer.pollNow()
  await waitUntil('registered anew', () => agent.status()['removedAt'] === null)
  await pollWell()
  // The genuine server is back: it never removed the device, and never heard of the other one.
  origin.restore(id)
  agent.installer.pollNow()
  await waitUntil('itself again', () => agent.status()['deviceId'] === id)
  await pollWell()
  assertUnharmed()
  await agent.stop()
  await start()
  await pollWell()
  assert.equal(agent.status()['deviceId'], id)
})

test('V4 attack: a lie told twice, and a registration that is refused, take no former identity', async () => {
  const id = origin.deviceId()
  await remove(id)
  writeKey(freshProvisioningKey('1'))
  agent.installer.pollNow()
  await waitUntil('registered anew', () => agent.status()['removedAt'] === null)
  await pollWell()
  origin.intercept = async (request, response) => {
    if (request.url !== '/v1/device/register') return false
    response.writeHead(403, { 'content-type': 'application/problem+json' })
    const problem = { type: 'about:blank', title: 'no', status: 403, detail: 'no' }
    response.end(JSON.stringify({ ...problem, code: 'provisioning_key_used_up' }))
    return true
  }
  await remove(origin.deviceId())
  writeKey(freshProvisioningKey('2'))
  agent.installer.pollNow()
  await waitUntil('refused', () => requestsTo('/v1/device/register') >= 3)
  await waitUntil('it says why', () => agent.status().lastError === 'provisioning_key_used_up')
  await agent.stop()
  origin.intercept = undefined
  origin.restore(id)
  await start()
  agent.installer.pollNow()
  await waitUntil('itself again', () => agent.status()['deviceId'] === id)
  await pollWell()
  assert.equal(readKey(), freshProvisioningKey('2'))
  assertUnharmed()
})

test('V4 attack: a provisioning key that the device was registered with before its last one is no fresh one', async () => {
  await remove(origin.deviceId())
  writeKey(freshProvisioningKey('1'))
  agent.installer.pollNow()
  await waitUntil('registered anew', () => agent.status()['removedAt'] === null)
  await pollWell()
  await remove(origin.deviceId())
  const asked = requestsTo('/v1/device/register')
  writeKey(testProvisioningKey)
  for (let i = 0; i < 2; i++) await pollInVain()
  await agent.stop()
  await start()
  await pollInVain()
  assert.equal(requestsTo('/v1/device/register'), asked)
  assertUnharmed()
})

test('V4 a fresh provisioning key stays unspent while the server knows the device, restarts included', async () => {
  const fresh = freshProvisioningKey('1')
  writeKey(fresh)
  await pollWell()
  await agent.stop()
  await start()
  await pollWell()
  assert.equal(readKey(), fresh)
  assert.equal(origin.registrations, 1)
})

test('A10 a device signs its own keys with the enrolment key that it was given, and destroys it', async () => {
  assert.equal(origin.enrolment, undefined)
  const holder = await generateSigner('ed25519')
  const { key, pkcs8 } = await generateKeyPair('ed25519')
  const subject = { product: origin.product, fleet: 'test', publicKey: key }
  const certificate = await signProvisioningKey(subject, [holder])
  const enrolmentKey = base64Encode(
    utf8Encode(JSON.stringify({ certificate, pkcs8: base64Encode(pkcs8) })),
  )
  const before = origin.deviceId()
  await remove(before)
  const config = { provisioningKey: freshProvisioningKey('b'), enrolmentKey }
  writeFileSync(configPath, JSON.stringify(config), { mode: 0o600 })
  agent.installer.pollNow()
  await waitUntil('registered anew', () => origin.deviceId() !== before)
  await waitUntil('the keys are gone', () => readFileSync(configPath, 'utf8').trim() === '{}')

  const { layout } = agent
  const newest = JSON.parse(readFileSync(`${layout.trust}/device.key.2`, 'utf8')) as {
    key: typeof key
  }
  const { receivingKey, readerId } = await verifyEnrolment(origin.enrolment, {
    holders: { keys: [holder.key], threshold: 1 },
    product: origin.product,
    fleet: 'test',
    publicKey: newest.key,
  })
  assert.equal(receivingKey.length, 32)
  // The device itself tells the key by which people know it.
  assert.ok(logged.some((line) => line.includes('"event":"enrolled"') && line.includes(readerId)))
  assert.equal(statSync(`${layout.trust}/receiving.key`).mode & 0o777, 0o600)
  assert.ok(!JSON.stringify(origin.enrolment).includes(base64Encode(pkcs8)))
})
