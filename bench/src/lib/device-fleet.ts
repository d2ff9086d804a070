/**
 * A server with a simulated fleet of registered devices, loaded by SQL rather than by a million
 * registrations; each has a real token.
 */
import type { DeviceReport } from '@seaworthy/api/device-self'
import type { TestServer } from '@seaworthy/server/testing'
import { digestReport, openTokenMaker } from '@seaworthy/server/testing'
import { newId } from '@seaworthy/std/ids'
import { seededRandom } from '@seaworthy/std/random'
import { formatInstant } from '@seaworthy/std/time'
import { fillTables, writeRecords } from './fill-tables.ts'

export interface DeviceFleet {
  ids: string[]
  /** All tokens one after the other, each of `tokenBytes`. */
  tokensFile: string
  tokenBytes: number
}

const hourMs = 3_600_000

/** The report of an idle device: what it says each time, apart from the time. */
export function idleReport(running: DeviceReport['running'], now: Date): DeviceReport {
  return {
    sequence: 3,
    at: formatInstant(now),
    running,
    committedCounter: running?.counter ?? 0,
    floor: 0,
    update: { state: 'idle' },
    metadata: { root: 1, snapshot: 4, targets: 3, acme: 2, 'acme.stable': 2 },
    timestampVerifiedAt: formatInstant(now),
    refusals: [],
    agentVersion: '0.1.0',
    platform: 'linux/amd64',
    bootId: '6a7a2b0e-3f2b-4a53-9f83-0c6c1de0b1f1',
  }
}

/** Adds `count` devices to `fleet`, each of which has checked in once with `report`. */
export async function addDeviceFleet(
  server: TestServer,
  fleet: string,
  report: DeviceReport,
  count: number,
): Promise<DeviceFleet> {
  const random = seededRandom(count)
  const start = new Date()
  const digest = digestReport(report)
  const ids = Array.from({ length: count }, (_, i) =>
    newId('device', new Date(start.getTime() - hourMs + i), random),
  )
  const registered = start.toISOString()
  const text = JSON.stringify(report)
  await fillTables(server, ids, [
    {
      name: 'devices',
      columns:
        'id, fleet, key_id, public_key, platform, hardware, agent_version, tags, provisioning_key, registered_at',
      lineOf: (id) => {
        const keyId = Buffer.from(random.bytes(32)).toString('hex')
        const key = `{"keytype":"ed25519","scheme":"ed25519","keyval":{"public":"${keyId}"}}`
        return `${id}\t${fleet}\t${keyId}\t${key}\tlinux/amd64\t\\N\t0.1.0\t{"site":"kiel"}\tprovisioning_bench\t${registered}\n`
      },
    },
    {
      name: 'device_states',
      columns: 'device, seen_at, reported_at, digest, fleet, tags',
      lineOf: (id) => `${id}\t${registered}\t${registered}\t${digest}\t${fleet}\t{"site":"kiel"}\n`,
    },
    { name: 'last_reports', columns: 'device, report', lineOf: (id) => `${id}\t${text}\n` },
  ])
  const makeToken = await openTokenMaker(server)
  const expiresAt = new Date(start.getTime() + hourMs)
  const tokensFile = `${server.dataDir}/bench-tokens`
  return { ids, ...(await writeRecords(tokensFile, ids, (id) => makeToken(id, expiresAt))) }
}
