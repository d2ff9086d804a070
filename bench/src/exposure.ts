import {
  importMax,
  importVulnerabilities,
  showDeviceExposure,
  showVulnerability,
} from '@seaworthy/api/vulnerabilities'
import { readRecord } from '@seaworthy/response/records'
import type { Db, TestClient } from '@seaworthy/server/testing'
import { createTestClient, startTestServer, takeSbom } from '@seaworthy/server/testing'
import { utf8Encode } from '@seaworthy/std/bytes'
import { dayMs, formatInstant, systemClock } from '@seaworthy/std/time'
import {
  documentOf,
  fillExposedFleet,
  idOf,
  packagesCount,
  touchingCount,
} from './lib/exposed-fleet.ts'
import type { Comparison } from './lib/measure.ts'
import { timed } from './lib/measure.ts'

export const title = 'who is affected by a vulnerability, and what a new record or release costs'

const sizes = {
  devices: Number(process.env['SEAWORTHY_BENCH_DEVICES'] ?? 1_000_000),
  releases: Number(process.env['SEAWORTHY_BENCH_RELEASES'] ?? 10_000),
  advisories: Number(process.env['SEAWORTHY_BENCH_ADVISORIES'] ?? 300_000),
}
const questionsCount = 300
const widestCount = 20
const recordsCount = 10_000
const releasesCount = 10

export async function run(log: (line: string) => void): Promise<Comparison[]> {
  const server = await startTestServer({ workers: 1 })
  const client = createTestClient(server)
  const db = server.openDatabase()
  try {
    await fillExposedFleet(db, sizes, log)
    const at = formatInstant(new Date(systemClock.now().getTime() - 60 * dayMs))
    const places = Array.from({ length: questionsCount }, (_, i) => i)
    const names = places.map(
      (i) => `CVE-2026-${1 + Math.floor((i * touchingCount(sizes)) / questionsCount)}`,
    )
    const widest = await listWidest(db)
    const ask = (name: string, query: object = {}) =>
      client.api.call(showVulnerability, { params: { vulnerability: name }, query })
    const devices = places.map((i) => Math.floor((i * sizes.devices) / questionsCount))
    return [
      await measure(log, 'CVE to devices', 50, names, (name) => ask(name)),
      await measure(log, 'CVE of the most devices to devices', 50, widest, (name) => ask(name)),
      await measure(log, 'CVE to devices by a tag', 50, names, (name) =>
        ask(name, { tag: 'site' }),
      ),
      await measure(log, 'CVE to devices 60 days ago', 200, names, (name) => ask(name, { at })),
      await measure(log, 'CVE of the most devices 60 days ago', 200, widest, (name) =>
        ask(name, { at }),
      ),
      await measure(log, 'device to its open advisories', 5, devices, (n) =>
        client.api.call(showDeviceExposure, {
          params: { deviceId: idOf(n) },
        }),
      ),
      await measureRecords(client, log),
      await measureReleases(db, log, 'new release of 300 components, 30 of them new', 30),
      await measureReleases(db, log, 'new release of 300 new components', 300),
    ]
  } finally {
    client.close()
    await db.close()
    await server.stop()
  }
}

/** Records that affect the most devices. */
async function listWidest({ reader: { sql } }: Db): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    with running as (
      select s.id, count(*) as count from running_releases r join sboms s on s.sha256 = r.sha256 group by s.id
    ), component as (
      select c.component, sum(r.count) as count from running r join release_components c on c.sbom = r.id group by 1
    )
    select v.name from findings f join component c on c.component = f.component
      join vulnerabilities v on v.id = f.vulnerability
    group by v.name order by sum(c.count) desc, v.name limit ${widestCount}`
  return rows.map(({ name }) => name)
}

/** A target in milliseconds, for all but one in a hundred. */
async function measure<T>(
  log: (line: string) => void,
  name: string,
  targetMs: number,
  subjects: readonly T[],
  ask: (subject: T) => Promise<unknown>,
): Promise<Comparison> {
  for (const subject of subjects.slice(0, 10)) await ask(subject)
  const times: number[] = []
  for (const subject of subjects) times.push(await timed(() => ask(subject)))
  return judge(log, name, targetMs, times)
}

function judge(
  log: (line: string) => void,
  name: string,
  targetMs: number,
  times: readonly number[],
): Comparison {
  const sorted = times.toSorted((a, b) => a - b)
  const share = (part: number) => sorted[Math.ceil(sorted.length * part) - 1]!
  const [p50, p99, most] = [share(0.5), share(0.99), share(1)].map((ms) => ms.toFixed(1))
  log(`${name}: p50 ${p50} ms, p99 ${p99} ms, at most ${most} ms (${times.length} times)`)
  const ours = share(0.99)
  return {
    ...{ name, baseline: 'its target', unit: 'ms', ours, theirs: targetMs },
    ...{ ratio: ours / targetMs, target: 'at most 1', isMet: ours <= targetMs },
  }
}

/** One in ten is about a package that releases have. */
function recordOf(i: number): string {
  const name = i % 10 === 0 ? `c${(i * 7) % packagesCount}` : `y${i}`
  return JSON.stringify({
    ...{ schema_version: '1.7.0', id: `NEW-${i}`, modified: '2026-11-01T00:00:00Z' },
    ...{ aliases: [`CVE-2027-${i}`], summary: 'a flaw', details: 'It is a flaw. '.repeat(40) },
    affected: [
      {
        package: { ecosystem: 'npm', name, purl: `pkg:npm/${name}` },
        ranges: [{ type: 'SEMVER', events: [{ introduced: '0' }, { fixed: `1.${i % 10}.1` }] }],
      },
    ],
  })
}

/** What an import takes beyond the reading of the records. */
async function measureRecords(
  client: TestClient,
  log: (line: string) => void,
): Promise<Comparison> {
  const records = Array.from({ length: recordsCount }, (_, i) => recordOf(i))
  const readMs = await timed(async () => {
    for (const record of records) readRecord(utf8Encode(record))
  })
  const wholeMs = await timed(async () => {
    for (let i = 0; i < recordsCount; i += importMax.records) {
      const part = records.slice(i, i + importMax.records)
      await client.api.call(importVulnerabilities, { body: { records: part } })
    }
  })
  const perSecond = Math.round((1000 * recordsCount) / wholeMs)
  log(`${recordsCount} new records: read in ${readMs.toFixed(0)} ms, ${perSecond} a second in all`)
  return judge(log, `${recordsCount} new records beyond their reading`, 1000, [wholeMs - readMs])
}

/** What a release takes once its bill of materials was fetched. */
async function measureReleases(
  db: Db,
  log: (line: string) => void,
  name: string,
  newCount: number,
): Promise<Comparison> {
  const times: number[] = []
  for (let i = 0; i < releasesCount; i++) {
    const purls = Array.from({ length: 300 }, (_, j) =>
      j < newCount ? `pkg:npm/c${j}@1.${newCount}.${i + 1}` : `pkg:npm/c${j}@1.${i % 10}.0`,
    )
    const document = documentOf(purls)
    const version = `2.${newCount}.${i}`
    const release = { product: 'product-1', version, platform: 'linux/amd64', sha256: version }
    times.push(await timed(() => takeSbom(db, release, document)))
  }
  return judge(log, name, 100, times)
}
