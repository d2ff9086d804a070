/**
 * What readers with a scope are shown must not depend on what lies outside of it (A3, A4): every
 * route that reads is asked before and after a product and a fleet that are none of theirs get
 * records of every kind, and every number, id and name of the replies must be the same. The golden
 * table shows which replies the same records change for somebody who may see them: so each row
 * that says `differs` has been tried with records.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { formatPath } from '@seaworthy/api/client'
import { routes } from '@seaworthy/api/routes'
import { createToken } from '@seaworthy/api/tokens'
import { importVulnerabilities, listExposures } from '@seaworthy/api/vulnerabilities'
import { utf8Decode } from '@seaworthy/std/bytes'
import { waitUntil } from '@seaworthy/std/testing'
import { expectGolden } from '../../../../tools/golden.ts'
import { countNow, recordOf } from '../app/vulnerabilities/pushed-sboms.fixture.ts'
import type { TestClient, TestServer } from '../testing/index.ts'
import { createTestClient, setUpTrust, startTestServer } from '../testing/index.ts'
import { fillFleet, fillProduct, makeProduct } from './scoped-world.fixture.ts'

/**
 * Members of replies that differ by the time alone. The next version of a setting is a time, and
 * the server adds to samples and history now and then.
 */
const ofTime = /\/(lastUsedAt|nextVersion|nextAt|ageSeconds)$|^\/body\/(now\/at|samples|history)$/
const timeOfDay = /\d\d:\d\d UTC/g
/** Replies about what everybody may read: `/tuf/` has it without a credential. */
const ofEverybody = new Set(['trust.status'])

/** The paths of single things that nobody with a scope reads; `authz-scopes.golden.txt` says so. */
const ofNoScope = /:(credential|caseId|advisoryId)/

interface Reader {
  readonly name: string
  readonly scope: { readonly products?: string[]; readonly fleets?: string[] }
  /** The records that are outside of the scope. */
  readonly of: readonly ('cove' | 'barges')[]
}

/** Admins: `everything` shows that there is something to be seen. */
const readers: readonly Reader[] = [
  { name: 'everything', scope: {}, of: ['cove', 'barges'] },
  { name: 'product-bay', scope: { products: ['bay'] }, of: ['cove'] },
  { name: 'fleet-boats', scope: { fleets: ['boats'] }, of: ['barges'] },
]

let server: TestServer
let client: TestClient

before(async () => {
  server = await startTestServer()
  client = createTestClient(server)
})
after(async () => {
  client.close()
  await server.stop()
})

test('A3 A4 attack: somebody with a scope learns no number, id or name of what lies outside, on any route that reads', async () => {
  const { signers } = await setUpTrust(client)
  const on = { server, client, signers }
  for (const product of ['bay', 'cove']) await makeProduct(on, product)
  await client.api.call(importVulnerabilities, {
    body: { records: [recordOf({ id: 'OSV-1', name: 'tide' }), 'not JSON'] },
  })
  const bay = await fillProduct(on, 'bay')
  const own = { ...bay, ...(await fillFleet(on, ofRelease(bay), 'boats')) }
  const tokens = new Map<string, string>()
  for (const { name, scope } of readers) {
    const body = { name, role: 'admin', lifetimeSeconds: 3600, ...structuredClone(scope) }
    tokens.set(name, (await client.api.call(createToken, { body })).token)
  }
  const paths = readingPaths(own)
  const read = async (isAsked: (reader: Reader) => boolean) => {
    await settle()
    const replies = new Map<string, unknown>()
    for (const [row, path] of paths) {
      for (const reader of readers.filter(isAsked)) {
        replies.set(`${row} ${reader.name}`, await ask(path, tokens.get(reader.name)!))
      }
    }
    return replies
  }

  const alone = await read(({ of }) => of.includes('cove'))
  const cove = await fillProduct(on, 'cove')
  await fillFleet(on, ofRelease(cove), 'canoes')
  const withCove = await read(() => true)
  await fillFleet(on, ofRelease(bay), 'barges')
  const withBarges = await read(({ of }) => of.includes('barges'))

  const leaks: string[] = []
  const compare = (row: string, reader: Reader, of: 'cove' | 'barges'): string => {
    if (!reader.of.includes(of)) return ''
    const [earlier, later] = of === 'cove' ? [alone, withCove] : [withCove, withBarges]
    const key = `${row} ${reader.name}`
    const differing = differences(earlier.get(key), later.get(key))
    if (reader.name !== 'everything' && !ofEverybody.has(row)) {
      leaks.push(...differing.map((where) => `${key}: ${where}`))
    }
    return differing.length === 0 ? 'same' : 'differs'
  }
  const columns = (['cove', 'barges'] as const).flatMap((of) =>
    readers
      .filter((reader) => reader.of.includes(of))
      .map((reader) => ({ title: `${of}: ${reader.name}`, reader, of })),
  )
  const width = Math.max(...paths.map(([row]) => row.length))
  const line = (row: string, cells: readonly string[]) =>
    `${row.padEnd(width)}  ${cells.map((cell, i) => cell.padEnd(columns[i]!.title.length)).join('  ')}`.trimEnd()
  const rows = paths.map(([row]) =>
    line(
      row,
      columns.map(({ reader, of }) => compare(row, reader, of)),
    ),
  )
  assert.deepEqual(leaks, [])
  const head = columns.map(({ title }) => title)
  expectGolden(
    new URL('./scope-leaks.golden.txt', import.meta.url),
    `${[line('', head), ...rows].join('\n')}\n`,
  )
})

function ofRelease({ product, version, sha256 }: Readonly<Record<string, string>>) {
  return { product: product!, version: version!, sha256: sha256! }
}

/** Every route that reads, and questions to it that a reader may think of. */
function readingPaths(own: Readonly<Record<string, string>>): [string, string][] {
  const params = { role: 'viewer', vulnerability: 'OSV-1', ...own }
  const queries: Readonly<Record<string, readonly string[]>> = {
    'release.files': ['platform=linux/amd64'],
    'release.packages': ['platform=linux/amd64'],
    'release.changes': ['from=0.9.0'],
    'devices.count': ['', 'product=cove', 'fleet=canoes', 'version=1.0.0'],
    'devices.list': ['', 'product=cove', 'fleet=canoes', 'fleet=barges', 'q=till'],
    'rollout.list': ['', 'fleet=canoes', 'fleet=barges'],
    'vex.list': ['', 'product=cove'],
    'variable.list': ['', `deviceId=${own['deviceId']!}`],
    'secret.list': ['', `deviceId=${own['deviceId']!}`],
  }
  const ofRoutes = routes
    .filter(
      ({ auth, method, path }) => auth === 'actor' && method === 'GET' && !ofNoScope.test(path),
    )
    .flatMap(({ name, path }) =>
      (queries[name] ?? ['']).map((query): [string, string] => {
        const deviceId = own[name === 'foreign-device.show' ? 'foreignId' : 'deviceId']!
        const ids = { ...params, deviceId }
        const asked = query === '' ? '' : `?${query}`
        return [
          `${name}${query.includes('deviceId') ? ', of a device' : asked}`,
          `${formatPath(path, ids)}${asked}`,
        ]
      }),
    )
  const sets = ['products', 'channels', 'releases', 'fleets', 'devices', 'deviceTags']
  const moreSets = ['rollouts', 'updates', 'fleetVariables', 'deviceVariables']
  const ofSets = [...sets, ...moreSets].map((set): [string, string] => [
    `odata ${set}`,
    `/odata/v1/${set}?$count=true`,
  ])
  const expanded = 'hasFleets($expand=hasDevices/$count),hasReleases/$count'
  const others = [
    '/odata/v1/fleets?$expand=hasDevices/$count,hasRollouts',
    `/odata/v1/products?$expand=${expanded}`,
    "/odata/v1/products?$filter=hasFleets/any(f:f/name eq 'canoes')",
    '/odata/v1/fleets?$search=canoes OR barges OR boats',
    '/odata/pine/v1/fleets?$count=true',
    '/v2/bay/tags/list',
    '/v2/cove/tags/list',
  ]
  // What is there by a name of somebody else's must not show either.
  const ofOthers = ['/v1/fleets/canoes', '/v1/fleets/canoes/variables', '/v1/fleets/barges']
  return [
    ...ofRoutes,
    ...ofSets,
    ...[...others, ...ofOthers].map((path): [string, string] => [path, encodeURI(path)]),
  ]
}

async function ask(path: string, token: string): Promise<unknown> {
  const { status, bytes } = await client.send('GET', path, { token })
  const isOfOthers = /cove|canoes|barges/.test(path)
  const isAnswered = ![400, 429, 500].includes(status) && (isOfOthers || status !== 404)
  assert.ok(isAnswered, `${path}: ${status} ${utf8Decode(bytes)}`)
  return { status, body: status === 204 ? null : (JSON.parse(utf8Decode(bytes)) as unknown) }
}

/** Waits until everything that was pushed is read and compared, and counts what devices run. */
async function settle(): Promise<void> {
  await waitUntil('every release is read and compared', async () => {
    const { pending } = await client.api.call(listExposures, {})
    return pending.releasesCount + pending.componentsCount === 0
  })
  await countNow(server.dataDir)
}

/** The places where two replies differ, with both values. */
function differences(earlier: unknown, later: unknown, at = ''): string[] {
  if (ofTime.test(at)) return []
  if (typeof earlier === 'string' && typeof later === 'string') {
    if (earlier.replaceAll(timeOfDay, '') === later.replaceAll(timeOfDay, '')) return []
  }
  if (typeof earlier !== 'object' || typeof later !== 'object' || !earlier || !later) {
    return earlier === later ? [] : [`${at} ${JSON.stringify(earlier)} → ${JSON.stringify(later)}`]
  }
  const names = new Set([...Object.keys(earlier), ...Object.keys(later)])
  const [before, after] = [earlier, later] as Record<string, unknown>[]
  return [...names].flatMap((name) => differences(before![name], after![name], `${at}/${name}`))
}
