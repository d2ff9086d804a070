/** A server with devices that check in again and again, and how it bears a load of them. */
import type { DeviceReport } from '@seaworthy/api/device-self'
import { setFleet } from '@seaworthy/api/fleets'
import { createRollout } from '@seaworthy/api/rollouts'
import type { TestServer } from '@seaworthy/server/testing'
import {
  createTestClient,
  policyOf,
  publishAll,
  setUpTrust,
  startTestServer,
  waitForRollout,
} from '@seaworthy/server/testing'
import type { DeviceFleet } from './device-fleet.ts'
import { addDeviceFleet, idleReport } from './device-fleet.ts'
import type { LoadOrder, LoadResult } from './load.ts'
import { applyLoad, buildRequest, tokenMark } from './load.ts'
import { cpuSecondsOf, processTree } from './processes.ts'

export const workersCount = 2
export const connections = 256
export const updatesAtOnce = 10

export interface Side {
  server: TestServer
  devices: DeviceFleet
  order: LoadOrder
}

/**
 * A server with `count` devices in a fleet that follows rollouts. All run 1.0.0, and a rollout of
 * 2.0.0 is open to all of them, of which ten at a time may update: nearly every check-in is of a
 * candidate that the limit refuses.
 */
export async function startSide(
  count: number,
  ...args: readonly string[]
): Promise<Side & { report: DeviceReport }> {
  const server = await startTestServer({ workers: workersCount, args })
  const client = createTestClient(server)
  const { signers } = await setUpTrust(client)
  const [release] = await publishAll(client, server.adminToken, signers, ['1.0.0', '2.0.0'])
  await client.api.call(setFleet, { params: { fleet: 'shops' }, body: { follow: 'rollouts' } })
  const running = { product: 'acme', version: '1.0.0', sha256: release!.sha256, counter: 1 }
  const report = idleReport(running, new Date())
  const devices = await addDeviceFleet(server, 'shops', report, count)
  const policy = policyOf({ inFlightMax: updatesAtOnce })
  const { id } = await client.api.call(createRollout, {
    body: { fleet: 'shops', version: '2.0.0', policy },
  })
  await waitForRollout(client, id, ({ waves: [wave] }) => wave?.state === 'open')
  client.close()
  const order: LoadOrder = {
    port: Number(new URL(server.url).port),
    isTls: true,
    connections,
    request: buildRequest('/v1/device/check-in', JSON.stringify({ report }), tokenMark),
    tokensFile: devices.tokensFile,
    tokenBytes: devices.tokenBytes,
    seed: 1,
    warmUpMs: 1000,
    durationMs: 4000,
  }
  return { server, devices, order, report }
}

export interface Measured extends LoadResult {
  /** Processor time of the server with all its processes, PostgreSQL included, for each request. */
  serverMicros: number
}

export async function measure(pid: number, order: LoadOrder): Promise<Measured> {
  const before = cpuSecondsOf(processTree(pid))
  const result = await applyLoad(order)
  const used = cpuSecondsOf(processTree(pid)) - before
  const share = order.durationMs / (order.warmUpMs + order.durationMs)
  return { ...result, serverMicros: (1e6 * used * share) / result.count }
}

export function describe(log: (line: string) => void, name: string, r: Measured): void {
  const generatorMicros = (1e6 * r.cpuSeconds) / r.count
  const others = Object.entries(r.statuses).map(([status, count]) => `${count} × ${status}`)
  const refused = others.length === 0 ? '' : `; also ${others.join(', ')}`
  log(
    `${name}: ${r.perSecond.toFixed(0)}/s, p50 ${r.p50Ms.toFixed(1)} ms, p99 ${r.p99Ms.toFixed(1)} ms; processor time for each: server ${r.serverMicros.toFixed(0)} µs, load generator ${generatorMicros.toFixed(0)} µs${refused}`,
  )
}
