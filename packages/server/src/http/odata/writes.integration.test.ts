/** Changes by OData over HTTPS: they are the changes of the routes under `/v1`, and no others. */
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { after, before, test } from 'node:test'
import { approveRequest, listApprovals, setApprovalPolicy } from '@seaworthy/api/approvals'
import { showDevice } from '@seaworthy/api/devices'
import { showFleet } from '@seaworthy/api/fleets'
import { createToken } from '@seaworthy/api/tokens'
import { createInvitation } from '@seaworthy/api/invitations'
import { listVariables } from '@seaworthy/api/variables'
import { utf8Decode } from '@seaworthy/std/bytes'
import { waitUntil } from '@seaworthy/std/testing'
import { findProgram, skipWithout } from '@seaworthy/std/testing/programs'
import type { TestBrowser, TestClient, TestServer } from '../../testing/index.ts'
import {
  acceptLink,
  becomeOwner,
  createTestBrowser,
  createTestClient,
  fillFleet,
  setUpTrust,
  startTestServer,
} from '../../testing/index.ts'

let server: TestServer
let client: TestClient
let db: ReturnType<TestServer['openDatabase']>
let devices: string[]
let viewer: string
let elsewhere: string
let owner: TestBrowser
let other: TestBrowser

interface Answered {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Readonly<Record<string, unknown>>
}

async function change(
  method: string,
  path: string,
  body: object | undefined,
  token = server.adminToken,
  headers: Record<string, string> = {},
): Promise<Answered> {
  const type = body === undefined ? {} : { 'content-type': 'application/json' }
  const answer = await client.send(method, path.startsWith('/') ? path : `/odata/v1/${path}`, {
    ...(token === '' ? {} : { token }),
    headers: { ...type, ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = utf8Decode(answer.bytes)
  return {
    status: answer.status,
    headers: answer.headers,
    body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
  }
}

/** The newest entries of the log, newest first. */
async function newestEntries(count: number): Promise<Record<string, unknown>[]> {
  const rows = await db.reader.sql<{ entry: Uint8Array }[]>`
    select entry from audit_entries order by id desc limit ${count}`
  return rows.map(({ entry }) => JSON.parse(utf8Decode(entry)) as Record<string, unknown>)
}

before(async () => {
  server = await startTestServer()
  client = createTestClient(server)
  db = server.openDatabase()
  await setUpTrust(client)
  devices = (await fillFleet(client, server.url, 4)).map(({ id }) => id)
  owner = createTestBrowser(server, client)
  await becomeOwner(server, owner)
  await owner.stepUp()
  const { link } = await owner.api.call(createInvitation, { body: { role: 'owner' } })
  other = createTestBrowser(server, client)
  await acceptLink(other, link, 'Another owner')
  const make = async (name: string, role: 'viewer' | 'admin', fleets?: string[]) => {
    const scope = fleets === undefined ? {} : { fleets }
    const body = { name, role, lifetimeSeconds: 3600, ...scope }
    return (await client.api.call(createToken, { body })).token
  }
  viewer = await make('viewer', 'viewer')
  elsewhere = await make('elsewhere', 'admin', ['elsewhere'])
})
after(async () => {
  client.close()
  await db.close()
  await server.stop()
})

test('A4 V4 a change by OData is that of the route under /v1: use case, audit action, form of the body', async () => {
  const [deviceId] = devices as [string]
  const device = `devices('${deviceId}')`
  const changed = await change('PATCH', device, { name: 'till-9', tags: { region: 'north' } })
  assert.equal(changed.status, 204)
  assert.equal(changed.headers['odata-entityid'], `${server.url}/odata/v1/${device}`)
  const shown = await client.api.call(showDevice, { params: { deviceId } })
  assert.equal(shown.name, 'till-9')
  assert.deepEqual(shown.tags, { region: 'north' })
  const [entry] = await newestEntries(1)
  assert.equal(entry!['action'], 'devices.set')
  assert.equal(entry!['subject'], deviceId)
  assert.equal(entry!['outcome'], 'done')

  const prefer = { prefer: 'return=representation' }
  const told = await change('PATCH', device, { name: 'till-8' }, server.adminToken, prefer)
  assert.equal(told.status, 200)
  assert.equal(told.body['name'], 'till-8')

  const quay = { name: 'quay', product: 'acme', channel: 'stable' }
  const made = await change('POST', 'fleets', quay)
  assert.equal(made.status, 201)
  assert.equal(made.headers['location'], `${server.url}/odata/v1/fleets('quay')`)
  assert.equal(made.body['name'], 'quay')
  const again = await change('POST', 'fleets', quay)
  assert.deepEqual([again.status, again.body['code']], [409, 'fleet_exists'])
  assert.equal((await change('PATCH', "fleets('quay')", { pollSeconds: 77 })).status, 204)
  const fleet = await client.api.call(showFleet, { params: { fleet: 'quay' } })
  assert.equal(fleet.pollSeconds, 77)

  const variable = "fleetVariables(fleet='quay',name='COLOUR')"
  const listed = async () =>
    (await client.api.call(listVariables, { params: { fleet: 'quay' }, query: {} })).items
  assert.equal((await change('PATCH', variable, { value: 'blue' })).status, 204)
  assert.deepEqual(
    (await listed()).map(({ value }) => value),
    ['blue'],
  )
  assert.equal((await change('DELETE', variable, undefined)).status, 204)
  assert.deepEqual(await listed(), [])

  assert.equal((await change('DELETE', `devices('${devices[3]}')`, undefined)).status, 204)
  const gone = await change('PATCH', `devices('${devices[3]}')`, { name: 'x' })
  assert.equal(gone.status >= 400, true, 'a removed device stays as it is')
})

test('A3 A4 attack: no change by OData gets past permission, scope, form, session or another site', async () => {
  const [, deviceId] = devices as [string, string]
  const device = `devices('${deviceId}')`
  const before = await client.api.call(showDevice, { params: { deviceId } })
  const codeOf = async (...call: Parameters<typeof change>) => {
    const { status, body } = await change(...call)
    return `${status} ${String(body['code'])}`
  }
  const body = { name: 'stolen' }
  assert.equal(await codeOf('PATCH', device, body, viewer), '403 permission_denied')
  const [entry] = await newestEntries(1)
  assert.deepEqual([entry!['action'], entry!['outcome']], ['devices.set', 'refused'])
  assert.equal(await codeOf('PATCH', device, body, elsewhere), '403 out_of_scope')
  assert.equal(await codeOf('DELETE', device, undefined, elsewhere), '403 out_of_scope')
  assert.equal(await codeOf('PATCH', device, body, ''), '401 unauthenticated')
  for (const unknown of [{ platform: 'linux/mips' }, { name: 1 }, [], '[object Object]']) {
    assert.equal(await codeOf('PATCH', device, unknown as object), '400 invalid_request')
  }
  for (const [method, path] of [
    ['PATCH', 'devices'],
    ['DELETE', 'devices'],
    ['DELETE', 'fleets'],
    ['POST', 'devices'],
    ['POST', "fleets('quay')"],
    ['PATCH', "products('acme')"],
    ['DELETE', "releases(product='acme',version='1.0.0')"],
    ['PATCH', `${device}/inFleet`],
    ['PATCH', `${device}?$filter=true`],
    ['PATCH', 'fleets?$filter=true'],
    ['POST', 'fleets?$filter=true'],
    ['PATCH', '$metadata'],
    ['PATCH', ''],
  ] as const) {
    const asked = method === 'DELETE' ? undefined : body
    assert.equal(await codeOf(method, path, asked), '400 odata_not_supported', `${method} ${path}`)
  }
  assert.equal(await codeOf('PUT', device, body), '405 method_not_allowed')
  assert.deepEqual(await client.api.call(showDevice, { params: { deviceId } }), before)
})

const cookieOf = ({ cookies }: TestBrowser) => ({
  cookie: `__Host-seaworthy=${cookies.get('__Host-seaworthy')}`,
})

interface Many {
  readonly status: number
  readonly code: unknown
  readonly detail: unknown
  readonly token: string
  readonly effect: readonly string[]
  readonly ids: readonly string[]
}

/** A change of what a filter finds; `step` is a dry run, or the token of one. */
async function changeMany(
  method: 'PATCH' | 'DELETE',
  filter: string,
  body: object | undefined,
  step: 'dry run' | { readonly token: string } | 'neither',
  ...credential: [token?: string, headers?: Record<string, string>]
): Promise<Many> {
  const more =
    step === 'dry run'
      ? '&dryRun=true'
      : step === 'neither'
        ? ''
        : `&dryRunToken=${encodeURIComponent(step.token)}`
  const path = `devices?$filter=${encodeURIComponent(filter)}${more}`
  const { status, body: answer } = await change(method, path, body, ...credential)
  const { code, detail, dryRunToken: token, effect = [], value = [] } = answer
  return {
    ...{ status, code, detail, token: String(token), effect: effect as string[] },
    ids: (value as { id: string }[]).map(({ id }) => id),
  }
}

/** Rows of devices that never register: what becomes of them is all that is asked here. */
async function insertDevices(fleet: string, product: string, count: number): Promise<void> {
  await db.write(async ({ sql }) => {
    await sql`
      insert into fleets (name, product, channel, poll_seconds, updates_enabled, created_at)
      values (${fleet}, ${product}, 'stable', 3600, true, now()) on conflict do nothing`
    await sql`
      insert into devices (id, fleet, key_id, public_key, platform, agent_version, tags, registered_at)
      select 'device_0' || substr(md5(${fleet} || n), 1, 25), ${fleet}, md5(${fleet} || n || 'key'), '{}',
        'linux/amd64', '0.1.0', '{}', now() from generate_series(1, ${count}::int) n`
  })
}

const listOf = async (fleet: string) =>
  (
    await db.reader.sql<{ id: string; tags: Record<string, string> }[]>`
    select id, tags from devices where fleet = ${fleet} order by id`
  ).map(({ id, tags }) => ({ id, tags }))
const idsOf = async (fleet: string) => (await listOf(fleet)).map(({ id }) => id)
const entryCount = async () => {
  const [row] = await db.reader.sql<
    { count: number }[]
  >`select count(*) as count from audit_entries`
  return row!.count
}

test('A4 V4 T9 a change of what a filter finds does what its dry run has shown, with an entry for each', async () => {
  await insertDevices('buoys', 'acme', 3)
  const filter = "fleet eq 'buoys'"
  const ids = await idsOf('buoys')
  const body = { tags: { sea: 'north' } }
  const entries = await entryCount()
  const early = await changeMany('PATCH', filter, body, 'neither')
  assert.deepEqual([early.status, early.code], [409, 'odata_dry_run_needed'])
  const dry = await changeMany('PATCH', filter, body, 'dry run')
  assert.equal(dry.status, 200, String(dry.detail))
  assert.deepEqual(dry.ids, ids)
  assert.equal(await entryCount(), entries, 'a dry run changes and records nothing')
  assert.ok((await listOf('buoys')).every(({ tags }) => tags['sea'] === undefined))

  const done = await changeMany('PATCH', filter, body, dry)
  assert.deepEqual([done.status, done.ids], [200, ids], String(done.detail))
  assert.ok((await listOf('buoys')).every(({ tags }) => tags['sea'] === 'north'))
  const written = await newestEntries(3)
  for (const { action, outcome, detail } of written) {
    assert.deepEqual([action, outcome], ['devices.set', 'done'])
    assert.equal((detail as Record<string, unknown>)['filter'], filter)
  }
  assert.deepEqual(written.map(({ subject }) => String(subject)).toSorted(), ids)
  const again = await changeMany('PATCH', filter, body, dry)
  assert.deepEqual([again.status, again.code], [409, 'odata_dry_run_stale'])

  // Everything moves, or nothing does: one device turns out to be of another product meanwhile.
  await insertDevices('lamps', 'acme', 1)
  const all = "fleet in ('buoys','lamps')"
  const move = await changeMany('PATCH', all, { fleet: 'shops' }, 'dry run')
  assert.equal(move.status, 200, String(move.detail))
  await db.write(({ sql }) => sql`update fleets set product = 'lighting' where name = 'lamps'`)
  const mixed = await changeMany('PATCH', all, { fleet: 'shops' }, move)
  assert.deepEqual([mixed.status, mixed.code], [404, 'fleet_not_found'])
  const [lamp] = await idsOf('lamps')
  assert.match(String(mixed.detail), new RegExp(`^devices\\('${lamp}'\\): the product has no`))
  assert.deepEqual(await idsOf('buoys'), ids)

  const removal = await changeMany('DELETE', filter, undefined, 'dry run')
  assert.equal(removal.effect.length, 3)
  assert.match(removal.effect[0]!, /^Would remove from the fleet buoys the device /)
  const removed = await changeMany('DELETE', filter, undefined, removal)
  assert.deepEqual([removed.status, removed.ids], [200, ids], String(removed.detail))
  assert.deepEqual(await idsOf('buoys'), [])
  const nobody = await changeMany('DELETE', filter, undefined, 'dry run')
  assert.deepEqual([nobody.status, nobody.ids], [200, []])
})

test('A3 A4 V4 attack: the token of a dry run is good for nothing but what it has shown, to the same caller', async () => {
  await insertDevices('pilots', 'acme', 3)
  const filter = "fleet eq 'pilots'"
  const body = { tags: { sea: 'south' } }
  const before = await listOf('pilots')
  const dry = await changeMany('PATCH', filter, body, 'dry run')
  const codeOf = async (...call: Parameters<typeof changeMany>) => (await changeMany(...call)).code
  const made = await client.api.call(createToken, {
    body: { name: 'second', role: 'admin', lifetimeSeconds: 3600 },
  })
  assert.equal(await codeOf('PATCH', filter, body, dry, made.token), 'odata_dry_run_stale')
  assert.equal(await codeOf('PATCH', filter, { tags: {} }, dry), 'odata_dry_run_stale')
  assert.equal(await codeOf('DELETE', filter, undefined, dry), 'odata_dry_run_stale')
  const [first] = before
  assert.equal(await codeOf('PATCH', `id eq '${first!.id}'`, body, dry), 'odata_dry_run_stale')
  for (const token of ['', 'x', `${dry.token}x`, server.adminToken, 'undefined']) {
    assert.equal(await codeOf('PATCH', filter, body, { token }), 'odata_dry_run_needed')
  }
  assert.equal(await codeOf('PATCH', filter, body, dry, viewer), 'permission_denied')
  // A device comes to be found, goes, or is changed by somebody else.
  await insertDevices('pilots-new', 'acme', 1)
  const [added] = await idsOf('pilots-new')
  await db.write(({ sql }) => sql`update devices set fleet = 'pilots' where id = ${added!}`)
  assert.equal(await codeOf('PATCH', filter, body, dry), 'odata_dry_run_stale')
  await db.write(({ sql }) => sql`delete from devices where id = ${added!}`)
  await db.write(({ sql }) => sql`update devices set name = 'renamed' where id = ${first!.id}`)
  assert.equal(await codeOf('PATCH', filter, body, dry), 'odata_dry_run_stale')
  await db.write(({ sql }) => sql`update devices set name = null where id = ${first!.id}`)
  assert.deepEqual(await listOf('pilots'), before)

  // Whoever does not reach the fleet finds nothing in it, and the token for nothing opens nothing.
  const unseen = await changeMany('PATCH', filter, body, 'dry run', elsewhere)
  assert.deepEqual([unseen.status, unseen.ids], [200, []])
  assert.equal(await codeOf('PATCH', filter, body, { token: unseen.token }), 'odata_dry_run_stale')
  for (const [path, code] of [
    ["devices?$filter=contains(name,'x')&dryRun=true", 'odata_not_indexed'],
    ["devices?$filter=fleet eq 'pilots'&dryRun=yes", 'odata_malformed'],
    ["devices?$filter=fleet eq 'pilots'&dryRun=true&$top=1", 'odata_not_supported'],
    ["fleets?$filter=name eq 'pilots'&dryRun=true", 'odata_not_supported'],
    ['devices?$filter=&dryRun=true', 'odata_malformed'],
  ] as const) {
    const asked = await change('PATCH', encodeURI(path), body)
    assert.equal(asked.body['code'], code, path)
  }
  await insertDevices('fishes', 'acme', 501)
  const many = await changeMany('PATCH', "fleet eq 'fishes'", body, 'dry run')
  assert.deepEqual([many.status, many.code], [400, 'odata_too_large'])
  assert.deepEqual(await listOf('pilots'), before)
  const done = await changeMany('PATCH', filter, body, dry)
  assert.equal(done.status, 200, 'the world is again as it was shown')
})

test('V4 changes of the same devices, by filters and one by one, wait for each other', async () => {
  await insertDevices('left', 'acme', 6)
  await insertDevices('right', 'acme', 6)
  const filter = "fleet in ('left','right')"
  const { token } = await client.api.call(createToken, {
    body: { name: 'rival', role: 'admin', lifetimeSeconds: 3600 },
  })
  const outcomes: unknown[] = []
  const move = async (fleets: readonly string[], credential: string) => {
    for (const fleet of fleets) {
      const dry = await changeMany('PATCH', filter, { fleet }, 'dry run', credential)
      const done = await changeMany('PATCH', filter, { fleet }, dry, credential)
      outcomes.push(dry.code ?? 'dry run', done.code ?? 'done')
    }
  }
  await Promise.all([
    move(['left', 'right', 'left'], server.adminToken),
    move(['right', 'left', 'right'], token),
    ...[...(await idsOf('left')), ...(await idsOf('right'))].map(async (id) => {
      for (const fleet of ['left', 'right', 'left', 'right']) {
        const { status, body } = await change('PATCH', `devices('${id}')`, { fleet })
        outcomes.push(status === 204 ? 'done' : JSON.stringify(body))
      }
    }),
  ])
  const expected = ['dry run', 'done', 'odata_dry_run_stale']
  const others = outcomes.filter((one) => !expected.includes(String(one)))
  assert.deepEqual(others, [])
  assert.ok(outcomes.includes('done'))
  assert.equal((await idsOf('left')).length + (await idsOf('right')).length, 12)
})

test('A9 V4 attack: changes by filters that wait for a lock leave others the connections by which they write', async () => {
  await insertDevices('stuck', 'acme', 1)
  const [deviceId] = await idsOf('stuck')
  const answers: Many[] = []
  const asked = await db.write(async ({ sql }) => {
    await sql`select 1 from devices where id = ${deviceId!} for update`
    const all = [1, 2, 3, 4].map(async () => {
      const body = { name: 'x' }
      answers.push(await changeMany('PATCH', `id eq '${deviceId}'`, body, 'dry run'))
    })
    // The connection must not be idle meanwhile.
    await waitUntil('all but one change are answered', async () => {
      await sql`select 1`
      return answers.length === 3
    })
    return { all }
  })
  await Promise.all(asked.all)
  assert.deepEqual(
    answers.map(({ status, code }) => [status, code]),
    [...Array.from({ length: 3 }, () => [429, 'odata_waiting']), [200, undefined]],
  )
})

test('A4 V4 T9 tags and variables are made, changed and removed by the routes of their device and fleet', async () => {
  const [, deviceId] = devices as [string, string]
  const tagsOf = async () => (await client.api.call(showDevice, { params: { deviceId } })).tags
  await change('PATCH', `devices('${deviceId}')`, { tags: { region: 'north' } })
  const made = await change('POST', 'deviceTags', { device: deviceId, name: 'site', value: 'quay' })
  assert.equal(made.status, 201, JSON.stringify(made.body))
  assert.deepEqual([made.body['name'], made.body['value']], ['site', 'quay'])
  const site = `deviceTags(device='${deviceId}',name='site')`
  assert.equal((await change('PATCH', site, { value: 'pier' })).status, 204)
  assert.deepEqual(await tagsOf(), { region: 'north', site: 'pier' })
  const [entry] = await newestEntries(1)
  assert.deepEqual([entry!['action'], entry!['subject']], ['devices.set', deviceId])
  assert.equal((await change('DELETE', site, undefined)).status, 204)
  assert.deepEqual(await tagsOf(), { region: 'north' })
  const again = await change('DELETE', site, undefined)
  assert.deepEqual([again.status, again.body['code']], [404, 'odata_not_found'])
  // Each tag is one change of the same device: none of them takes another one back.
  const names = Array.from({ length: 12 }, (_, i) => `tag-${i}`)
  const all = await Promise.all(
    names.map((name) => change('POST', 'deviceTags', { device: deviceId, name, value: name })),
  )
  assert.ok(all.every(({ status }) => status === 201))
  assert.deepEqual(Object.keys(await tagsOf()).length, 13)
  const [fleet] = await db.reader.sql<{ fleet: string }[]>`
    select fleet from devices where id = ${deviceId}`
  const variablesOf = async (query: { deviceId?: string }) => {
    const params = { fleet: fleet!.fleet }
    const { items } = await client.api.call(listVariables, { params, query })
    return items.map(({ name, value, deviceId: of }) => [name, value, of])
  }
  const colour = { name: 'COLOUR', value: 'red' }
  const ofDevice = await change('POST', 'deviceVariables', { device: deviceId, ...colour })
  assert.deepEqual([ofDevice.status, ofDevice.body['value']], [201, 'red'])
  const ofFleet = await change('POST', 'fleetVariables', { fleet: fleet!.fleet, ...colour })
  assert.equal(ofFleet.status, 201, JSON.stringify(ofFleet.body))
  const variable = `deviceVariables(device='${deviceId}',name='COLOUR')`
  assert.equal((await change('PATCH', variable, { value: 'blue' })).status, 204)
  const [changed] = await newestEntries(1)
  assert.deepEqual([changed!['action'], changed!['subject']], ['variable.set', fleet!.fleet])
  assert.deepEqual(
    (await variablesOf({ deviceId })).find(([, , of]) => of !== null),
    ['COLOUR', 'blue', deviceId],
  )
  assert.equal((await change('DELETE', variable, undefined)).status, 204)
  assert.deepEqual(await variablesOf({}), [['COLOUR', 'red', null]])
})

test('A3 A4 attack: a change of a tag or variable takes along what its key does not name, or reaches beyond a scope', async () => {
  const [, deviceId] = devices as [string, string]
  const codeOf = async (...call: Parameters<typeof change>) => {
    const { status, body } = await change(...call)
    return `${status} ${String(body['code'])}`
  }
  const before = await client.api.call(showDevice, { params: { deviceId } })
  const of = `device='${deviceId}',name=`
  const tag = `deviceTags(${of}'region')`
  const variable = `deviceVariables(${of}'COLOUR')`
  const ofFleet = `fleetVariables(fleet='${before.fleet}',name='COLOUR')`
  const value = 'stolen'
  for (const path of [tag, variable, ofFleet]) {
    assert.equal(await codeOf('PATCH', path, { value }, viewer), '403 permission_denied', path)
    assert.equal(await codeOf('PATCH', path, { value }, elsewhere), '403 out_of_scope', path)
    assert.equal(await codeOf('DELETE', path, undefined, elsewhere), '403 out_of_scope', path)
    for (const more of [{ deviceId }, { device: devices[0] }, { name: 'x' }, { fleet: 'quay' }]) {
      assert.equal(await codeOf('PATCH', path, { value, ...more }), '400 invalid_request', path)
    }
    assert.equal(await codeOf('PATCH', path, {}), '400 invalid_request', path)
    assert.equal(await codeOf('POST', path, { value }), '400 odata_not_supported', path)
  }
  for (const set of ['deviceTags', 'deviceVariables', 'fleetVariables']) {
    assert.equal(await codeOf('PATCH', set, { value }), '400 odata_not_supported', set)
    assert.equal(await codeOf('POST', set, { name: 'x', value }), '400 invalid_request', set)
  }
  for (const name of ['Region', '__proto__', 'a b', 'constructor ']) {
    const body = { device: deviceId, name, value }
    assert.equal(await codeOf('POST', 'deviceTags', body), '400 invalid_request', name)
    assert.equal(await codeOf('POST', 'deviceVariables', body), '400 invalid_request', name)
  }
  assert.equal(
    await codeOf('DELETE', `deviceTags(${of}'constructor')`, undefined),
    '404 odata_not_found',
  )
  assert.deepEqual(await client.api.call(showDevice, { params: { deviceId } }), before)
})

test('A2 A3 attack: a removal by OData wants the same confirmation and approval as under /v1', async () => {
  const [, , deviceId] = devices as [string, string, string]
  await owner.stepUp()
  await owner.api.call(setApprovalPolicy, {
    body: { releaseDevicesAbove: null, deviceRemoval: true, credentialLease: false },
  })
  const remove = (site: object) =>
    change('DELETE', `devices('${deviceId}')`, undefined, '', { ...cookieOf(owner), ...site })
  const foreign = await remove({ origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' })
  assert.deepEqual([foreign.status, foreign.body['code']], [403, 'request_cross_site'])
  const own = { origin: server.url, 'sec-fetch-site': 'same-origin' }
  await owner.stepUp()
  const asked = await remove(own)
  assert.equal(asked.body['code'], 'approval_required', JSON.stringify(asked.body))
  await db.write(({ sql }) => sql`update sessions set stepped_up_at = null`)
  const unconfirmed = await remove(own)
  assert.equal(unconfirmed.body['code'], 'step_up_required')
  await client.api.call(showDevice, { params: { deviceId } })
})

test('A2 A3 V4 another person approves once what a filter finds, and exactly that', async () => {
  await insertDevices('wrecks', 'acme', 3)
  const filter = "fleet eq 'wrecks'"
  const site = { origin: server.url, 'sec-fetch-site': 'same-origin' }
  const remove = async () => {
    await owner.stepUp()
    const headers = { ...cookieOf(owner), ...site }
    const dry = await changeMany('DELETE', filter, undefined, 'dry run', '', headers)
    assert.equal(dry.status, 200, String(dry.detail))
    const done = await changeMany('DELETE', filter, undefined, dry, '', headers)
    return { dry, done }
  }
  const asked = await remove()
  assert.equal(asked.done.code, 'approval_required', String(asked.done.detail))
  assert.equal((await idsOf('wrecks')).length, 3)
  const open = await other.api.call(listApprovals, { query: { state: 'open' } })
  const request = open.items.find(
    ({ action, devicesMax }) => action === 'devices.remove' && devicesMax === 3,
  )!
  assert.deepEqual(request.effect, asked.dry.effect)
  // One more is found by the time it is approved: that is another call, which nobody has approved.
  const approve = async (approvalId: string) => {
    await other.stepUp()
    await other.api.call(approveRequest, { params: { approvalId } })
  }
  await approve(request.id)
  const [first] = await idsOf('wrecks')
  await db.write(({ sql }) => sql`update devices set fleet = 'lamps' where id = ${first!}`)
  const fewer = await remove()
  assert.equal(fewer.done.code, 'approval_required', String(fewer.done.detail))
  await db.write(({ sql }) => sql`update devices set fleet = 'wrecks' where id = ${first!}`)
  const last = await remove()
  assert.deepEqual(
    [last.done.status, last.done.ids],
    [200, asked.dry.ids],
    String(last.done.detail),
  )
  assert.deepEqual(await idsOf('wrecks'), [])
  const entries = await newestEntries(3)
  for (const { action, detail } of entries) {
    assert.equal(action, 'devices.remove')
    assert.equal((detail as Record<string, unknown>)['approval'], request.id)
  }
})

/** The part of `pinejs-client-core` that is used here; its own types need 66 packages. */
interface PineClient {
  patch(params: {
    resource: string
    id?: string | object
    options?: object
    body: object
  }): Promise<unknown>
  post(params: { resource: string; body: object }): Promise<unknown>
  delete(params: { resource: string; id: object }): Promise<unknown>
  get(params: { resource: string; id: object }): Promise<unknown>
}
interface PineModule {
  readonly PinejsClientCore: new (root: string) => PineClient
}

test('V4 the client of balena changes a device and makes a fleet as it is used to', async (t) => {
  if (skipWithout(t, 'odata-clients')) return
  const { PinejsClientCore } = createRequire(import.meta.url)(
    findProgram('odata-clients')!,
  ) as PineModule
  class Pine extends PinejsClientCore {
    async _request(asked: { method: string; url: string; body?: object }): Promise<unknown> {
      const { status, body } = await change(asked.method, asked.url, asked.body)
      if (status >= 400) throw new Error(`${status} ${JSON.stringify(body)}`)
      return body
    }
  }
  const pine = new Pine('/odata/pine/v1/')
  const [, deviceId] = devices as [string, string]
  await pine.patch({ resource: 'devices', id: deviceId, body: { tags: { site: 'quay' } } })
  const { tags } = await client.api.call(showDevice, { params: { deviceId } })
  assert.deepEqual(tags, { site: 'quay' })
  const body = { name: 'pine', product: 'acme', channel: 'stable' }
  const made = await pine.post({ resource: 'fleets', body })
  assert.match(JSON.stringify(made), /"name":"pine"/)
  await assert.rejects(pine.post({ resource: 'fleets', body }), /fleet_exists/)

  for (const resource of ['deviceTags', 'deviceVariables']) {
    const id = { device: deviceId, name: resource === 'deviceTags' ? 'berth' : 'BERTH' }
    const part = await pine.post({ resource, body: { ...id, value: '7' } })
    assert.match(JSON.stringify(part), /"value":"7"/)
    await pine.patch({ resource, id, body: { value: '8' } })
    const shown = await pine.get({ resource, id })
    assert.match(JSON.stringify(shown), /"value":"8"/)
    await pine.delete({ resource, id })
    assert.doesNotMatch(JSON.stringify((await pine.get({ resource, id })) ?? null), /"value"/)
  }
  const many = { resource: 'devices', body: { tags: { site: 'berth' } } }
  const filter = { $filter: { id: { $in: [deviceId] } } }
  const dry = (await pine.patch({ ...many, options: { ...filter, dryRun: 'true' } })) as {
    readonly dryRunToken: string
  }
  const done = await pine.patch({ ...many, options: { ...filter, dryRunToken: dry.dryRunToken } })
  assert.match(JSON.stringify(done), /"isDryRun":false,"count":1/)
})

test('A9 V4 attack: dry runs by filters that never end, by one token after the other, are turned away', async () => {
  const made = await client.api.call(createToken, {
    body: { name: 'restless', role: 'admin', lifetimeSeconds: 3600 },
  })
  const codes = new Set<unknown>()
  await waitUntil('one dry run is too much', async () => {
    for (const token of [made.token, server.adminToken]) {
      codes.add((await changeMany('DELETE', "id eq 'nobody'", undefined, 'dry run', token)).code)
    }
    return codes.has('too_many_requests')
  })
  assert.deepEqual([...codes], [undefined, 'too_many_requests'])
  // Whatever else the person does goes on.
  const read = await client.api.call(showDevice, { params: { deviceId: devices[1]! } })
  assert.equal(read.id, devices[1])
})
