/** Two whole servers on one PostgreSQL and one object store: nothing else coordinates them. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createFleet } from '@seaworthy/api/fleets'
import { createRollout } from '@seaworthy/api/rollouts'
import { digestOf } from '@seaworthy/oci/digests'
import { seededRandom } from '@seaworthy/std/random'
import { systemSleep } from '@seaworthy/std/time'
import { lockKeys } from '../db/lock-keys.ts'
import type { Db } from '../db/connection.ts'
import type { DatabaseLink, SharedServices, TestClient, TestServer } from '../testing/index.ts'
import {
  createTestClient,
  fillFleet,
  killReplica,
  policyOf,
  publishAll,
  setUpTrust,
  startReplicaLoad,
  startSharedServices,
  waitForRollout,
  waveOf,
} from '../testing/index.ts'

interface Replica {
  readonly name: string
  readonly link: DatabaseLink
  server: TestServer
  client: TestClient
}

/**
 * A take-over takes up to five seconds (RFD 8) on a machine that keeps its pace, and a machine that
 * does not is waited for. What a test measured, it tells.
 */
const takeOverMaxMs = 60_000
const limit = 3

let services: SharedServices
let database: Db
let replicas: [Replica, Replica]
let adminToken: string
const servers: TestServer[] = []

async function startReplica(name: string, link: DatabaseLink): Promise<Replica> {
  const server = await services.startReplica(name, link)
  servers.push(server)
  return { name, link, server, client: createTestClient(server) }
}

/** Signs in with the token of the first administrator. */
function signIn(replica: Replica): Replica {
  replica.client.close()
  const client = createTestClient({ ...replica.server, adminToken })
  return { ...replica, client }
}

const readStatus = (client: TestClient, path = '/readyz') =>
  client.send('GET', path).then(
    ({ status }) => status,
    () => 0,
  )

async function until(what: string, maxMs: number, isSo: () => Promise<boolean>): Promise<number> {
  const startedMs = performance.now()
  while (!(await isSo())) {
    assert.ok(performance.now() - startedMs < maxMs, `${what} within ${maxMs} ms`)
    await systemSleep(25)
  }
  return performance.now() - startedMs
}

/** Counts the sessions that hold the leader lock. */
async function countLeaders(): Promise<number> {
  const rows = await database.reader.sql`
    select 1 from pg_locks where locktype = 'advisory' and objid = ${lockKeys.leader}::int::oid and granted`
  return rows.length
}

/** A leader that a busy machine kept from its signs of life is followed by another one. */
const untilOneLeads = () =>
  until('one leader', takeOverMaxMs, async () => (await countLeaders()) === 1)

const countLeads = ({ server }: Replica) => server.log().split('"tasks.leading"').length - 1

/** Finds the replica that began to lead last, by its own log. */
function findLeader(): { leader: Replica; other: Replica } {
  const lastAt = ({ server }: Replica) => {
    const lines = server.log().split('\n')
    const line = lines.findLast((text) => text.includes('"tasks.leading"'))
    return line === undefined ? '' : (JSON.parse(line) as { at: string }).at
  }
  const [a, b] = replicas
  return lastAt(a) > lastAt(b) ? { leader: a, other: b } : { leader: b, other: a }
}

async function readLogSize(client: TestClient): Promise<number> {
  const { bytes } = await client.send('GET', '/log/checkpoint')
  return Number(Buffer.from(bytes).toString().split('\n')[1])
}

before(async () => {
  services = await startSharedServices()
  database = services.openDatabase()
})

after(async () => {
  for (const { client } of replicas ?? []) client.close()
  for (const server of servers) await server.stop().catch(() => undefined)
  await database.close()
  await services.stop()
})

test('two servers that start at once on an empty database agree on everything', async () => {
  const links = [await services.openLink(), await services.openLink()] as const
  replicas = await Promise.all([startReplica('a', links[0]), startReplica('b', links[1])])
  const [a, b] = replicas
  assert.equal(a.server.pin, b.server.pin)
  for (const { client } of replicas) assert.equal(await readStatus(client), 200)
  const started = await database.reader.sql`
    select 1 from audit_entries where convert_from(entry, 'UTF8') like '%server.first-start%'`
  assert.equal(started.length, 1)
  const secrets = await database.reader
    .sql`select name from secrets group by name having count(*) > 1`
  assert.deepEqual([...secrets], [])
  await untilOneLeads()

  // Each start before the first sign-in replaces the token of the one before.
  const statuses = await Promise.all(
    replicas.map(({ client, server }) =>
      client.send('GET', '/v1/fleets', { token: server.adminToken }).then(({ status }) => status),
    ),
  )
  assert.deepEqual(
    statuses.toSorted((a, b) => a - b),
    [200, 401],
  )
  adminToken = replicas[statuses.indexOf(200)]!.server.adminToken
  replicas = [signIn(a), signIn(b)]
})

test('content that one server took is served by the other, and an upload may change servers with every piece', async () => {
  const [a, b] = replicas
  const bytes = seededRandom(4).bytes(300_000)
  const digest = digestOf(bytes)
  const send = (
    { client }: Replica,
    method: string,
    path: string,
    body = new Uint8Array(),
    from = 0,
  ) =>
    client.send(method, path, {
      token: adminToken,
      body,
      headers: {
        'content-type': 'application/octet-stream',
        'content-length': String(body.length),
        ...(method === 'PATCH' ? { 'content-range': `${from}-${from + body.length - 1}` } : {}),
      },
    })
  const begun = await send(a, 'POST', '/v2/acme/blobs/uploads/')
  assert.equal(begun.status, 202)
  const place = (headers: Readonly<Record<string, string>>) => {
    const { pathname, search } = new URL(headers['location']!, a.server.url)
    return pathname + search
  }
  const first = await send(b, 'PATCH', place(begun.headers), bytes.subarray(0, 100_000))
  assert.equal(first.status, 202)
  const second = await send(a, 'PATCH', place(first.headers), bytes.subarray(100_000), 100_000)
  assert.equal(second.status, 202)
  const last = place(second.headers)
  const done = await send(b, 'PUT', `${last}${last.includes('?') ? '&' : '?'}digest=${digest}`)
  assert.equal(done.status, 201)
  const served = await a.client.send('GET', `/v2/acme/blobs/${digest}`, { token: adminToken })
  assert.equal(digestOf(served.bytes), digest)
})

test('O1 replica killed under load: nothing acknowledged is lost, nobody is told two things, the other takes over', async (t) => {
  const [a] = replicas
  const { signers } = await setUpTrust(a.client)
  const [release] = await publishAll(a.client, adminToken, signers, ['1.0.0'])
  const devices = await fillFleet(a.client, a.server.url, 8)
  const { id } = await a.client.api.call(createRollout, {
    body: {
      fleet: 'shops',
      version: '1.0.0',
      policy: policyOf({ waves: [waveOf({ kind: 'count', count: limit })] }),
    },
  })
  const { leader, other } = findLeader()
  const load = startReplicaLoad(devices, () => replicas)
  t.after(() => load.stop())
  await until('load', takeOverMaxMs, async () => load.acknowledgedCount() > 60)

  const leadsBefore = countLeads(other)
  await killReplica(leader.server)
  const killedAtMs = performance.now()
  const sizeBefore = await readLogSize(other.client)
  await other.client.api.call(createFleet, {
    body: { name: 'after-the-kill', product: 'acme', channel: 'stable' },
  })
  await until('another leader', takeOverMaxMs, async () => {
    assert.equal(await readStatus(other.client), 200, 'the other one is well all the time')
    return countLeads(other) > leadsBefore
  })
  await until(
    'a longer log',
    takeOverMaxMs,
    async () => (await readLogSize(other.client)) > sizeBefore,
  )
  const tookMs = Math.round(performance.now() - killedAtMs)
  t.diagnostic(`another server led and had signed ${tookMs} ms after kill -9`)

  await until('load goes on', takeOverMaxMs, async () => load.acknowledgedCount() > 200)
  await load.stop()
  await load.check(database, release!.sha256)
  const rollout = await waitForRollout(other.client, id, () => true)
  const [wave] = rollout.waves
  assert.equal(load.toldCount(), limit, 'exactly as many devices were told as the wave takes')
  assert.equal(wave!.inFlightCount, limit)

  // The killed replica comes back with its old memory of the log, and the other need not notice.
  const back = signIn(await startReplica(leader.name, leader.link))
  replicas = leader === replicas[0] ? [back, replicas[1]] : [replicas[0], back]
  for (const { client } of replicas) assert.equal(await readStatus(client), 200)
  await untilOneLeads()
})

test('O1 a leader cut off from PostgreSQL stops leading, keeps no lock, and comes back by itself', async (t) => {
  const { leader, other } = findLeader()
  const leadsBefore = countLeads(other)
  const sizeBefore = await readLogSize(other.client)
  leader.link.cut()
  const tookMs = await until(
    'another leader',
    takeOverMaxMs,
    async () => countLeads(other) > leadsBefore,
  )
  t.diagnostic(`another server led ${Math.round(tookMs)} ms after the cut`)
  await other.client.api.call(createFleet, {
    body: { name: 'after-the-cut', product: 'acme', channel: 'stable' },
  })
  await until(
    'a longer log',
    takeOverMaxMs,
    async () => (await readLogSize(other.client)) > sizeBefore,
  )
  await untilOneLeads()
  assert.equal(await readStatus(leader.client), 503, 'a load balancer sends nobody there')
  assert.match(leader.server.log(), /tasks\.leadership-lost/)
  leader.link.restore()
  await until(
    'it is well again',
    takeOverMaxMs,
    async () => (await readStatus(leader.client)) === 200,
  )
  await untilOneLeads()
  const answer = await leader.client.send('GET', '/v1/fleets', { token: adminToken })
  assert.equal(answer.status, 200)
})

test('O1 both go and one comes back: it leads', async () => {
  const [a, b] = replicas
  await Promise.all([killReplica(a.server), killReplica(b.server)])
  const back = signIn(await startReplica(b.name, b.link))
  replicas = [a, back]
  await until('a leader', takeOverMaxMs, async () => countLeads(back) === 1)
  assert.equal(await readStatus(back.client), 200)
})

test('T9 an older log in the database is noticed by every server, and the one that takes over does not sign it', async () => {
  const [, survivor] = replicas
  const joined = signIn(await startReplica('c', await services.openLink()))
  replicas = [survivor, joined]
  const old = await database.readSnapshot(async ({ sql }) => ({
    state: await sql`select * from log_state`,
    tiles: await sql`select * from log_tiles`,
  }))
  const sizeBefore = await readLogSize(joined.client)
  await joined.client.api.call(createFleet, {
    body: { name: 'forgotten', product: 'acme', channel: 'stable' },
  })
  await until(
    'a longer log',
    takeOverMaxMs,
    async () => (await readLogSize(joined.client)) > sizeBefore,
  )
  for (const { name, server } of replicas) {
    await until(`${name} has seen it`, takeOverMaxMs, async () => {
      const file = join(server.dataDir, 'log-checkpoint')
      const seen = await readFile(file, 'utf8').catch(() => '')
      return Number(seen.split('\n')[1]) > sizeBefore
    })
  }
  await database.write(async ({ sql }) => {
    await sql`delete from log_tiles`
    await sql`insert into log_tiles ${sql(old.tiles)}`
    await sql`delete from log_state`
    await sql`insert into log_state ${sql(old.state)}`
    await sql`delete from audit_entries where leaf_index >= ${sizeBefore}`
  })
  for (const { client } of replicas) {
    await until('it says so', takeOverMaxMs, async () => {
      const { status, bytes } = await client.send('GET', '/readyz')
      return status === 503 && Buffer.from(bytes).includes('log_truncated')
    })
  }
  const { leader, other } = findLeader()
  const leadsBefore = countLeads(other)
  await killReplica(leader.server)
  await until('another leader', takeOverMaxMs, async () => countLeads(other) > leadsBefore)
  await systemSleep(2000)
  assert.equal(await readLogSize(other.client), sizeBefore)
})
