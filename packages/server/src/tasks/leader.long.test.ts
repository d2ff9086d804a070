/**
 * Two servers on one database and one store, killed, cut off and frozen again and again under load.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRollout } from '@seaworthy/api/rollouts'
import { randomBelow, seededRandom } from '@seaworthy/std/random'
import { systemSleep } from '@seaworthy/std/time'
import { lockKeys } from '../db/lock-keys.ts'
import type { DatabaseLink, TestClient, TestServer } from '../testing/index.ts'
import {
  createTestClient,
  fillFleet,
  freezeReplica,
  killReplica,
  policyOf,
  publishAll,
  setUpTrust,
  shortAnswerMs,
  startReplicaLoad,
  startSharedServices,
  waveOf,
} from '../testing/index.ts'

const seed = Number(process.env['SEED'] ?? 1)
const roundsMax = 12
const limit = 3
const takeOverMaxMs = 5000

interface Replica {
  readonly name: string
  readonly link: DatabaseLink
  readonly server: TestServer
  readonly client: TestClient
  /** Asks whether the server is well, with little patience. */
  readonly probe: TestClient
}

test(`O1 servers killed, cut off and frozen in turn lose nothing and overshoot nothing (SEED=${seed})`, async (t) => {
  const services = await startSharedServices()
  const database = services.openDatabase()
  const started: TestServer[] = []
  const probes: TestClient[] = []
  let adminToken = ''
  const start = async (name: string, link: DatabaseLink): Promise<Replica> => {
    const server = await services.startReplica(name, link)
    started.push(server)
    if (adminToken === '') ({ adminToken } = server)
    const place = { ...server, adminToken }
    // A connection that hangs, as one to a process that was frozen may, is no answer.
    const probe = createTestClient(place, { answerMs: shortAnswerMs })
    probes.push(probe)
    return { name, link, server, client: createTestClient(place), probe }
  }
  const isWell = (client: TestClient) =>
    client.send('GET', '/readyz').then(
      ({ status }) => status === 200,
      () => false,
    )
  const until = async (what: string, maxMs: number, isSo: () => Promise<boolean>) => {
    const startedMs = performance.now()
    while (!(await isSo())) {
      assert.ok(performance.now() - startedMs < maxMs, `${what} within ${maxMs} ms`)
      await systemSleep(50)
    }
  }
  /** Finds the PostgreSQL process of the session that leads. */
  const findLeaderPid = async () => {
    const [row] = await database.reader.sql<{ pid: number }[]>`
      select pid from pg_locks where locktype = 'advisory' and objid = ${lockKeys.leader}::int::oid and granted`
    return row?.pid
  }
  t.after(async () => {
    for (const probe of probes) probe.close()
    for (const server of started) await server.kill()
    await database.close()
    await services.stop()
  })

  const first = await start('a', await services.openLink())
  const { signers } = await setUpTrust(first.client)
  let replicas = [first, await start('b', await services.openLink())]
  const [release] = await publishAll(first.client, adminToken, signers, ['1.0.0'])
  const devices = await fillFleet(first.client, first.server.url, 8)
  await first.client.api.call(createRollout, {
    body: {
      fleet: 'shops',
      version: '1.0.0',
      policy: policyOf({ waves: [waveOf({ kind: 'count', count: limit })] }),
    },
  })
  const load = startReplicaLoad(devices, () => replicas)
  t.after(() => load.stop())
  const random = seededRandom(seed)
  for (let round = 0; round < roundsMax; round++) {
    const index = randomBelow(random, 2)
    const victim = replicas[index]!
    const other = replicas[1 - index]!
    const fault = (['kill', 'cut', 'freeze'] as const)[randomBelow(random, 3)]!
    const what = `round ${round}: ${fault} ${victim.name}`
    if (fault === 'kill') {
      await killReplica(victim.server)
    } else if (fault === 'cut') {
      victim.link.cut()
    }
    const thaw = fault === 'freeze' ? await freezeReplica(victim.server) : undefined
    // Whoever led before, a replica other than the victim leads now, and goes on leading.
    await systemSleep(takeOverMaxMs)
    const pid = await findLeaderPid()
    assert.ok(pid !== undefined, what)
    assert.ok(await isWell(other.client), what)
    await systemSleep(randomBelow(random, 1500))
    assert.equal(await findLeaderPid(), pid, what)
    thaw?.()
    victim.link.restore()
    if (fault === 'kill') {
      const back = await start(victim.name, victim.link)
      replicas = index === 0 ? [back, other] : [other, back]
    }
    const before = load.acknowledgedCount()
    await until(`${what}: all are well`, 120_000, async () => {
      const well = await Promise.all(replicas.map(({ probe }) => isWell(probe)))
      return well.every(Boolean)
    })
    await until(
      `${what}: load goes on`,
      120_000,
      async () => load.acknowledgedCount() > before + 20,
    )
  }
  await load.stop()
  await load.check(database, release!.sha256)
  assert.equal(load.toldCount(), limit)
  t.diagnostic(
    `${load.acknowledgedCount()} acknowledged reports, ${load.mistakes().length} answers of 5xx or refusals`,
  )
})
