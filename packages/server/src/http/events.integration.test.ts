/** Changes as pages hear of them, over the real server with two workers. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { after, before, test } from 'node:test'
import { removeDevice, setDevice } from '@seaworthy/api/devices'
import type { ChangeEvent } from '@seaworthy/api/events'
import { changeEvent, eventsPath } from '@seaworthy/api/events'
import { createFleet, setFleet } from '@seaworthy/api/fleets'
import { createToken, revokeToken } from '@seaworthy/api/tokens'
import { waitUntil } from '@seaworthy/std/testing'
import type { TestClient, TestServer } from '../testing/index.ts'
import {
  addDevice,
  createTestClient,
  makeProvisioningKey,
  report,
  setUpTrust,
  startTestServer,
} from '../testing/index.ts'

let server: TestServer
let client: TestClient
const opened: ClientRequest[] = []

before(async () => {
  server = await startTestServer({ workers: 2 })
  client = createTestClient(server)
  await setUpTrust(client)
  await client.api.call(createFleet, {
    body: { name: 'labs', product: 'acme', channel: 'stable' },
  })
})
after(async () => {
  for (const one of opened) one.destroy()
  client.close()
  await server.stop()
})

interface Stream {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly events: ChangeEvent[]
  readonly text: () => string
  readonly hasEnded: () => boolean
  readonly leave: () => void
}

async function open(token: string): Promise<Stream> {
  const asked = request(`${server.url}${eventsPath}`, {
    ...{ rejectUnauthorized: false, agent: false },
    headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream' },
  })
  opened.push(asked)
  asked.on('error', () => undefined)
  asked.end()
  const [res] = (await once(asked, 'response')) as [IncomingMessage]
  const events: ChangeEvent[] = []
  let [text, rest, hasEnded] = ['', '', false]
  res.setEncoding('utf8')
  res.on('data', (piece: string) => {
    text += piece
    const blocks = (rest + piece).split('\n\n')
    rest = blocks.pop()!
    for (const block of blocks) {
      if (!block.startsWith('event: change\n')) continue
      events.push(changeEvent.parse(JSON.parse(block.slice(block.indexOf('data: ') + 6))))
    }
  })
  res.on('error', () => undefined)
  res.once('close', () => (hasEnded = true))
  return {
    ...{ status: res.statusCode!, headers: res.headers, events },
    text: () => text,
    hasEnded: () => hasEnded,
    leave: () => asked.destroy(),
  }
}

async function hold(name: string, role = 'viewer', fleets?: readonly string[]) {
  const scope = fleets === undefined ? {} : { fleets: [...fleets] }
  const body = { name, role, ...scope, lifetimeSeconds: 3600 }
  return await client.api.call(createToken, { body })
}

const hears = (stream: Stream, noun: string, id?: string) =>
  waitUntil(`an event of ${noun}`, () =>
    Promise.resolve(
      stream.events.some((one) => one.noun === noun && (id === undefined || one.ids.includes(id))),
    ),
  )

test('D5 whoever watches hears which nouns changed, through whichever worker it was, and never what they became', async () => {
  const { token } = await hold('watcher')
  // Connections are spread over both workers: some of these are with the other one.
  const streams = [await open(token), await open(token), await open(token), await open(token)]
  for (const { status, headers } of streams) {
    assert.equal(status, 200)
    assert.equal(headers['content-type'], 'text/event-stream')
    assert.equal(headers['cache-control'], 'no-store')
  }
  const device = await addDevice(client, server.url, await makeProvisioningKey(client, 1))
  for (const stream of streams) await hears(stream, 'device', device.id)
  for (const { events } of streams) events.length = 0
  await report(client, device, { sequence: 1, update: { state: 'downloading' } }, true)
  for (const stream of streams) await hears(stream, 'device', device.id)
  await client.api.call(setFleet, { params: { fleet: 'shops' }, body: { pollSeconds: 77 } })
  for (const stream of streams) {
    await hears(stream, 'fleet', 'shops')
    assert.doesNotMatch(stream.text(), /downloading|77|pollSeconds/)
    stream.leave()
  }
})

test('D5 a burst of changes is few events', async () => {
  const { token } = await hold('burst')
  const stream = await open(token)
  const device = await addDevice(client, server.url, await makeProvisioningKey(client, 1))
  const startedMs = performance.now()
  const params = { deviceId: device.id }
  for (let i = 0; i < 40; i++) {
    await client.api.call(setDevice, { params, body: { name: `name-${i}` } })
  }
  await hears(stream, 'device', device.id)
  await client.api.call(setFleet, { params: { fleet: 'labs' }, body: { pollSeconds: 78 } })
  await hears(stream, 'fleet', 'labs')
  const seconds = (performance.now() - startedMs) / 1000
  const told = stream.events.filter(({ noun }) => noun === 'device').length
  assert.ok(told <= seconds + 2, `${told} events in ${seconds} s`)
  stream.leave()
})

test('attack: a reader with a scope, or without a permission, hears of nothing that the lists would not show', async () => {
  const scoped = await open((await hold('only-labs', 'viewer', ['labs'])).token)
  const all = await open((await hold('all')).token)
  const device = await addDevice(client, server.url, await makeProvisioningKey(client, 1))
  const params = { deviceId: device.id }
  await hears(all, 'device', device.id)
  await client.api.call(setDevice, { params, body: { name: 'out-of-scope' } })
  await client.api.call(setFleet, { params: { fleet: 'shops' }, body: { pollSeconds: 79 } })
  await hears(all, 'fleet', 'shops')
  await client.api.call(removeDevice, { params })
  // Changes are told in their order: what comes after the others shows that they were not told.
  await client.api.call(setFleet, { params: { fleet: 'labs' }, body: { pollSeconds: 80 } })
  await hears(scoped, 'fleet', 'labs')
  assert.deepEqual(
    scoped.events.map(({ noun, ids }) => [noun, ids]),
    [['fleet', ['labs']]],
  )
  assert.doesNotMatch(scoped.text(), new RegExp(`${device.id}|shops`))
  for (const stream of [scoped, all]) stream.leave()
})

test('attack: a token that was revoked hears nothing more, and its stream ends', async () => {
  const { token, view } = await hold('revoked')
  const stream = await open(token)
  await client.api.call(revokeToken, { params: { tokenId: view.id } })
  await waitUntil('the stream ends', () => Promise.resolve(stream.hasEnded()))
  assert.equal((await open(token)).status, 401)
})

test('attack: whoever opens many streams is refused, and devices are answered as before', async () => {
  const { token } = await hold('greedy')
  const streams: Stream[] = []
  // Each of the two workers takes eight of one account.
  for (let i = 0; i < 20; i++) streams.push(await open(token))
  const refused = streams.filter(({ status }) => status === 429)
  assert.ok(refused.length >= 4, `${refused.length} of ${streams.length} were refused`)
  assert.ok(refused.every(({ headers }) => headers['retry-after'] === '30'))
  const device = await addDevice(client, server.url, await makeProvisioningKey(client, 1))
  await report(client, device, { sequence: 1 }, true)
  for (const stream of streams) stream.leave()
  await waitUntil('others may watch again', async () => {
    const again = await open(token)
    again.leave()
    return again.status === 200
  })
})
