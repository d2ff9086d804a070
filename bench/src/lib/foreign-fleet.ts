/**
 * Devices of other protocols, loaded by SQL rather than by as many calls; each has a real token,
 * has said once what it runs, and has polled since.
 */
import { createHash } from 'node:crypto'
import type { DeviceReport } from '@seaworthy/api/device-self'
import type { TestServer } from '@seaworthy/server/testing'
import { bareMarkOf } from '@seaworthy/server/testing'
import { newId } from '@seaworthy/std/ids'
import { seededRandom } from '@seaworthy/std/random'
import { fillTables, writeRecords } from './fill-tables.ts'
import { tokenMark } from './load.ts'

export type Protocol = 'ddi' | 'omaha'

export interface ForeignFleet {
  /** A request that holds `tokenMark`, which each record of the file replaces. */
  readonly request: string
  readonly tokensFile: string
  readonly tokenBytes: number
}

interface ForeignDevice {
  readonly id: string
  readonly externalId: string
  readonly secret: string
}

const hourMs = 3_600_000

const sha256Of = (secret: string) => createHash('sha256').update(secret).digest('hex')

/** Adds `count` devices to `fleet` that speak `protocol` and run what `report` says. */
export async function addForeignFleet(
  server: TestServer,
  fleet: string,
  protocol: Protocol,
  report: DeviceReport,
  count: number,
): Promise<ForeignFleet> {
  const random = seededRandom(count + protocol.length)
  const start = new Date()
  const devices = Array.from({ length: count }, (_, i): ForeignDevice => {
    const id = newId('device', new Date(start.getTime() - hourMs + i), random)
    const externalId = Buffer.from(random.bytes(16)).toString('hex')
    return { id, externalId, secret: Buffer.from(random.bytes(32)).toString('hex') }
  })
  const registered = start.toISOString()
  const text = JSON.stringify({ ...report, agentVersion: protocol, platform: 'linux/arm64' })
  await fillTables(server, devices, [
    {
      name: 'devices',
      columns: 'id, fleet, platform, hardware, agent_version, tags, registered_at, protocol',
      lineOf: ({ id }) =>
        `${id}\t${fleet}\tlinux/arm64\t\\N\t${protocol}\t{"site":"kiel"}\t${registered}\t${protocol}\n`,
    },
    {
      name: 'foreign_devices',
      columns: 'device, protocol, external_id, home_fleet, secret_sha256',
      lineOf: ({ id, externalId, secret }) =>
        `${id}\t${protocol}\t${externalId}\t${fleet}\t\\\\x${sha256Of(secret)}\n`,
    },
    {
      name: 'device_states',
      columns: 'device, seen_at, reported_at, digest, fleet, tags',
      lineOf: ({ id, secret }) =>
        `${id}\t${registered}\t${registered}\t${bareMarkOf(sha256Of(secret))}\t${fleet}\t{"site":"kiel"}\n`,
    },
    { name: 'last_reports', columns: 'device, report', lineOf: ({ id }) => `${id}\t${text}\n` },
  ])
  const recordsFile = `${server.dataDir}/bench-${protocol}`
  const record = (device: ForeignDevice) => recordOf(protocol, device)
  return { request: requests[protocol], ...(await writeRecords(recordsFile, devices, record)) }
}

/**
 * What differs between two devices stands together, so that one record of a fixed length takes its
 * place.
 */
const requests: Readonly<Record<Protocol, string>> = {
  ddi: `GET /DEFAULT/controller/v1/${tokenMark}\r\n\r\n`,
  omaha: `POST /omaha/v1/update/${tokenMark}" machinealias="" lang="en-US" board="amd64-usr" hardware_class="" delta_okay="false" >
        <ping active="1"></ping>
        <updatecheck></updatecheck>
    </app>
</request>
`,
}

const omahaHead = `<?xml version="1.0" encoding="UTF-8"?>
<request protocol="3.0" version="update_engine-0.4.10" updaterversion="update_engine-0.4.10" installsource="scheduler" ismachine="1">
    <os version="Chateau" platform="CoreOS" sp="3815.2.0_x86_64"></os>
    <app appid="{e96281a6-d1af-4bde-9a0a-97b76e56dc57}" version="1.0.0" track="stable" bootid="{6a7a2b0e-3f2b-4a53-9f83-0c6c1de0b1f1}" oem="ami" oemversion="1.0" alephversion="1.0.0" machineid="`

function recordOf(protocol: Protocol, { id, externalId, secret }: ForeignDevice): string {
  const token = `swd_${id.slice('device_'.length)}_${secret}`
  if (protocol === 'ddi') {
    return `${externalId} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: TargetToken ${token}`
  }
  const [, afterMark = ''] = requests.omaha.split(tokenMark)
  const length = omahaHead.length + externalId.length + afterMark.length
  return `${token} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/xml\r\nContent-Length: ${length}\r\n\r\n${omahaHead}${externalId}`
}
