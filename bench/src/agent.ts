/**
 * The device's agent, packaged as it is shipped: what it costs while nothing happens, whether its
 * memory grows with the release, and how long an update takes beyond what download and start of the
 * application take anyway.
 */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { randomFillSync } from 'node:crypto'
import { closeSync, createWriteStream, openSync, readFileSync, writeSync } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { buildAgent } from '@seaworthy/agent/build'
import type { TestAgent, TestOrigin } from '@seaworthy/agent/testing'
import {
  createTestAgent,
  makeTestFolder,
  writeTestApp,
  startTestOrigin,
} from '@seaworthy/agent/testing'
import { claimPort } from '@seaworthy/std/testing/ports'
import { waitUntil } from '@seaworthy/std/testing'
import type { Comparison } from './lib/measure.ts'
import { medianOf, timed } from './lib/measure.ts'

export const title =
  "the device agent's idle memory, memory while installing, and time of an update"

const idleMs = 60_000
const idleMbMax = 90
const growthMax = 1.2
const overheadSecondsMax = 2
const mb = 1024 * 1024

interface Memory {
  rss: number
  anonymous: number
  file: number
  peak: number
}

function readMemory(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8')
  const read = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) / 1024
  return {
    rss: read('VmRSS'),
    anonymous: read('RssAnon'),
    file: read('RssFile'),
    peak: read('VmHWM'),
  }
}

/** Memory of several processes: pages that they share count once, the program itself above all. */
function together(memories: readonly Memory[]): number {
  const anonymous = memories.reduce((sum, memory) => sum + memory.anonymous, 0)
  return anonymous + Math.max(...memories.map(({ file }) => file))
}

const sleep = (ms: number) =>
  new Promise((resolve) => {
    setTimeout(resolve, ms)
  })

/** Writes an application beside `bytes` that do not compress. */
function writeApp(folder: string, version: string, bytes: number): string {
  writeTestApp(folder, version, 'healthy', { windowSeconds: 1 })
  const piece = new Uint8Array(mb)
  const file = openSync(`${folder}/data.bin`, 'w')
  for (let written = 0; written < bytes; written += piece.length)
    writeSync(file, randomFillSync(piece))
  closeSync(file)
  return folder
}

interface World {
  folder: string
  origin: TestOrigin
  agent: TestAgent
  supervisor: ChildProcess
}

async function withAgent<T>(
  main: string,
  bytes: number,
  action: (world: World) => Promise<T>,
): Promise<T> {
  const folder = makeTestFolder()
  const origin = await startTestOrigin(folder.path)
  const agent = await createTestAgent(`${folder.path}/device`, origin)
  await origin.release('1.0.0', writeApp(`${folder.path}/app-1`, '1.0.0', bytes))
  const options = ['run', '--config', agent.configPath, '--state-dir', agent.stateDir]
  const supervisor = spawn(process.execPath, [main, ...options], { stdio: 'ignore' })
  try {
    await waitUntil(
      'release 1 committed',
      () => origin.reports.at(-1)?.report.committedCounter === 1,
      300_000,
    )
    return await action({ folder: folder.path, origin, agent, supervisor })
  } finally {
    supervisor.kill('SIGTERM')
    await new Promise((resolve) => supervisor.once('exit', resolve))
    agent.cutPower()
    await origin.close()
    folder.remove()
  }
}

function memoriesOf(agent: TestAgent): Memory[] {
  const { installer, fetcher } = agent.processes()
  return [...installer, ...fetcher].map(readMemory)
}

async function measureBareNodes(): Promise<number> {
  const nodes = [1, 2].map(() =>
    spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'ignore' }),
  )
  await sleep(3000)
  const memories = nodes.map((node) => readMemory(node.pid!))
  for (const node of nodes) node.kill('SIGKILL')
  return together(memories)
}

async function measureIdle(main: string, log: (line: string) => void): Promise<Comparison> {
  const theirs = await measureBareNodes()
  return withAgent(main, mb, async ({ agent }) => {
    await sleep(idleMs)
    const memories = memoriesOf(agent)
    const [installer, fetcher] = memories
    const describe = ({ rss, anonymous }: Memory) =>
      `${rss.toFixed(0)} MB resident, ${anonymous.toFixed(0)} MB of its own`
    log(`idle: installer ${describe(installer!)}; fetcher ${describe(fetcher!)}`)
    const ours = together(memories)
    return {
      name: 'idle memory of both processes, shared pages once',
      baseline: 'two Nodes that do nothing',
      ours,
      theirs,
      unit: 'MB',
      ratio: ours / theirs,
      target: `at most ${idleMbMax} MB`,
      isMet: ours <= idleMbMax,
    }
  })
}

async function measurePeak(
  main: string,
  bytes: number,
  log: (line: string) => void,
): Promise<number> {
  return withAgent(main, bytes, async ({ agent }) => {
    const [installer, fetcher] = memoriesOf(agent)
    log(
      `peak while installing ${bytes / mb} MB: installer ${installer!.peak.toFixed(0)} MB, fetcher ${fetcher!.peak.toFixed(0)} MB`,
    )
    return installer!.peak + fetcher!.peak
  })
}

async function measureGrowth(main: string, log: (line: string) => void): Promise<Comparison> {
  // Below some 200 MB, buffers and garbage have not reached their full size yet: that is no growth
  // with the release.
  const theirs = await measurePeak(main, 250 * mb, log)
  const ours = await measurePeak(main, 1000 * mb, log)
  return {
    name: 'peak memory installing 1,000 MB',
    baseline: 'installing 250 MB',
    ours,
    theirs,
    unit: 'MB',
    ratio: ours / theirs,
    target: `at most ${growthMax}`,
    isMet: ours / theirs <= growthMax,
  }
}

/**
 * The unavoidable part: the bytes over the wire into a file, and the start of the application until
 * it answers.
 */
async function downloadAndStart(
  origin: TestOrigin,
  digest: string,
  source: string,
  folder: string,
): Promise<number> {
  const port = await claimPort()
  let app: ChildProcess | undefined
  const ms = await timed(async () => {
    const response = await fetch(`${origin.url}/v2/${origin.product}/blobs/${digest}`)
    await pipeline(response.body!, createWriteStream(`${folder}/plain.bin`))
    app = spawn(process.execPath, ['app.mjs'], {
      cwd: source,
      env: { PORT: String(port) },
      stdio: 'ignore',
    })
    await waitUntil('it answers', async () => {
      try {
        return (await fetch(`http://127.0.0.1:${port}/health`)).ok
      } catch {
        return false
      }
    })
  })
  app?.kill('SIGKILL')
  return ms
}

async function measureUpdates(main: string, log: (line: string) => void): Promise<Comparison> {
  return withAgent(main, mb, async ({ folder, origin, agent }) => {
    const ours: number[] = []
    const theirs: number[] = []
    for (let n = 2; n <= 6; n++) {
      const version = `${n}.0.0`
      const source = writeApp(`${folder}/app-${n}`, version, 50 * mb)
      const { layer } = await origin.release(version, source)
      theirs.push(await downloadAndStart(origin, layer.digest, source, folder))
      ours.push(
        await timed(async () => {
          await agent.updateNow()
          await waitUntil(
            `${version} answers`,
            async () => (await agent.readVersion())?.startsWith(version) === true,
          )
        }),
      )
      await waitUntil('committed', () => origin.reports.at(-1)?.report.committedCounter === n)
    }
    log(`updates of 50 MB: ${ours.map((ms) => (ms / 1000).toFixed(1)).join(', ')} s`)
    const [own, plain] = [medianOf(ours), medianOf(theirs)]
    return {
      name: 'from assignment to the new version answering, 50 MB',
      baseline: 'download and start alone',
      ours: own,
      theirs: plain,
      unit: 'ms',
      ratio: own / plain,
      target: `at most ${overheadSecondsMax} s more`,
      isMet: own - plain <= overheadSecondsMax * 1000,
    }
  })
}

export async function run(log: (line: string) => void): Promise<Comparison[]> {
  const folder = makeTestFolder()
  try {
    const { file, bytes } = await buildAgent(folder.path)
    log(`packaged agent: one file of ${(bytes / 1024).toFixed(0)} KiB`)
    return [
      await measureIdle(file, log),
      await measureUpdates(file, log),
      await measureGrowth(file, log),
    ]
  } finally {
    folder.remove()
  }
}
