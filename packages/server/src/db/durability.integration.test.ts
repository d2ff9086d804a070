/**
 * Requirement O1: when any process is killed at any moment under load, what was acknowledged is
 * still there.
 */
import assert from 'node:assert/strict'
import { readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
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
  askApart,
  createTestClient,
  makeProvisioningKey,
  report,
  setUpTrust,
  shortAnswerMs,
  startTestServer,
} from '../testing/index.ts'
import { scrape } from '../testing/scrape.ts'

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

async function untilWell(server: TestServer): Promise<void> {
  const options = { answerMs: shortAnswerMs }
  await waitUntil('the server is ready again', () =>
    askApart(server, (client) => client.send('GET', '/readyz'), options).then(
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
        const insistent = createTestClient(server, { answerMs: shortAnswerMs })
        const load = startLoad(insistent, devices, String(round))
        await untilAcknowledged(load)
        await kill(server)
        await systemSleep(200)
        await untilWell(server)
        await untilAcknowledged(load)
        await load.stop()
        insistent.close()
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
      await untilWell(server)
      await checkNothingLost(client, load)
    })
  } finally {
    client.close()
    await server.stop().catch(() => undefined)
    await rm(dataDir, { recursive: true, force: true })
  }
})

/** What each connection came to, once it has ended. */
function connectTimes(count: number, server: TestServer): { ends: string[]; sockets: Socket[] } {
  const ends: string[] = []
  const { hostname, port } = new URL(server.url)
  const sockets = Array.from({ length: count }, () => {
    const socket = connect(Number(port), hostname, () => socket.write('hello'))
    let how = 'ended by the server'
    socket.on('error', (error: NodeJS.ErrnoException) => (how = String(error.code)))
    socket.on('close', () => ends.push(how))
    return socket.resume()
  })
  return { ends, sockets }
}

function countSockets(pid: number): number {
  const folder = `/proc/${pid}/fd`
  return readdirSync(folder).filter((name) => {
    try {
      return readlinkSync(`${folder}/${name}`).startsWith('socket:')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
      throw error
    }
  }).length
}

/** The state of a process, and how many clock ticks of processor time it has used. */
function statOf(pid: number): { state: string; ticks: number } {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ')
  return { state: fields[0]!, ticks: Number(fields[11]) + Number(fields[12]) }
}

/** Waits until the process has begun to work and does next to nothing: it waits for somebody. */
async function untilAtRest(pid: number): Promise<void> {
  const lately: number[] = []
  await waitUntil(`process ${pid} is at rest`, () => {
    lately.push(statOf(pid).ticks)
    const [before, now] = [lately.at(-30) ?? 0, lately.at(-1)!]
    return before > 20 && now - before <= 5
  })
}

/** Waits until every worker takes connections. */
async function untilAllListen(server: TestServer, count: number): Promise<void> {
  const options = { answerMs: shortAnswerMs }
  await waitUntil('every worker listens', async () => {
    const { text } = await askApart(server, (one) => scrape(one, server.adminToken), options)
    const names = text.matchAll(/^seaworthy_process_res\S*process="(worker-\d+)"/gm)
    return new Set([...names].map(([, name]) => name)).size === count
  })
}

test('O1 a connection that was given to a worker, which dies before it takes it, ends at once and is not kept', async () => {
  const server = await startTestServer({ workers: 2 })
  const sockets: Socket[] = []
  try {
    await untilAllListen(server, 2)
    const pids = await server.workerPids()
    const before = countSockets(server.pid)
    for (const pid of pids) process.kill(pid, 'SIGSTOP')
    const opened = connectTimes(6, server)
    sockets.push(...opened.sockets)
    await waitUntil('all are accepted', () => countSockets(server.pid) >= before + 6)
    for (const pid of pids) process.kill(pid, 'SIGKILL')
    await waitUntil(
      async () => `every connection ends; ${opened.ends.length} of 6 did`,
      () => opened.ends.length === 6,
    )
    await untilWell(server)
    await waitUntil(
      async () => `nothing is kept: ${countSockets(server.pid)} sockets, ${before} before`,
      () => countSockets(server.pid) <= before,
    )
  } finally {
    for (const socket of sockets) socket.destroy()
    await server.stop()
  }
})

test('O1 a worker that is killed while it asks its primary process to listen takes nobody with it', async () => {
  const server = await startTestServer({ workers: 2 })
  try {
    await untilAllListen(server, 2)
    const old = await server.workerPids()
    process.kill(old[0]!, 'SIGKILL')
    let fresh: number | undefined
    await waitUntil('a successor has begun, and knows what it is to do', async () => {
      fresh = (await server.workerPids()).find((pid) => !old.includes(pid))
      return fresh !== undefined && statOf(fresh).ticks > 10
    })
    process.kill(server.pid, 'SIGSTOP')
    try {
      await untilAtRest(fresh!)
      process.kill(fresh!, 'SIGKILL')
      await waitUntil('it is dead', () => statOf(fresh!).state === 'Z')
    } finally {
      process.kill(server.pid, 'SIGCONT')
    }
    await waitUntil('another one begins', async () => {
      const pids = await server.workerPids()
      return pids.length === 2 && !pids.includes(fresh!)
    })
    await untilWell(server)
  } finally {
    await server.stop()
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
