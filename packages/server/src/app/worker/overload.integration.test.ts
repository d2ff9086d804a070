/**
 * More check-ins come than the database takes: here it takes none for a while, because somebody
 * locks its table against writers.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { showDevice } from '@seaworthy/api/devices'
import { systemSleep } from '@seaworthy/std/time'
import type { AddedController } from '../../testing/controllers.ts'
import { addController } from '../../testing/controllers.ts'
import type { TestClient, TestDevice, TestServer } from '../../testing/index.ts'
import {
  addDevice,
  createTestClient,
  makeProvisioningKey,
  makeReport,
  report,
  setUpTrust,
  signReport,
  startTestServer,
} from '../../testing/index.ts'

let server: TestServer
let client: TestClient
let devices: TestDevice[]

before(async () => {
  server = await startTestServer({ workers: 1 })
  client = createTestClient(server)
  await setUpTrust(client)
  const key = await makeProvisioningKey(client, 12)
  devices = []
  while (devices.length < 12) devices.push(await addDevice(client, server.url, key))
})
after(async () => {
  client.close()
  await server.stop()
})

interface Answer {
  readonly device: TestDevice
  readonly sequence: number
  readonly status: number
  readonly retryAfter: string | undefined
  readonly pollSeconds: number
}

async function checkIn(device: TestDevice, sequence: number): Promise<Answer> {
  const running = { product: 'acme', version: '1.0.0', sha256: 'ab'.repeat(32), counter: sequence }
  const body = makeReport({ sequence, running, committedCounter: sequence })
  const signature = await signReport(device.signer, body)
  const { status, headers, json } = await client.send('POST', '/v1/device/check-in', {
    token: device.accessToken,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ report: body, signature }),
  })
  const { pollSeconds = 0 } = json() as { pollSeconds?: number }
  return { device, sequence, status, retryAfter: headers['retry-after'], pollSeconds }
}

/** How long a device that speaks DDI is told to sleep. */
async function readSleep(unit: AddedController): Promise<readonly [number, string | undefined]> {
  const { status, body } = await unit.send('GET', '')
  return [status, body?.config?.polling.sleep]
}

test('O1 a flood is slowed down, foreign devices too, then turned away before it is accepted; what was acknowledged is there', async () => {
  for (const device of devices) assert.equal((await checkIn(device, 1)).status, 200)
  const units: AddedController[] = []
  for (let n = 0; n < 6; n++) units.push(await addController(client, `unit ${n}`))
  assert.deepEqual(await readSleep(units[0]!), [200, '00:01:00'])
  const db = server.openDatabase()
  const flood: Promise<Answer>[] = []
  const foreignFlood: Promise<readonly [status: number, sleep: string | undefined]>[] = []
  try {
    await db.write(async ({ sql }) => {
      await sql`lock table device_states in share mode`
      for (let sequence = 2; sequence <= 18; sequence++) {
        for (const device of devices) flood.push(checkIn(device, sequence))
        foreignFlood.push(readSleep(units[sequence % units.length]!))
        await systemSleep(150)
        // A transaction that is idle for seconds, as on a busy machine, would be ended.
        await sql`select 1`
      }
    })
  } finally {
    await db.close()
  }
  const answers = await Promise.all(flood)
  const stored = answers.filter(({ status }) => status === 200)
  const refused = answers.filter(({ status }) => status === 503)
  // No more than a few check-ins of one device wait at once.
  const tooMany = answers.filter(({ status }) => status === 429)
  assert.equal(stored.length + refused.length + tooMany.length, answers.length)
  assert.ok(stored.length >= devices.length, `${stored.length} were stored`)
  assert.ok(refused.length >= devices.length, `${refused.length} were refused`)
  const waits = new Set(refused.map(({ retryAfter }) => Number(retryAfter)))
  assert.ok(waits.size > 1 && [...waits].every((seconds) => seconds >= 5 && seconds <= 30))
  assert.ok(
    stored.some(({ pollSeconds }) => pollSeconds > 60 && pollSeconds <= 240),
    'nobody was slowed down',
  )

  // A foreign device is told the same, in its own protocol, and turned away when the others are.
  const foreign = await Promise.all(foreignFlood)
  assert.ok(foreign.every(([status]) => status === 200 || status === 503))
  const sleeps = foreign.flatMap(([, sleep]) => sleep ?? [])
  assert.ok(
    sleeps.some((sleep) => sleep > '00:01:00' && sleep <= '00:04:00'),
    `the foreign device was told ${sleeps.join(', ')}`,
  )

  for (const device of devices) {
    const { reports } = await client.api.call(showDevice, { params: { deviceId: device.id } })
    const kept = new Set(reports.map(({ report: { sequence } }) => sequence))
    const acknowledged = stored.filter((answer) => answer.device === device)
    for (const { sequence } of acknowledged) assert.ok(kept.has(sequence), `lost ${sequence}`)
    const turnedAway = [...refused, ...tooMany].filter((answer) => answer.device === device)
    for (const { sequence } of turnedAway) assert.ok(!kept.has(sequence), `kept ${sequence}`)
  }
  const [device] = devices
  assert.equal((await report(client, device!, { sequence: 40 }, true)).pollSeconds, 60)
  assert.deepEqual(await readSleep(units[0]!), [200, '00:01:00'])
})
