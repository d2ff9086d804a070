/** A server with a crowd of registered devices, loaded by SQL rather than by a million registrations; each has a real token. */
import { open } from 'node:fs/promises'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { DeviceReport } from '@seaworthy/api/device-self'
import type { TestServer } from '@seaworthy/server/testing'
import { digestReport, openTokenMaker } from '@seaworthy/server/testing'
import { newId } from '@seaworthy/std/ids'
import { seededRandom } from '@seaworthy/std/random'
import { formatInstant } from '@seaworthy/std/time'

export interface Crowd {
  ids: string[]
  /** All tokens one after the other, each of `tokenBytes`. */
  tokensFile: string
  tokenBytes: number
}

const hourMs = 3_600_000

/** An idle device: what it says each time, apart from the time. */
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

/** `count` devices of `fleet`, each of which has checked in once with `report`. Takes about a minute for a million. */
export async function addCrowd(
  server: TestServer,
  fleet: string,
  report: DeviceReport,
  count: number,
): Promise<Crowd> {
  const random = seededRandom(count)
  const start = new Date()
  const digest = digestReport(report)
  const ids = Array.from({ length: count }, (_, i) =>
    newId('device', new Date(start.getTime() - hourMs + i), random),
  )
  const db = server.openDatabase()
  try {
    await db.write(async ({ sql }) => {
      await sql`set local statement_timeout = 0`
      const registered = start.toISOString()
      const devices = await sql`
        copy devices (id, fleet, key_id, public_key, platform, hardware, agent_version, tags, provisioning_key,
          registered_at) from stdin`.writable()
      await pipeline(
        Readable.from(
          inPieces(ids, (id) => {
            const keyId = Buffer.from(random.bytes(32)).toString('hex')
            const key = `{"keytype":"ed25519","scheme":"ed25519","keyval":{"public":"${keyId}"}}`
            return `${id}\t${fleet}\t${keyId}\t${key}\tlinux/amd64\t\\N\t0.1.0\t{"site":"kiel"}\tprovisioning_bench\t${registered}\n`
          }),
        ),
        devices,
      )
      const states = await sql`
        copy device_states (device, seen_at, reported_at, digest, fleet, tags) from stdin`.writable()
      await pipeline(
        Readable.from(
          inPieces(
            ids,
            (id) => `${id}\t${registered}\t${registered}\t${digest}\t${fleet}\t{"site":"kiel"}\n`,
          ),
        ),
        states,
      )
      const reports = await sql`copy last_reports (device, report) from stdin`.writable()
      const text = JSON.stringify(report)
      await pipeline(Readable.from(inPieces(ids, (id) => `${id}\t${text}\n`)), reports)
    })
    // As after a night: statistics are there, nothing is new to the pages any more.
    for (const table of ['devices', 'device_states', 'last_reports']) {
      await db.writeRows(({ sql }) => sql.unsafe(`vacuum (analyze) ${table}`))
    }
    await db.writeRows(({ sql }) => sql.unsafe('checkpoint'))
    // As in the middle between two checkpoints: every page has been written to since the last one.
    await db.write(async ({ sql }) => {
      await sql`set local statement_timeout = 0`
      await sql`
        update device_states set seen_at = seen_at
        where ctid in (select min(ctid) from device_states group by (ctid::text::point)[0])`
    })
  } finally {
    await db.close()
  }
  return { ids, ...(await writeTokens(server, ids, new Date(start.getTime() + hourMs))) }
}

function* inPieces(ids: readonly string[], lineOf: (id: string) => string): Generator<string> {
  const pieceMax = 1000
  for (let i = 0; i < ids.length; i += pieceMax) {
    yield ids
      .slice(i, i + pieceMax)
      .map(lineOf)
      .join('')
  }
}

async function writeTokens(server: TestServer, ids: readonly string[], expiresAt: Date) {
  const makeToken = await openTokenMaker(server)
  const tokensFile = `${server.dataDir}/bench-tokens`
  const file = await open(tokensFile, 'w')
  const stream = file.createWriteStream()
  for (const piece of inPieces(ids, (id) => makeToken(id, expiresAt))) {
    if (!stream.write(piece)) await once(stream, 'drain')
  }
  await new Promise((resolve) => stream.end(resolve))
  return { tokensFile, tokenBytes: makeToken(ids[0]!, expiresAt).length }
}
