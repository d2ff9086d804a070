/** The server’s knowledge of vulnerabilities, with real releases, records and devices. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { ProblemError } from '@seaworthy/api/problems'
import { createToken } from '@seaworthy/api/tokens'
import {
  importVulnerabilities,
  listExposures,
  listSetAsideRecords,
  listVulnerabilities,
  showDeviceExposure,
  showPatching,
  showReleaseExposure,
  showVulnerability,
} from '@seaworthy/api/vulnerabilities'
import { utf8Encode } from '@seaworthy/std/bytes'
import { digestOf } from '@seaworthy/oci/digests'
import { waitUntil } from '@seaworthy/std/testing'
import { formatInstant, systemClock } from '@seaworthy/std/time'
import { lockComparison } from '../../db/components.ts'
import type { WriteTx } from '../../db/connection.ts'
import type { UntoldReason } from '../../db/exposure.ts'
import { countExposedLately, listConcerned } from '../../db/exposed-devices.ts'
import { countReleases, countUntold } from '../../db/exposure.ts'
import type { TestClient, TestDevice, TestServer } from '../../testing/index.ts'
import { below, pushReleaseOf, recordOf } from './pushed-sboms.fixture.ts'
import {
  addDevice,
  createTestClient,
  fillFleet,
  makeProvisioningKey,
  openDatabaseOf,
  report,
  setUpTrust,
  startTestServer,
} from '../../testing/index.ts'

let server: TestServer
let client: TestClient
let devices: TestDevice[]

before(async () => {
  server = await startTestServer({ workers: 1 })
  client = createTestClient(server)
  await setUpTrust(client)
  devices = await fillFleet(client, server.url, 3)
})

after(async () => {
  client.close()
  await server.stop()
})

const pushWith = (
  version: string,
  purls?: readonly string[] | Uint8Array,
  damage?: (document: Uint8Array) => Promise<void>,
) => pushReleaseOf(client, server.adminToken, { version, purls, damage })
const importAll = (...records: string[]) =>
  client.api.call(importVulnerabilities, { body: { records } })
const showOne = (vulnerability: string, query: object = {}) =>
  client.api.call(showVulnerability, { params: { vulnerability }, query })
const ofRelease = (version: string) =>
  client.api.call(showReleaseExposure, { params: { product: 'acme', version } })

/** Waits until the server has read the release and compared its components. */
async function readOf(version: string) {
  await waitUntil(`${version} is read and compared`, async () => {
    // The order matters: components are there to be compared only once they have been read.
    const { sboms } = await ofRelease(version)
    const { pending } = await client.api.call(listExposures, {})
    return sboms.length > 0 && pending.componentsCount === 0
  })
  return ofRelease(version)
}

const run = (device: TestDevice, version: string, sha256: string, sequence: number) =>
  report(
    client,
    device,
    { sequence, running: { product: 'acme', version, sha256, counter: sequence } },
    true,
  )

test('R13 a new release is compared with the records that there are, and a new record with the releases', async () => {
  const first = await importAll(
    recordOf({ id: 'GHSA-1', name: 'tide', more: { aliases: ['CVE-2026-1'] } }),
    recordOf({ id: 'GHSA-2', name: 'moon' }),
  )
  assert.deepEqual([first.added, first.findings], [2, 0])
  await pushWith('1.0.0', ['pkg:npm/tide@1.9.0', 'pkg:npm/sand@1.0.0'])
  const { found, sboms } = await readOf('1.0.0')
  assert.deepEqual(
    found.map((one) => [one.vulnerability, one.component.name, one.verdict, one.fixed]),
    [['GHSA-1', 'tide', 'affected', '2.0.0']],
  )
  assert.deepEqual([sboms[0]!.state, sboms[0]!.componentsCount], ['compared', 2])
  const later = await importAll(recordOf({ id: 'GHSA-3', name: 'sand' }))
  assert.deepEqual([later.added, later.findings], [1, 1])
  const { found: both } = await ofRelease('1.0.0')
  assert.deepEqual(both.map((one) => one.vulnerability).toSorted(), ['GHSA-1', 'GHSA-3'])
})

test('R13 a second import changes nothing, and an older record overwrites nothing', async () => {
  const record = (modified: string, fixed: string) =>
    recordOf({ id: 'GHSA-4', name: 'sand', modified, ranges: [below(fixed)] })
  const old = record('2026-01-01T00:00:00Z', '0.5.0')
  const young = record('2026-02-01T00:00:00Z', '3.0.0')
  assert.equal((await importAll(young)).added, 1)
  assert.deepEqual(
    await importAll(young).then(({ added, changed, unchanged }) => [added, changed, unchanged]),
    [0, 0, 1],
  )
  assert.equal((await importAll(old)).older, 1)
  assert.equal((await importAll(old, young)).unchanged, 1)
  const { found } = await showOne('GHSA-4')
  assert.deepEqual(
    found.map(({ fixed }) => fixed),
    ['3.0.0'],
  )
})

test('R13 a record that is withdrawn affects nothing, and is not forgotten', async () => {
  await importAll(recordOf({ id: 'GHSA-5', name: 'sand' }))
  assert.equal((await showOne('GHSA-5')).foundCount, 1)
  const withdrawn = { withdrawn: '2026-03-01T00:00:00Z' }
  const modified = '2026-03-01T00:00:00Z'
  const reply = await importAll(recordOf({ id: 'GHSA-5', name: 'sand', modified, more: withdrawn }))
  assert.deepEqual([reply.changed, reply.withdrawn], [1, 1])
  const { found, records } = await showOne('GHSA-5')
  assert.deepEqual([found, records[0]!.withdrawnAt], [[], '2026-03-01T00:00:00Z'])
  // It also affects no release that comes later.
  await pushWith('1.0.1', ['pkg:npm/sand@1.0.1'])
  const later = await readOf('1.0.1')
  assert.ok(!later.found.some((one) => one.vulnerability === 'GHSA-5'))
})

test('R13 what cannot be used is set aside with the reason, and the rest of a record is used', async () => {
  const { setAside, setAsideNew, partlyUsed, added } = await importAll(
    'not JSON',
    '{"id":"GHSA-6"}',
    recordOf({ id: 'GHSA-7', name: 'a\0b' }),
    recordOf({ id: 'GHSA-8', name: 'moon', ranges: [below('1.0.0'), { type: 'ODD' }] }),
  )
  assert.deepEqual(
    setAside.map(({ index, why }) => [index, why]),
    [
      [0, 'not JSON'],
      [1, 'without the instant of its last change'],
      [2, 'it holds a NUL character'],
    ],
  )
  assert.deepEqual([added, setAsideNew], [1, 3])
  assert.deepEqual(partlyUsed, [{ name: 'GHSA-8', why: 'affected 1: range 2: of no known type' }])
  const { items } = await client.api.call(listSetAsideRecords, {})
  assert.equal(items.length, 3)
  assert.equal((await importAll('not JSON')).setAsideNew, 0)
})

test('R13 attack: a record whose time no database holds is set aside, and keeps none of the others out', async () => {
  const odd = ['+200000-01-01T00:00:00Z', '-000001-01-01T00:00:00Z', '0000-01-01T00:00:00Z', '1']
  const { setAside, added, withdrawn } = await importAll(
    ...odd.map((modified, i) => recordOf({ id: `GHSA-T${i}`, name: 'moon', modified })),
    recordOf({ id: 'GHSA-T9', name: 'moon', more: { withdrawn: '+200000-01-01T00:00:00Z' } }),
  )
  assert.deepEqual(
    setAside.map(({ why }) => why),
    odd.map(() => 'without the instant of its last change'),
  )
  assert.deepEqual([added, withdrawn], [1, 1])
  const { records } = await showOne('GHSA-T9')
  assert.equal(records[0]!.withdrawnAt, '2026-01-01T00:00:00Z')
})

test('R13 a flaw is found by its aliases, and by what a distribution derives from it', async () => {
  await importAll(
    recordOf({
      ...{ id: 'DEBIAN-CVE-2026-1', ecosystem: 'Debian:12', name: 'tide' },
      more: { upstream: ['CVE-2026-1'] },
    }),
  )
  const names = async (name: string) => (await showOne(name)).records.map((one) => one.name)
  assert.deepEqual(await names('cve-2026-1'), ['DEBIAN-CVE-2026-1', 'GHSA-1'])
  assert.deepEqual(await names('GHSA-1'), ['DEBIAN-CVE-2026-1', 'GHSA-1'])
  await assert.rejects(
    names('CVE-1999-1'),
    (error: unknown) =>
      error instanceof ProblemError && error.problem.code === 'vulnerability_not_found',
  )
})

test('R14 devices are counted as confirmed, last known and unknown, now and at a past instant', async () => {
  const bad = await pushWith('2.0.0', ['pkg:npm/wave@1.0.0'])
  const odd = await pushWith('2.1.0', ['pkg:npm/wave@odd'])
  const good = await pushWith('2.2.0', ['pkg:npm/wave@2.0.0'])
  const bare = await pushWith('2.3.0')
  await importAll(recordOf({ id: 'GHSA-9', name: 'wave', more: { aliases: ['CVE-2026-9'] } }))
  for (const version of ['2.0.0', '2.1.0', '2.2.0', '2.3.0']) await readOf(version)
  const [one, two, three] = devices as [TestDevice, TestDevice, TestDevice]
  await run(one, '2.0.0', bad, 1)
  await run(two, '2.0.0', bad, 1)
  await run(three, '2.1.0', odd, 1)
  const db = openDatabaseOf(server.dataDir)
  try {
    await db.write(
      ({ sql }) =>
        sql`update device_states set seen_at = now() - interval '3 days' where device = ${two.id}`,
    )
    const counted = await showOne('CVE-2026-9')
    assert.deepEqual(counted.devices.total, {
      ...{ confirmedCount: 1, lastKnownCount: 1, unknownCount: 1, clearedCount: 0 },
    })
    assert.deepEqual(
      counted.found.map((found) => [found.version, found.verdict, found.reason]),
      [
        ['2.0.0', 'affected', null],
        ['2.1.0', 'unknown', 'version_unreadable'],
      ],
    )
    assert.deepEqual(
      counted.devices.groups.map(({ name }) => name),
      ['shops'],
    )
    await db.write((tx) => countReleases(tx, systemClock.now()))
    const rows = await db.reader.sql<{ id: number }[]>`
      select id from vulnerabilities where name = 'GHSA-9'`
    const time = { at: null, now: systemClock.now(), isNone: true }
    const list = await listConcerned(
      db.reader,
      rows.map(({ id }) => id),
      time,
    )
    const scope = { fleets: null, products: null }
    const { countedAt, ...lately } = (await countExposedLately(db.reader, list, scope, 9))!
    assert.deepEqual(lately, {
      total: { name: null, ...counted.devices.total },
      groups: counted.devices.groups,
    })
    assert.ok(countedAt instanceof Date && counted.devices.countedAt === null)
    const none = { fleets: ['none'], products: null }
    assert.equal((await countExposedLately(db.reader, list, none, 9))!.total.confirmedCount, 0)

    const ofDevice = async ({ id }: TestDevice) =>
      client.api.call(showDeviceExposure, { params: { deviceId: id } })
    assert.equal((await ofDevice(one)).found[0]!.vulnerability, 'GHSA-9')

    // The past is what it was, and is counted as such after everything is mended.
    await db.write(async ({ sql }) => {
      await sql`update running_releases set since = since - interval '2 hours'`
      await sql`update findings set found_at = found_at - interval '1 hour'`
    })
    for (const device of devices) await run(device, '2.2.0', good, 2)
    const hourAgo = formatInstant(new Date(systemClock.now().getTime() - 30 * 60_000))
    const [now, past, before] = await Promise.all([
      showOne('CVE-2026-9'),
      showOne('CVE-2026-9', { at: hourAgo }),
      showOne('CVE-2026-9', { at: '2020-01-01T00:00:00Z' }),
    ])
    const countOf = ({ devices: { total } }: typeof now) => Object.values(total)
    assert.deepEqual(countOf(now), [0, 0, 0, 0])
    assert.deepEqual(countOf(past), [2, 0, 1, 0])
    assert.deepEqual(countOf(before), [0, 0, 0, 0])
    const patching = await client.api.call(showPatching, {
      params: { vulnerability: 'CVE-2026-9' },
    })
    assert.deepEqual([patching.everCount, patching.leftCount], [2, 0])
    const { medianSeconds, mostSeconds, foundAt, zeroSince } = patching
    assert.ok(medianSeconds! >= 3600 && medianSeconds! < 3700 && mostSeconds! >= medianSeconds!)
    const tookMs = Date.parse(zeroSince!) - Date.parse(foundAt!)
    assert.ok(tookMs >= 3_600_000 && tookMs < 3_700_000)

    // A release without a bill of materials is not clean.
    await run(one, '2.3.0', bare, 3)
    const bared = await ofRelease('2.3.0')
    assert.deepEqual(
      bared.sboms.map(({ state, why }) => [state, why]),
      [['missing', 'the release has none']],
    )
    await db.write((tx) => countReleases(tx, systemClock.now()))
    const { untold } = await client.api.call(listExposures, {})
    assert.ok(untold.some(({ reason, count }) => reason === 'sbom_missing' && count === 1))
  } finally {
    await db.close()
  }
})

test('R13 a bill of materials that is damaged in the store keeps no other release from being read, and the server ready', async () => {
  await pushWith('4.5.0', ['pkg:npm/star@1.0.0'], async (document) => {
    const hex = digestOf(document).slice('sha256:'.length)
    const stored = readdirSync(server.dataDir, { recursive: true, encoding: 'utf8' })
    const file = stored.find((path) => path.endsWith(`/${hex}`) && !path.includes('_blobs'))!
    await chmod(join(server.dataDir, file), 0o600)
    await writeFile(join(server.dataDir, file), new Uint8Array(document.length))
  })
  await pushWith('4.5.1', ['pkg:npm/star@1.0.1'])
  const states: string[] = []
  for (const version of ['4.5.0', '4.5.1']) {
    states.push(...(await readOf(version)).sboms.map(({ state, why }) => `${state} ${why}`))
  }
  assert.deepEqual(states, ['unusable the bytes do not have the announced digest', 'compared null'])
  assert.equal((await client.send('GET', '/readyz')).status, 200)
})

test('R13 an attacker’s bill of materials is bounded, and its release is unknown with the reason', async () => {
  await pushWith(
    '3.0.0',
    Array.from({ length: 101 }, (_, i) => `pkg:npm/many@1.0.${i}`),
  )
  await pushWith('3.1.0', utf8Encode('{"bomFormat":'))
  await pushWith('3.2.0', [`pkg:npm/${'long'.repeat(200)}@1.0.0`, 'pkg:npm/a%00b@1.0.0'])
  const [many, broken, long] = [await readOf('3.0.0'), await readOf('3.1.0'), await readOf('3.2.0')]
  assert.deepEqual(
    [many, broken].map(({ sboms }) => [sboms[0]!.state, sboms[0]!.why]),
    [
      ['unusable', 'the document lists more than 100 versions of one package'],
      ['unusable', 'the document is no bill of materials: it is not JSON'],
    ],
  )
  assert.deepEqual([long.sboms[0]!.state, long.sboms[0]!.othersCount], ['compared', 2])
})

test('R14 whoever reaches another fleet alone sees no device of this one, and imports nothing', async () => {
  const body = { name: 'far', role: 'operator', lifetimeSeconds: 3600, fleets: ['none'] } as const
  const { token } = await client.api.call(createToken, {
    body: { ...body, fleets: [...body.fleets] },
  })
  const far = client.as(token)
  const seen = await far.call(showVulnerability, { params: { vulnerability: 'GHSA-1' }, query: {} })
  assert.deepEqual(Object.values(seen.devices.total), [0, 0, 0, 0])
  assert.deepEqual(seen.devices.groups, [])
  await assert.rejects(
    far.call(importVulnerabilities, { body: { records: ['{}'] } }),
    (error: unknown) => error instanceof ProblemError && error.problem.code === 'out_of_scope',
  )
})

test('R14 records that affect releases are listed, and what devices are exposed to', async () => {
  const { items } = await client.api.call(listVulnerabilities, { query: {} })
  assert.ok(items.some(({ name, affectedReleasesCount: n }) => name === 'GHSA-1' && n === 1))
  assert.ok(!items.some(({ name }) => name === 'GHSA-2'))
  const late = await addDevice(client, server.url, await makeProvisioningKey(client, 1))
  const sha256 = await pushWith('4.0.0', ['pkg:npm/tide@1.0.0'])
  await readOf('4.0.0')
  await run(late, '4.0.0', sha256, 1)
  await waitUntil('the device is counted', async () => {
    const { items: open } = await client.api.call(listExposures, {})
    return open.some((one) => one.vulnerability === 'GHSA-1' && one.confirmedCount === 1)
  })
})

/** Devices of which nothing can be told for the reason, without waiting for the server's count. */
async function countNow(tx: WriteTx, wanted: UntoldReason): Promise<number | undefined> {
  await tx.sql`lock table release_counts in exclusive mode`
  await countReleases(tx, systemClock.now())
  const untold = await countUntold(tx, { fleets: null, products: null })
  return untold.find(({ reason }) => reason === wanted)?.count
}

test('R13 a release that is read and not compared yet says so, and not that nothing is known of it', async () => {
  await importAll(recordOf({ id: 'GHSA-10', name: 'reef' }))
  const db = openDatabaseOf(server.dataDir)
  const late = await addDevice(client, server.url, await makeProvisioningKey(client, 1))
  const stateOfDevice = async () => {
    const params = { deviceId: late.id }
    const { sbom, foundCount } = await client.api.call(showDeviceExposure, { params })
    return [sbom?.state, sbom?.uncomparedCount, foundCount]
  }
  try {
    await db.write(async (tx) => {
      await tx.sql`set local idle_in_transaction_session_timeout = '60s'`
      // No comparison begins while another one is under way.
      await lockComparison(tx)
      const sha256 = await pushWith('5.0.0', ['pkg:npm/reef@1.0.0', 'pkg:npm/unheard@1.0.0'])
      await run(late, '5.0.0', sha256, 1)
      await waitUntil('the release is read', async () => {
        const { sboms } = await ofRelease('5.0.0')
        return sboms.length > 0
      })
      const { sboms, foundCount } = await ofRelease('5.0.0')
      assert.deepEqual(
        [sboms[0]!.state, sboms[0]!.uncomparedCount, foundCount],
        ['not_compared', 2, 0],
      )
      assert.deepEqual(await stateOfDevice(), ['not_compared', 2, 0])
      const { pending } = await showOne('GHSA-10')
      assert.equal(pending.componentsCount, 2)
      // Somebody of another product learns no count of this one.
      const { token } = await client.api.call(createToken, {
        body: { name: 'far', role: 'viewer', lifetimeSeconds: 3600, products: ['elsewhere'] },
      })
      const far = client.as(token)
      for (const { pending: seen } of [
        await far.call(listExposures, {}),
        await far.call(showVulnerability, { params: { vulnerability: 'GHSA-10' }, query: {} }),
      ]) {
        assert.deepEqual(seen, { releasesCount: 0, componentsCount: 0 })
      }
      assert.equal(await countNow(tx, 'not_compared'), 1)
    })
    await readOf('5.0.0')
    assert.deepEqual(await stateOfDevice(), ['compared', 0, 1])
  } finally {
    await db.close()
  }
})

test('R13 a release of whose ecosystem, or release of a distribution, no record was imported is not clean', async () => {
  const inDebian = (release: string) => `pkg:deb/debian/kelp@1.0?distro=debian-${release}`
  await importAll(recordOf({ id: 'DSA-1', ecosystem: 'Debian:12', name: 'kelp' }))
  const sha256 = await pushWith('6.0.0', ['pkg:pypi/kelp@1.0'])
  await pushWith('6.1.0', [inDebian('12'), inDebian('13')])
  await Promise.all([readOf('6.0.0'), readOf('6.1.0')])
  const recordsOf = async (version: string) => {
    const { sboms } = await ofRelease(version)
    return sboms[0]!.records.map((one) => [one.ecosystem, one.importedAt !== null, one.newestAt])
  }
  assert.deepEqual(await recordsOf('6.0.0'), [['PyPI', false, null]])
  assert.deepEqual(await recordsOf('6.1.0'), [
    ['Debian:12', true, '2026-01-01T00:00:00Z'],
    ['Debian:13', false, null],
  ])
  const late = await addDevice(client, server.url, await makeProvisioningKey(client, 1))
  await run(late, '6.0.0', sha256, 1)
  const { records } = await client.api.call(listExposures, {})
  assert.ok(records.some(({ ecosystem }) => ecosystem === 'npm'))
  const db = openDatabaseOf(server.dataDir)
  try {
    assert.equal(await db.write((tx) => countNow(tx, 'no_records')), 1)
  } finally {
    await db.close()
  }
})
