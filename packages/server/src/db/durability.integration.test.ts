/**
 * Requirement O1: when any process is killed at any moment under load, what was acknowledged is
 * still there.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createFleet, listFleets } from '@seaworthy/api/fleets'
import { showDevice } from '@seaworthy/api/devices'
import { waitUntil } from '@seaworthy/std/testing'
import { systemSleep } from '@seaworthy/std/time'
import type { TestClient, TestDevice, TestServer } from '../testing/index.ts'
import {
  addDevice,
  createTestClient,
  makeProvisioningKey,
  report,
  setUpTrust,
  startTestServer,
} from '../testing/index.ts'

const running = { product: 'acme', version: '1.0.0', sha256: 'a'.repeat(64), counter: 1 }

interface Load {
  /** Names of fleets whose creation was acknowledged. */
  readonly fleets: string[]
  /** The highest acknowledged sequence number by device id. */
  readonly sequences: Map<string, number>
  failures: number
  stop(): Promise<void>
}

/**
 * Creates fleets and sends signed reports, one after the other in each of several lines, until it
 * is stopped.
 */
function startLoad(client: TestClient, devices: readonly TestDevice[], tag: string): Load {
  let isStopped = false
  const load: Load = {
    fleets: [],
    sequences: new Map(),
    failures: 0,
    async stop() {
      isStopped = true
      await Promise.all(lines)
    },
  }
  const repeat = async (attempt: (i: number) => Promise<void>) => {
    for (let i = 1; !isStopped;) {
      try {
        await attempt(i)
        i++
      } catch {
        // The creation was not acknowledged, so nothing is promised about it. The next one has a
        // new name.
        load.failures++
        i++
        await systemSleep(20)
      }
    }
  }
  const lines = [
    repeat(async (i) => {
      const name = `load-${tag}-${i}`
      await client.api.call(createFleet, { body: { name, product: 'acme', channel: 'stable' } })
      load.fleets.push(name)
    }),
    ...devices.map((device) =>
      repeat(async (i) => {
        const sequence = Number(tag) * 1_000_000 + i
        const reply = await report(client, device, { sequence, running, committedCounter: 1 }, true)
        assert.equal(reply.acknowledgedSequence, sequence)
        load.sequences.set(device.id, sequence)
      }),
    ),
  ]
  return load
}

async function checkNothingLost(client: TestClient, load: Load): Promise<void> {
  const names = new Set<string>()
  for (let after: string | undefined; ;) {
    const query = { limit: 1000, ...(after === undefined ? {} : { after }) }
    const page = await client.api.call(listFleets, { query })
    for (const { name } of page.items) names.add(name)
    if (page.next === null) break
    after = page.next
  }
  assert.deepEqual(
    load.fleets.filter((name) => !names.has(name)),
    [],
  )
  for (const [deviceId, sequence] of load.sequences) {
    const { reports } = await client.api.call(showDevice, { params: { deviceId } })
    assert.ok(Math.max(...reports.map((r) => r.report.sequence)) >= sequence)
  }
}

/** Waits until a few more have been acknowledged, however slow the machine is. */
async function untilAcknowledged(load: Load): Promise<void> {
  const wanted = load.fleets.length + 6
  await waitUntil('the load runs', () => load.fleets.length >= wanted)
}

async function untilWell(client: TestClient): Promise<void> {
  await waitUntil('the server is ready again', () =>
    client.send('GET', '/readyz').then(
      ({ status }) => status === 200,
      () => false,
    ),
  )
}

const cases: Readonly<Record<string, (server: TestServer) => Promise<void>>> = {
  'a worker': async (server) => {
    const [pid] = await server.workerPids()
    process.kill(pid!, 'SIGKILL')
  },
  'all workers': async (server) => {
    for (const pid of await server.workerPids()) process.kill(pid, 'SIGKILL')
  },
  PostgreSQL: async (server) => {
    process.kill(await server.postgresPid(), 'SIGKILL')
  },
}

test('O1 kill -9 of workers, of PostgreSQL and of the whole server under load loses nothing acknowledged', async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), 'seaworthy-kill-'))
  let server = await startTestServer({ dataDir, workers: 2 })
  let client = createTestClient(server)
  const { adminToken } = server
  try {
    await setUpTrust(client)
    const key = await makeProvisioningKey(client, 3)
    const devices: TestDevice[] = []
    for (let i = 0; i < 3; i++) devices.push(await addDevice(client, server.url, key))
    let round = 0
    for (const [name, kill] of Object.entries(cases)) {
      round++
      await t.test(name, async () => {
        const load = startLoad(client, devices, String(round))
        await untilAcknowledged(load)
        await kill(server)
        await systemSleep(200)
        await untilWell(client)
        await untilAcknowledged(load)
        await load.stop()
        await checkNothingLost(client, load)
      })
    }
    await t.test('the whole server', async () => {
      const load = startLoad(client, devices, '9')
      await untilAcknowledged(load)
      await server.kill()
      await load.stop()
      client.close()
      const { port } = new URL(server.url)
      server = {
        ...(await startTestServer({ dataDir, workers: 2, port: Number(port) })),
        adminToken,
      }
      client = createTestClient(server)
      await untilWell(client)
      await checkNothingLost(client, load)
    })
  } finally {
    client.close()
    await server.stop().catch(() => undefined)
    await rm(dataDir, { recursive: true, force: true })
  }
})

test('O1 SIGTERM finishes what has begun and leaves nothing running', async () => {
  const server = await startTestServer({ workers: 2 })
  const client = createTestClient(server)
  const pids = [...(await server.workerPids()), await server.postgresPid()]
  assert.equal(pids.length, 3)
  await setUpTrust(client)
  client.close()
  await server.stop()
  for (const pid of pids) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
})

test('a second server on the same data folder is refused, with the way out', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'seaworthy-twice-'))
  const server = await startTestServer({ dataDir })
  try {
    await assert.rejects(startTestServer({ dataDir: server.dataDir }), /another server is running/)
  } finally {
    await server.stop().catch(() => undefined)
    await rm(dataDir, { recursive: true, force: true })
  }
})
