import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { open, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { DeviceReport } from '@seaworthy/api/device-self'
import type { TestServer } from '@seaworthy/server/testing'
import { createTestClient, digestReport, openTlsKey, scrape } from '@seaworthy/server/testing'
import { systemSleep } from '@seaworthy/std/time'
import type { Side } from './lib/check-in-side.ts'
import {
  connections,
  describe,
  measure,
  startSide,
  updatesAtOnce,
  workersCount,
} from './lib/check-in-side.ts'
import type { LoadOrder } from './lib/load.ts'
import type { Comparison } from './lib/measure.ts'
import { compareInPairs, medianOf, timed } from './lib/measure.ts'
import { addPeerTables } from './lib/peer.ts'
import { cpuSecondsOf, memoryMbOf, processTree } from './lib/processes.ts'

export const title =
  'check-ins of devices, durable and over TLS: against a bare JSON echo, a peer, and a million devices'

const rounds = 5
const fewCount = 1000
/** The most by which the closed load may differ before and after a round of latency. */
const steadyShare = 0.1
const manyCount = Number(process.env['SEAWORTHY_BENCH_DEVICES'] ?? 1_000_000)
/** A million devices, each once an hour. */
const hourlyPerSecond = 1_000_000 / 3600
const hourlyMs = Number(process.env['SEAWORTHY_BENCH_HOURLY_MS'] ?? 60_000)

type Log = (line: string) => void
type Echo = { port: number; process: ChildProcess }

const echoFile = new URL('lib/echo.fixture.ts', import.meta.url)
const peerFile = new URL('lib/peer.fixture.ts', import.meta.url)

async function startFixture(file: URL, ...args: string[]): Promise<Echo> {
  const child = spawn(process.execPath, [fileURLToPath(file), String(workersCount), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const text = await new Promise<Buffer>((resolve) => child.stdout.once('data', resolve))
  return { port: Number(text.toString()), process: child }
}

/**
 * Waits until the server has counted its devices, which takes it some twenty seconds with a
 * million.
 */
async function settle({ server }: Side): Promise<void> {
  for (;;) {
    const before = cpuSecondsOf(processTree(server.pid))
    await systemSleep(2000)
    if (cpuSecondsOf(processTree(server.pid)) - before < 0.2) return
  }
}

async function compareRates(
  log: Log,
  sides: { few: Side; many: Side; echo: Echo; tlsEcho: Echo; peer: Echo },
): Promise<Comparison[]> {
  const { few, many, echo, tlsEcho, peer } = sides
  const run = (name: string, pid: number, order: LoadOrder) => async () => {
    const result = await measure(pid, { ...order, warmUpMs: 500, durationMs: 2500 })
    describe(log, name, result)
    return result.perSecond
  }
  const { tokensFile: _, ...plain } = few.order
  const runs = {
    few: run('check-in, 1,000 devices', few.server.pid, few.order),
    echo: run('echo', echo.process.pid!, { ...plain, isTls: false, port: echo.port }),
    many: run(`check-in, ${manyCount} devices`, many.server.pid, many.order),
    tlsEcho: run('echo over TLS', tlsEcho.process.pid!, { ...plain, port: tlsEcho.port }),
    peer: run('peer', few.server.pid, { ...plain, isTls: false, port: peer.port }),
  }
  type Name = keyof typeof runs
  const compare = async (name: string, ours: Name, baseline: string, theirs: Name, min: number) => {
    const pair = await compareInPairs(runs[ours], runs[theirs], rounds)
    const target = `at least ${min}`
    return { name, baseline, unit: '/s', ...pair, target, isMet: pair.ratio >= min }
  }
  return [
    await compare('durable check-ins over TLS', 'few', 'bare node:http echo, no TLS', 'echo', 0.5),
    await compare('the same', 'few', 'the same echo over TLS', 'tlsEcho', 0.5),
    await compare('the same', 'few', "26 SELECTs and an upsert, a peer's check-in", 'peer', 20),
    await compare('with a million devices', 'many', 'with a thousand', 'few', 0.9),
  ]
}

/**
 * Measures several times and takes the median: a disk that stands still for a second spoils one of
 * them. Each time is at 80 % of what a closed load reached just before; when a closed load just
 * after differs, the machine has changed its pace meanwhile, and the round says nothing.
 */
async function measureLatency(log: Log, side: Side): Promise<Comparison> {
  const p99s: number[] = []
  const closed = async () => (await measure(side.server.pid, side.order)).perSecond
  let before = await closed()
  for (let tries = 0; p99s.length < rounds && tries < 4 * rounds; tries++) {
    const order = { ...side.order, perSecond: 0.8 * before, durationMs: 6000 }
    const probe = probeDisk(side.server.dataDir)
    const result = await measure(side.server.pid, order)
    const worst = await probe.stop()
    const after = await closed()
    const isSteady = Math.abs(after / before - 1) <= steadyShare
    describe(log, `open load of ${order.perSecond.toFixed(0)}/s`, result)
    log(
      `  the disk alone: slowest of one small durable write each 25 ms took ${worst.toFixed(0)} ms; closed load before ${before.toFixed(0)}/s, after ${after.toFixed(0)}/s${isSteady ? '' : ': not counted'}`,
    )
    before = after
    // A request that still waits at the end of a round has waited too long.
    if (isSteady) p99s.push(result.waitingCount === 0 ? result.p99Ms : Infinity)
  }
  if (p99s.length === 0) throw new Error('the machine never kept its pace for ten seconds')
  const ours = medianOf(p99s)
  return {
    name: 'p99 at 80 % of the rate just before, from when each should have been sent',
    baseline: 'limit of 50 ms',
    ours,
    theirs: 50,
    unit: 'ms',
    ratio: ours / 50,
    target: 'at most 1',
    isMet: ours <= 50,
  }
}

const ladder = [1, 8, 32, 64, 128, 256]
const ladderRatioMax = 2

/**
 * The gathering of batches holds nobody back: the median answer against what one durable write
 * takes under that load.
 */
async function measureLadder(log: Log, side: Side): Promise<Comparison[]> {
  const client = createTestClient(side.server)
  const readCommits = async () => {
    const { sum } = await scrape(client, side.server.adminToken)
    const name = 'seaworthy_check_in_commit_duration_seconds'
    return { count: sum(`${name}_count`), seconds: sum(`${name}_sum`) }
  }
  try {
    const comparisons: Comparison[] = []
    for (const count of ladder) {
      const before = await readCommits()
      const result = await measure(side.server.pid, { ...side.order, connections: count })
      const after = await readCommits()
      const commits = after.count - before.count
      const writeMs = (1000 * (after.seconds - before.seconds)) / commits
      describe(log, `${count} connections`, result)
      log(`  one durable write: ${writeMs.toFixed(1)} ms on average, of ${commits}`)
      const ratio = result.p50Ms / writeMs
      comparisons.push({
        name: `p50 with ${count} connections`,
        baseline: 'one durable write under that load',
        ours: result.p50Ms,
        theirs: writeMs,
        unit: 'ms',
        ratio,
        target: `at most ${ladderRatioMax}`,
        isMet: ratio <= ladderRatioMax,
      })
    }
    return comparisons
  } finally {
    client.close()
  }
}

/**
 * Measures the disk meanwhile: a few bytes written and synchronised again and again. Returns the
 * slowest, in ms.
 */
function probeDisk(folder: string): { stop(): Promise<number> } {
  let isOver = false
  const probing = (async () => {
    const file = await open(`${folder}/bench-probe`, 'w')
    let worst = 0
    while (!isOver) {
      const ms = await timed(async () => {
        await file.write(Buffer.alloc(512), 0, 512, 0)
        await file.datasync()
      })
      worst = Math.max(worst, ms)
      await systemSleep(25)
    }
    await file.close()
    return worst
  })()
  return {
    stop() {
      isOver = true
      return probing
    },
  }
}

function measureMemory(log: Log, { server }: Side): Comparison {
  const isWorker = (pid: number) =>
    readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('main.ts')
  const workers = processTree(server.pid).filter((pid) => pid !== server.pid && isWorker(pid))
  const each = workers.map(memoryMbOf)
  const database = processTree(server.pid)
    .filter((pid) => !isWorker(pid))
    .map(memoryMbOf)
    .reduce((sum, mb) => sum + mb, 0)
  log(
    `workers: ${each.map((mb) => mb.toFixed(0)).join(' and ')} MB; PostgreSQL with its cache: ${database.toFixed(0)} MB`,
  )
  const ours = each.reduce((sum, mb) => sum + mb, 0)
  return {
    name: 'memory of all workers at a million devices, shared pages once',
    baseline: 'limit of 1 GB',
    ours,
    theirs: 1024,
    unit: 'MB',
    ratio: ours / 1024,
    target: 'at most 1',
    isMet: ours <= 1024,
  }
}

/**
 * A million devices, each once an hour: over connections that stay, and over a new one each time as
 * devices really come.
 */
async function measureHourly(log: Log, side: Side, echo: Echo): Promise<Comparison> {
  const shares: Record<string, number> = {}
  for (const fresh of [undefined, 'resumed', 'new'] as const) {
    const order = {
      ...side.order,
      ...(fresh === undefined ? {} : { fresh }),
      connections: fresh === undefined ? connections : 1,
      perSecond: hourlyPerSecond,
      durationMs: hourlyMs,
    }
    const result = await measure(side.server.pid, order)
    const name = fresh ?? 'kept'
    shares[name] = (100 * result.serverMicros * hourlyPerSecond) / 1e6
    describe(log, `278/s, connections ${name}`, result)
    log(`  that is ${shares[name].toFixed(1)} % of one core`)
  }
  const { tokensFile: _, ...plain } = side.order
  const rate = { connections, perSecond: hourlyPerSecond, durationMs: hourlyMs }
  const bare = await measure(echo.process.pid!, {
    ...plain,
    ...rate,
    isTls: false,
    port: echo.port,
  })
  describe(log, '278/s, echo, no TLS', bare)
  log(`  that is ${((100 * bare.serverMicros * hourlyPerSecond) / 1e6).toFixed(1)} % of one core`)
  return {
    name: 'processor share for a million devices an hour, connections kept',
    baseline: 'limit of 10 % of one core',
    ours: shares['kept']!,
    theirs: 10,
    unit: '%',
    ratio: shares['kept']! / 10,
    target: 'at most 1',
    isMet: shares['kept']! <= 10,
  }
}

export async function run(log: Log): Promise<Comparison[]> {
  const few = await startSide(fewCount)
  const stops: (() => unknown)[] = [() => few.server.stop()]
  try {
    const startMs = performance.now()
    const many = await startSide(manyCount)
    stops.unshift(() => many.server.stop())
    log(
      `${manyCount} devices are registered (by SQL, ${((performance.now() - startMs) / 1000).toFixed(0)} s)`,
    )
    await settle(many)
    await addPeerTables(few.server)
    const sides = {
      few,
      many,
      echo: await startFixture(echoFile),
      tlsEcho: await startFixture(echoFile, ...(await writeCertificate(few.server))),
      peer: await startFixture(peerFile, few.server.dataDir),
    }
    for (const side of [sides.echo, sides.tlsEcho, sides.peer]) {
      stops.unshift(() => side.process.kill())
    }
    const comparisons = await compareRates(log, sides)
    const rungs = await measureLadder(log, few)
    const latency = await measureLatency(log, few)
    const memory = measureMemory(log, many)
    const hourly = await measureHourly(log, many, sides.echo)
    for (const side of [few, many]) await checkState(side)
    return [...comparisons, ...rungs, latency, memory, hourly]
  } finally {
    for (const stop of stops) await stop()
  }
}

/** The server's own key and certificate, for the echo over TLS. */
async function writeCertificate(server: TestServer): Promise<[string, string]> {
  const files: [string, string] = [`${server.dataDir}/echo.key`, `${server.dataDir}/echo.crt`]
  const db = server.openDatabase()
  try {
    const [row] = await db.reader.sql<{ value: string }[]>`
      select value from server_facts where name = 'certificate'`
    await writeFile(files[0], await openTlsKey(server), { mode: 0o600 })
    await writeFile(files[1], row!.value)
    return files
  } finally {
    await db.close()
  }
}

/**
 * The limit held, and the fast path was taken: every device still has the digest that it was loaded
 * with.
 */
async function checkState({ server, report }: Side & { report: DeviceReport }) {
  const db = server.openDatabase()
  try {
    const [row] = await db.reader.sql<{ unknown: number; updating: number }[]>`
      select (select count(*) from device_states where digest <> ${digestReport(report)}) as unknown,
        (select count(*) from updates) as updating`
    if (row?.unknown !== 0)
      throw new Error(`${row?.unknown} devices were not known by their digest`)
    if (row.updating !== updatesAtOnce)
      throw new Error(`${row.updating} devices were told to update`)
  } finally {
    await db.close()
  }
}
