/**
 * Updates while processes are killed. Everything that somebody was told is written into a ledger,
 * and the ledger is compared with the server; what lies on a device is compared with what was
 * signed, after every kill and after every update.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { TestAgent } from '@seaworthy/agent/testing'
import { killHard } from '@seaworthy/agent/testing'
import { showDevice } from '@seaworthy/api/devices'
import { createFleet, listFleets, setFleet } from '@seaworthy/api/fleets'
import { ProblemError } from '@seaworthy/api/problems'
import { showProposal } from '@seaworthy/api/proposals'
import type { TestDevice } from '@seaworthy/server/testing'
import {
  addDevice,
  carryOut,
  fetchCurrent,
  makeProvisioningKey,
  publishIntent,
  report,
  shortAnswerMs,
} from '@seaworthy/server/testing'
import { TransportError } from '@seaworthy/std/http'
import type { Random } from '@seaworthy/std/random'
import { randomBelow } from '@seaworthy/std/random'
import { waitUntil } from '@seaworthy/std/testing'
import { systemSleep } from '@seaworthy/std/time'
import { createCommandLine } from './program.ts'
import type { Installation, TestRelease } from './installation.ts'
import { buildInstallation, channel, product, readDevice } from './installation.ts'

export const victims = ['server', 'worker', 'postgres', 'fetcher', 'installer', 'agent'] as const
export type Victim = (typeof victims)[number]

export interface FireFigures {
  readonly releases: number
  readonly agents: number
  /** Updates that ended on the new release. */
  readonly committed: number
  /** Updates that were undone: their trial was cut short too often. */
  readonly rolledBack: number
  readonly kills: Readonly<Record<Victim, number>>
  readonly deviceChecks: number
  readonly acknowledged: {
    readonly proposals: number
    readonly fleets: number
    readonly devices: number
    readonly reports: number
  }
  /** Requests that ended in an error while something was down. */
  readonly failedRequests: number
  readonly logEntries: number
}

interface Ledger {
  readonly proposals: string[]
  readonly fleets: string[]
  readonly devices: TestDevice[]
  /** Highest acknowledged sequence of the test device that reports all the time. */
  reported: number
  failedRequests: number
}

export async function updateUnderFire(options: {
  readonly releases: number
  readonly agents: number
  readonly random: Random
  readonly tell: (line: string) => void
}): Promise<FireFigures> {
  const { random, tell } = options
  const installation = await buildInstallation({ workers: 2, answerMs: shortAnswerMs })
  const kills = Object.fromEntries(victims.map((name) => [name, 0])) as Record<Victim, number>
  const ledger: Ledger = { proposals: [], fleets: [], devices: [], reported: 0, failedRequests: 0 }
  const releases = new Map<string, TestRelease & { counter: number }>()
  const counters = new Map<TestAgent, number>()
  const totals = { committed: 0, rolledBack: 0, checks: 0 }
  const person = createCommandLine(join(installation.folder, 'person'))
  const check = async (agent: TestAgent) => {
    totals.checks++
    await checkDevice(agent, releases, counters)
  }
  let load: { stop: () => Promise<void> } | undefined
  try {
    await installation.client.api.call(setFleet, {
      params: { fleet: 'shops' },
      body: { pollSeconds: 1 },
    })
    const { url, pin } = installation.server
    await person.ok('login', url, '--pin', pin, '--token', installation.adminToken)
    await person.ok('log', 'verify')
    const agents: TestAgent[] = []
    for (let i = 0; i < options.agents; i++) {
      const agent = await installation.addAgent(`device-${i}`, { pollSeconds: 1 })
      agent.start()
      agents.push(agent)
    }
    load = await startLoad(installation, ledger)
    for (let i = 1; i <= options.releases; i++) {
      await awaitReady(installation)
      const release = await installation.buildRelease(`${i}.0.0`)
      const publishing = publishUnderFire(installation, release, ledger).then((counter) => {
        releases.set(release.sha256, { ...release, counter })
      })
      const struck: Victim[] = []
      for (let strikes = 1 + randomBelow(random, 2); strikes > 0; strikes--) {
        await systemSleep(random.fraction() * 2500)
        const victim = victims[randomBelow(random, victims.length)]!
        const agent = agents[randomBelow(random, agents.length)]!
        struck.push(victim)
        kills[victim]++
        await strike(installation, victim, agent, random)
        for (const one of agents) await check(one)
      }
      await publishing
      const { counter } = releases.get(release.sha256)!
      for (const agent of agents) {
        const outcome = await awaitOutcome(agent, release, counter)
        if (outcome === 'committed') totals.committed++
        else totals.rolledBack++
        await check(agent)
      }
      await checkLedger(installation, ledger, 20)
      tell(`release ${i}: killed ${struck.join(' and ')}`)
      // The last look at the log, below, is to find it grown.
      if (i % 10 === 0 && i < options.releases) {
        await awaitReady(installation)
        await person.ok('log', 'verify')
      }
    }
    await load.stop()
    load = undefined
    await awaitReady(installation)
    await checkLedger(installation, ledger, Number.POSITIVE_INFINITY)
    const reports = await checkReports(installation, agents, ledger)
    const logEntries = await checkLog(person, ledger)
    return {
      releases: options.releases,
      agents: options.agents,
      committed: totals.committed,
      rolledBack: totals.rolledBack,
      kills,
      deviceChecks: totals.checks,
      acknowledged: {
        proposals: ledger.proposals.length,
        fleets: ledger.fleets.length,
        devices: ledger.devices.length + agents.length,
        reports,
      },
      failedRequests: ledger.failedRequests,
      logEntries,
    }
  } finally {
    await load?.stop()
    await installation.stop()
  }
}

async function strike(
  installation: Installation,
  victim: Victim,
  agent: TestAgent,
  random: Random,
) {
  switch (victim) {
    case 'server':
      await installation.server.kill()
      return installation.restartServer()
    case 'worker': {
      const pids = await installation.server.workerPids()
      return pids.length > 0 ? killHard(pids[randomBelow(random, pids.length)]!) : undefined
    }
    case 'postgres':
      // It may just be on its way back from the last time.
      return killHard(
        await installation.server.postgresPid().catch(() => process.pid + 1_000_000_000),
      )
    case 'agent':
      agent.cutPower()
      return agent.start()
    case 'fetcher':
    case 'installer':
      for (const pid of agent.processes()[victim]) killHard(pid)
  }
}

/**
 * Proposes, signs and applies until the release is listed, as a person does whose server goes away
 * in between.
 */
async function publishUnderFire(
  installation: Installation,
  release: TestRelease,
  ledger: Ledger,
): Promise<number> {
  const path = `${product}/${channel}/${release.version}`
  for (;;) {
    try {
      const { roles } = await fetchCurrent(installation.client)
      const listed = roles.get(`${product}.${channel}`)!.signed.targets[path]
      if (listed) return (listed.custom!['seaworthy'] as { counter: number }).counter
      ledger.proposals.push(
        await carryOut(installation.client, publishIntent(release), installation.signers),
      )
    } catch {
      ledger.failedRequests++
      await systemSleep(100)
    }
  }
}

/**
 * Fleets, registrations and signed reports of a device, one after the other, until it is stopped.
 */
async function startLoad(
  installation: Installation,
  ledger: Ledger,
): Promise<{ stop: () => Promise<void> }> {
  let isStopped = false
  const repeat = async (pauseMs: number, attempt: (i: number) => Promise<void>) => {
    for (let i = 1; !isStopped; i++) {
      try {
        await attempt(i)
      } catch {
        // The request was not acknowledged: nothing was promised.
        ledger.failedRequests++
      }
      await systemSleep(pauseMs)
    }
  }
  const key = await makeProvisioningKey(installation.client, 10_000)
  const reporter = await addDevice(installation.client, installation.server.url, key)
  ledger.devices.push(reporter)
  const running = { product, version: '1.0.0', sha256: 'a'.repeat(64), counter: 1 }
  const lines = [
    repeat(200, async (i) => {
      const name = `load-${i}`
      await installation.client.api.call(createFleet, { body: { name, product, channel } })
      ledger.fleets.push(name)
    }),
    repeat(1000, async () => {
      ledger.devices.push(await addDevice(installation.client, installation.server.url, key))
    }),
    repeat(150, async (i) => {
      const reply = await report(installation.client, reporter, { sequence: i, running }, true)
      assert.equal(reply.acknowledgedSequence, i)
      ledger.reported = i
    }),
  ]
  return {
    async stop() {
      isStopped = true
      await Promise.all(lines)
    },
  }
}

/** Checks the whole promise about one device. */
async function checkDevice(
  agent: TestAgent,
  releases: ReadonlyMap<string, TestRelease & { counter: number }>,
  counters: Map<TestAgent, number>,
): Promise<void> {
  const disk = await readSettled(agent)
  if (disk.state === undefined) return
  const { committed, committedCounter } = disk.state
  const before = counters.get(agent) ?? 0
  assert.ok(committedCounter >= before, `the counter went from ${before} to ${committedCounter}`)
  counters.set(agent, committedCounter)
  if (disk.current === undefined) {
    assert.equal(committed, null, 'a device that has committed something runs something')
    return
  }
  const release = releases.get(disk.current)
  // The device may be faster than the publisher hears of it.
  if (release === undefined) return
  assert.deepEqual(disk.files, release.files, 'a whole release')
  assert.ok(release.counter >= committedCounter, 'nothing older than what was committed')
}

/**
 * Reads a device that switches releases meanwhile; what was read counts when it was the same before
 * and after.
 */
async function readSettled(agent: TestAgent): ReturnType<typeof readDevice> {
  for (let attempts = 0; ; attempts++) {
    try {
      const first = await readDevice(agent)
      const second = await readDevice(agent)
      if (first.current === second.current) return second
    } catch (error) {
      if (attempts > 20 || !(error instanceof Error && 'code' in error)) throw error
    }
  }
}

async function awaitOutcome(
  agent: TestAgent,
  release: TestRelease,
  counter: number,
): Promise<'committed' | 'rolled-back'> {
  let outcome: 'committed' | 'rolled-back' | undefined
  await waitUntil(
    async () =>
      `${release.version} on ${agent.stateDir}: ${JSON.stringify(await agent.status().catch(String))}\n${agent.log.slice(-20).join('')}`,
    async () => {
      const { state } = await readSettled(agent)
      if (state === undefined || state.update !== null) return false
      if (state.committedCounter >= counter) outcome = 'committed'
      else if (state.failed.some(({ sha256 }) => sha256 === release.sha256)) outcome = 'rolled-back'
      return outcome !== undefined
    },
  )
  return outcome!
}

async function awaitReady(installation: Installation): Promise<void> {
  const isReady = async () => {
    try {
      return (await installation.client.send('GET', '/readyz')).status === 200
    } catch {
      // It is not ready yet.
      return false
    }
  }
  await waitUntil(
    async () => `the server is well again\n${installation.server.log().slice(-4000)}`,
    isReady,
  )
}

/** Asks again while the server is on its way back; anything but unavailability is an answer. */
async function insist<T>(
  installation: Installation,
  ask: (api: Installation['client']['api']) => Promise<T>,
): Promise<T> {
  for (let attempts = 0; ; attempts++) {
    try {
      return await ask(installation.client.api)
    } catch (error) {
      const isAway =
        error instanceof TransportError || (error instanceof ProblemError && error.status === 503)
      if (!isAway || attempts > 600) throw error
      await systemSleep(100)
    }
  }
}

/** Checks that what was acknowledged is there; where there is much, the last `count`. */
async function checkLedger(
  installation: Installation,
  ledger: Ledger,
  count: number,
): Promise<void> {
  const acknowledged = structuredClone({ ...ledger, devices: ledger.devices.map(({ id }) => id) })
  for (const proposalId of acknowledged.proposals.slice(-count)) {
    const { view } = await insist(installation, (api) =>
      api.call(showProposal, { params: { proposalId } }),
    )
    assert.equal(view.state, 'applied', proposalId)
  }
  const names = new Set<string>()
  for (let after: string | undefined; ;) {
    const query = { limit: 1000, ...(after === undefined ? {} : { after }) }
    const page = await insist(installation, (api) => api.call(listFleets, { query }))
    for (const { name } of page.items) names.add(name)
    if (page.next === null) break
    after = page.next
  }
  assert.deepEqual(
    acknowledged.fleets.filter((name) => !names.has(name)),
    [],
  )
  for (const deviceId of acknowledged.devices.slice(-count)) {
    await insist(installation, (api) => api.call(showDevice, { params: { deviceId } }))
  }
  const deviceId = acknowledged.devices[0]!
  const { reports } = await insist(installation, (api) =>
    api.call(showDevice, { params: { deviceId } }),
  )
  const newest = Math.max(0, ...reports.map((one) => one.report.sequence))
  assert.ok(newest >= acknowledged.reported, `${newest} of ${acknowledged.reported} reports`)
}

/**
 * Checks every report that a device was told is durable, in the database itself. Returns how many.
 */
async function checkReports(
  installation: Installation,
  agents: readonly TestAgent[],
  ledger: Ledger,
): Promise<number> {
  const db = installation.server.openDatabase()
  try {
    const stored = async (device: string) => {
      const rows = await db.reader.sql<{ sequence: string }[]>`
        select sequence from device_reports where device = ${device}`
      return new Set(rows.map(({ sequence }) => Number(sequence)))
    }
    assert.ok((await stored(ledger.devices[0]!.id)).has(ledger.reported))
    let count = ledger.reported
    for (const agent of agents) {
      const { state } = await readSettled(agent)
      const pending = new Set(state!.outbox.map(({ sequence }) => sequence))
      const known = await stored(state!.deviceId!)
      for (let sequence = 1; sequence <= state!.sequence; sequence++) {
        if (pending.has(sequence)) continue
        assert.ok(known.has(sequence), `report ${sequence} of ${agent.stateDir}`)
        count++
      }
    }
    return count
  } finally {
    await db.close()
  }
}

/**
 * Checks that the log is the one it was at the beginning, grown, and has an entry for everything
 * acknowledged.
 */
async function checkLog(
  person: ReturnType<typeof createCommandLine>,
  ledger: Ledger,
): Promise<number> {
  await systemSleep(2000)
  const { verdict, entries } = await person.json<{
    verdict: string
    entries: { entry: { action: string; subject: string; outcome: string } }[]
  }>('log', 'verify', '--since', '0', '--entries')
  assert.equal(verdict, 'extended')
  const done = new Set(
    entries
      .filter(({ entry }) => entry.outcome === 'done')
      .map(({ entry }) => `${entry.action} ${entry.subject}`),
  )
  const promised = [
    ...ledger.proposals.map((id) => `proposal.apply ${id}`),
    ...ledger.fleets.map((name) => `fleet.create ${name}`),
    ...ledger.devices.map(({ id }) => `device.register ${id}`),
  ]
  assert.deepEqual(
    promised.filter((line) => !done.has(line)),
    [],
    'every acknowledged action is in the log',
  )
  return entries.length
}
