/** Changes by OData over HTTPS: they are the changes of the routes under `/v1`, and no others. */
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { after, before, test } from 'node:test'
import { setApprovalPolicy } from '@seaworthy/api/approvals'
import { showDevice } from '@seaworthy/api/devices'
import { showFleet } from '@seaworthy/api/fleets'
import { createToken } from '@seaworthy/api/tokens'
import { createInvitation } from '@seaworthy/api/invitations'
import { listVariables } from '@seaworthy/api/variables'
import { utf8Decode } from '@seaworthy/std/bytes'
import { findProgram, skipWithout } from '@seaworthy/std/testing/programs'
import type { TestClient, TestServer } from '../../testing/index.ts'
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
    ['PATCH', '$metadata'],
    ['PATCH', ''],
  ] as const) {
    const asked = method === 'DELETE' ? undefined : body
    assert.equal(await codeOf(method, path, asked), '400 odata_not_supported', `${method} ${path}`)
  }
  assert.equal(await codeOf('PUT', device, body), '405 method_not_allowed')
  assert.deepEqual(await client.api.call(showDevice, { params: { deviceId } }), before)
})

test('A2 A3 attack: a removal by OData wants the same confirmation and approval as under /v1', async () => {
  const [, , deviceId] = devices as [string, string, string]
  const owner = createTestBrowser(server, client)
  await becomeOwner(server, owner)
  await owner.stepUp()
  const { link } = await owner.api.call(createInvitation, { body: { role: 'owner' } })
  await acceptLink(createTestBrowser(server, client), link, 'Another owner')
  await owner.stepUp()
  await owner.api.call(setApprovalPolicy, {
    body: { releaseDevicesAbove: null, deviceRemoval: true, credentialLease: false },
  })
  const remove = (site: object) => {
    const cookie = `__Host-seaworthy=${owner.cookies.get('__Host-seaworthy')}`
    return change('DELETE', `devices('${deviceId}')`, undefined, '', { cookie, ...site })
  }
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

/** The part of `pinejs-client-core` that is used here; its own types need 66 packages. */
interface PineClient {
  patch(params: { resource: string; id: string; body: object }): Promise<unknown>
  post(params: { resource: string; body: object }): Promise<unknown>
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
})
