import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createToken } from '@seaworthy/api/tokens'
import { createTestClient } from '@seaworthy/server/testing'
import { openWorker } from '@seaworthy/server/testing/open-worker'
import { startSide } from './lib/check-in-side.ts'
import type { LoadOrder } from './lib/load.ts'
import { applyLoad, tokenMark } from './lib/load.ts'
import type { Comparison } from './lib/measure.ts'
import { compareInPairs } from './lib/measure.ts'
import { cpuSecondsOf, processTree } from './lib/processes.ts'

export const title = 'what it costs a request to be asked who it is and what it may do'

const devicesCount = 1000
/** Enough that none of them spends its budget of requests. */
const tokensCount = 16
/** Many short rounds: the processors' pace differs by a fifth from one second to the next. */
const rounds = 21
const ratioMax = 1.05

export async function run(log: (line: string) => void): Promise<Comparison[]> {
  const { server, devices, order } = await startSide(devicesCount)
  const folder = await mkdtemp(join(tmpdir(), 'seaworthy-bench-'))
  const client = createTestClient(server)
  try {
    const tokens: string[] = []
    for (let i = 0; i < tokensCount; i++) {
      const body = { name: `reader-${i}`, role: 'viewer', lifetimeSeconds: 86_400 } as const
      tokens.push((await client.api.call(createToken, { body })).token)
    }
    const tokensFile = join(folder, 'tokens')
    await writeFile(tokensFile, tokens.join(''))
    const [token] = tokens as [string]
    const worker = await openWorker(server, { token, deviceIds: devices.ids })
    try {
      const postgres = await server.postgresPid()
      const load = { connections: 16, warmUpMs: 200, durationMs: 1000 }
      const page = ['GET /v1/devices?limit=100 HTTP/1.1', 'Host: 127.0.0.1']
      const authorization = `Authorization: Bearer ${tokenMark}`
      const requests: Readonly<Record<string, LoadOrder>> = {
        'a page of 100 devices for a token': {
          ...{ ...order, ...load, tokensFile, tokenBytes: token.length },
          request: `${[...page, authorization].join('\r\n')}\r\n\r\n`,
        },
        'a check-in of a device': { ...order, ...load },
      }
      const comparisons: Comparison[] = []
      for (const [name, request] of Object.entries(requests)) {
        const at = (port: number) => async () => microsOf({ ...request, port }, postgres)
        const paired = await compareInPairs(at(worker.guardedPort), at(worker.openPort), rounds)
        log(`${name}: ${paired.ours.toFixed(0)} and ${paired.theirs.toFixed(0)} µs`)
        comparisons.push({
          ...paired,
          name: `processor time for ${name}`,
          baseline: 'the same endpoint without authentication and authorization',
          unit: 'µs',
          target: `at most ${ratioMax}`,
          isMet: paired.ratio <= ratioMax,
        })
      }
      return comparisons
    } finally {
      await worker.stop()
    }
  } finally {
    client.close()
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

/** Processor time for each request, of the worker in this process and of PostgreSQL. */
async function microsOf(order: LoadOrder, postgres: number): Promise<number> {
  const usedSeconds = () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1e6 + cpuSecondsOf(processTree(postgres))
  }
  const before = usedSeconds()
  const { count, seconds } = await applyLoad(order)
  const all = usedSeconds() - before
  const share = (seconds * 1000) / (order.warmUpMs + seconds * 1000)
  return (1e6 * all * share) / count
}
