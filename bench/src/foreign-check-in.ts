import type { TestServer } from '@seaworthy/server/testing'
import {
  createTestClient,
  publishOsImage,
  pushOsImage,
  setUpTrust,
  startTestServer,
} from '@seaworthy/server/testing'
import { createFleet } from '@seaworthy/api/fleets'
import { idleReport } from './lib/device-crowd.ts'
import type { ForeignCrowd, Protocol } from './lib/foreign-crowd.ts'
import { addForeignCrowd } from './lib/foreign-crowd.ts'
import { applyLoad } from './lib/load.ts'
import type { Comparison } from './lib/measure.ts'
import { compareInPairs } from './lib/measure.ts'

export const title =
  'check-ins of devices that speak DDI and Omaha: a million of them against a thousand'

const workersCount = 2
const rounds = 5
const connections = 256
const fewCount = 1000
/** Half of them speak DDI, half Omaha. */
const manyCount = Number(process.env['SEAWORTHY_BENCH_DEVICES'] ?? 1_000_000)
const ratioMin = 0.9

type Log = (line: string) => void
type Side = { readonly server: TestServer } & Readonly<Record<Protocol, ForeignCrowd>>

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
    ddi: await addForeignCrowd(server, 'shops', 'ddi', report, count / 2),
    omaha: await addForeignCrowd(server, 'servers', 'omaha', report, count / 2),
  }
}

export async function run(log: Log): Promise<Comparison[]> {
  const few = await startSide(fewCount)
  const stops: (() => unknown)[] = [() => few.server.stop()]
  try {
    const many = await startSide(manyCount)
    stops.unshift(() => many.server.stop())
    log(`${manyCount} devices are registered`)
    const comparisons: Comparison[] = []
    for (const protocol of protocols) {
      const load = (side: Side, name: string) => async () => {
        const result = await applyLoad({
          ...side[protocol],
          ...{ port: Number(new URL(side.server.url).port), isTls: true, connections },
          ...{ seed: Math.trunc(performance.now()), warmUpMs: 500, durationMs: 2500 },
        })
        log(
          `${protocol}, ${name}: ${result.perSecond.toFixed(0)}/s, p50 ${result.p50Ms.toFixed(1)} ms, p99 ${result.p99Ms.toFixed(1)} ms`,
        )
        return result.perSecond
      }
      const pair = await compareInPairs(
        load(many, `${manyCount} devices`),
        load(few, `${fewCount} devices`),
        rounds,
      )
      comparisons.push({
        name: `${protocol}: check-ins with ${manyCount} devices`,
        baseline: `with ${fewCount}`,
        unit: '/s',
        ...pair,
        target: `at least ${ratioMin}`,
        isMet: pair.ratio >= ratioMin,
      })
    }
    return comparisons
  } finally {
    for (const stop of stops) await stop()
  }
}
