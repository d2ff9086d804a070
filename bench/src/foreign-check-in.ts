import type { TestServer } from '@seaworthy/server/testing'
import {
  createTestClient,
  publishOsImage,
  pushOsImage,
  setUpTrust,
  startTestServer,
} from '@seaworthy/server/testing'
import { createFleet } from '@seaworthy/api/fleets'
import { idleReport } from './lib/device-fleet.ts'
import type { ForeignFleet, Protocol } from './lib/foreign-fleet.ts'
import { addForeignFleet } from './lib/foreign-fleet.ts'
import { applyLoad } from './lib/load.ts'
import type { Comparison } from './lib/measure.ts'
import { compareInPairs, medianOf } from './lib/measure.ts'
import { cpuSecondsOf, processTree } from './lib/processes.ts'

export const title =
  'check-ins of devices that speak DDI and Omaha: 100,000 of each, or a million, against 10,000'

const workersCount = 2
const rounds = 5
const connections = 256
const warmUpMs = 500
const durationMs = 2500
/**
 * The time in which the server gets to know its devices: a worker reads once which device holds a
 * token, and knows it from then on. Nearly all of 100,000 devices are known after this time, and
 * all of 10,000; of a million only some, so that their figures have that reading in them.
 */
const acquaintMs = (count: number) => Math.min(60_000, count * 0.6)
/** Devices of each protocol. Fewer would each ask more often than a device may. */
const fewCount = 10_000
const manyCount = Number(process.env['SEAWORTHY_BENCH_DEVICES'] ?? 100_000)
const ratioMin = 0.9

type Log = (line: string) => void
type Side = { readonly server: TestServer } & Readonly<Record<Protocol, ForeignFleet>>

const protocols: readonly Protocol[] = ['ddi', 'omaha']

/** A server whose devices run the newest image already: nothing is new for any of them. */
async function startSide(count: number): Promise<Side> {
  const server = await startTestServer({ workers: workersCount })
  const client = createTestClient(server)
  const { signers } = await setUpTrust(client)
  const release = await pushOsImage(client, server.adminToken, '1.0.0', {
    'image.swu': Buffer.from('the bytes of an image'),
  })
  await publishOsImage(client, release, signers)
  await client.api.call(createFleet, {
    body: { name: 'servers', product: 'acme', channel: 'stable' },
  })
  client.close()
  const running = { product: 'acme', version: '1.0.0', sha256: release.sha256, counter: 1 }
  const report = idleReport(running, new Date())
  return {
    server,
    ddi: await addForeignFleet(server, 'shops', 'ddi', report, count),
    omaha: await addForeignFleet(server, 'servers', 'omaha', report, count),
  }
}

function orderOf(side: Side, protocol: Protocol) {
  const port = Number(new URL(side.server.url).port)
  const seed = Math.trunc(performance.now())
  return { ...side[protocol], port, isTls: true, connections, seed }
}

export async function run(log: Log): Promise<Comparison[]> {
  const few = await startSide(fewCount)
  const stops: (() => unknown)[] = [() => few.server.stop()]
  try {
    const many = await startSide(manyCount)
    stops.unshift(() => many.server.stop())
    log(`${manyCount} devices of each protocol are registered`)
    const comparisons: Comparison[] = []
    for (const protocol of protocols) {
      const perProcessorSecond = { many: [] as number[], few: [] as number[] }
      const load = (side: Side, name: keyof typeof perProcessorSecond) => async () => {
        const { pid } = side.server
        const usedBefore = cpuSecondsOf(processTree(pid))
        const result = await applyLoad({ ...orderOf(side, protocol), warmUpMs, durationMs })
        const used = cpuSecondsOf(processTree(pid)) - usedBefore
        const ofProcessors = (result.perSecond * (warmUpMs + durationMs)) / 1000 / used
        perProcessorSecond[name].push(ofProcessors)
        log(
          `${protocol}, ${name}: ${result.perSecond.toFixed(0)}/s, ${ofProcessors.toFixed(0)} a processor second, p50 ${result.p50Ms.toFixed(1)} ms, p99 ${result.p99Ms.toFixed(1)} ms`,
        )
        return result.perSecond
      }
      for (const [side, count] of [
        [few, fewCount],
        [many, manyCount],
      ] as const) {
        const order = orderOf(side, protocol)
        await applyLoad({ ...order, warmUpMs: 0, durationMs: acquaintMs(count) })
      }
      const pair = await compareInPairs(load(many, 'many'), load(few, 'few'), rounds)
      comparisons.push({
        name: `${protocol}: check-ins with ${manyCount} devices`,
        baseline: `with ${fewCount}`,
        unit: '/s',
        ...pair,
        target: `at least ${ratioMin}`,
        isMet: pair.ratio >= ratioMin,
      })
      // The first run of each side is not counted here either.
      const [ours, theirs] = [perProcessorSecond.many, perProcessorSecond.few].map((values) =>
        medianOf(values.slice(1)),
      ) as [number, number]
      comparisons.push({
        name: `${protocol}: check-ins a processor second with ${manyCount} devices`,
        baseline: `with ${fewCount}`,
        unit: '/s',
        ...{ ours, theirs, ratio: ours / theirs },
        target: `at least ${ratioMin}`,
        isMet: ours / theirs >= ratioMin,
      })
    }
    return comparisons
  } finally {
    for (const stop of stops) await stop()
  }
}
