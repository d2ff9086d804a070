import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import {
  createTestClient,
  publishRelease,
  pushRelease,
  setUpTrust,
  startTestServer,
} from '@seaworthy/server/testing'
import { addCrowd, idleReport } from './lib/device-crowd.ts'
import type { LoadOrder, LoadResult } from './lib/load.ts'
import { applyLoad, buildRequest, tokenMark } from './lib/load.ts'
import type { Comparison } from './lib/measure.ts'
import { medianOf, takeTurns } from './lib/measure.ts'
import { cpuSecondsOf, processTree } from './lib/processes.ts'

export const title = 'check-ins of devices: durable, over TLS, against a bare JSON echo'

const workersCount = 2
const rounds = 5
const connections = 128
const fewDevices = 1000

async function startEcho(...args: string[]): Promise<{ port: number; process: ChildProcess }> {
  const script = fileURLToPath(new URL('lib/echo.fixture.ts', import.meta.url))
  const child = spawn(process.execPath, [script, String(workersCount), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const text = await new Promise<Buffer>((resolve) => child.stdout.once('data', resolve))
  return { port: Number(text.toString()), process: child }
}

function describe(log: (line: string) => void, name: string, r: LoadResult, cpuSeconds: number) {
  const micros = (seconds: number) => `${((1e6 * seconds) / r.count).toFixed(1)} µs`
  log(
    `${name}: ${r.perSecond.toFixed(0)}/s, p50 ${r.p50Ms.toFixed(1)} ms, p99 ${r.p99Ms.toFixed(1)} ms; CPU for each: server ${micros(cpuSeconds)}, generator ${micros(r.cpuSeconds)}`,
  )
}

export async function run(log: (line: string) => void): Promise<Comparison[]> {
  const server = await startTestServer({ workers: workersCount })
  const client = createTestClient(server)
  const echo = await startEcho()
  try {
    const { signers } = await setUpTrust(client)
    const release = await pushRelease(client, server.adminToken, '1.0.0')
    await publishRelease(client, release, signers)
    const running = { product: 'acme', version: '1.0.0', sha256: release.sha256, counter: 1 }
    const report = idleReport(running, new Date())
    const crowd = await addCrowd(server, 'shops', report, fewDevices)
    const body = JSON.stringify({ report })
    const common = {
      connections,
      request: buildRequest('/v1/device/check-in', body, tokenMark),
      tokensFile: crowd.tokensFile,
      tokenBytes: crowd.tokenBytes,
      seed: 1,
      warmUpMs: 1000,
      durationMs: 4000,
    }
    const port = Number(new URL(server.url).port)
    const measure = async (name: string, pid: number, order: LoadOrder) => {
      const tree = processTree(pid)
      const before = cpuSecondsOf(tree)
      const result = await applyLoad(order)
      const used = cpuSecondsOf(tree) - before
      describe(log, name, result, used * (order.durationMs / (order.warmUpMs + order.durationMs)))
      return result
    }
    const times = await takeTurns(
      {
        ours: async () => {
          const result = await measure('check-in', server.pid, { ...common, port, isTls: true })
          return 1e6 / result.perSecond
        },
        theirs: async () => {
          const result = await measure('echo', echo.process.pid!, {
            ...common,
            port: echo.port,
            isTls: false,
          })
          return 1e6 / result.perSecond
        },
      },
      rounds,
    )
    const [ours, theirs] = [1e6 / medianOf(times.ours), 1e6 / medianOf(times.theirs)]
    return [
      {
        name: 'durable check-ins a second',
        baseline: 'bare node:http JSON echo without TLS',
        ours,
        theirs,
        unit: '/s',
        ratio: ours / theirs,
        target: 'at least 0.5',
        isMet: ours / theirs >= 0.5,
      },
    ]
  } finally {
    echo.process.kill()
    client.close()
    await server.stop()
  }
}
