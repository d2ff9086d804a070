/**
 * O5: what a collector gets from a real server, what it never gets, and that nobody waits for it.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { createRollout } from '@seaworthy/api/rollouts'
import { utf8Decode } from '@seaworthy/std/bytes'
import { waitUntil } from '@seaworthy/std/testing'
import { systemSleep } from '@seaworthy/std/time'
import type { Signer } from '@seaworthy/trust/keys'
import {
  addDevice,
  createTestClient,
  makeFleet,
  makeProvisioningKey,
  makeReport,
  policyOf,
  publishAll,
  setUpTrust,
  signReport,
  startTestServer,
  waitForRollout,
} from '../../testing/index.ts'
import type { TestClient, TestDevice, TestServer } from '../../testing/index.ts'
import { scrape } from '../../testing/scrape.ts'

interface ReceivedSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: { key: string; value: Record<string, unknown> }[]
  readonly links: { traceId: string; spanId: string }[]
}

interface Receiver {
  readonly url: string
  readonly bodies: string[]
  readonly spans: () => ReceivedSpan[]
  readonly close: () => Promise<void>
}

/**
 * Takes OTLP over HTTP as a collector does; one that is `stuck` takes the connection and never
 * answers.
 */
async function startReceiver(isStuck: boolean): Promise<Receiver> {
  const bodies: string[] = []
  const server = createServer((req, res) => {
    if (isStuck) return
    const parts: Buffer[] = []
    req.on('data', (part: Buffer) => parts.push(part))
    req.on('end', () => {
      const isRight =
        req.method === 'POST' &&
        req.url === '/v1/traces' &&
        req.headers['content-type'] === 'application/json'
      if (isRight) bodies.push(utf8Decode(Buffer.concat(parts)))
      res.writeHead(isRight ? 200 : 400, { 'content-type': 'application/json' }).end('{}')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bodies,
    spans: () =>
      bodies.flatMap((body) => {
        const { resourceSpans } = JSON.parse(body) as {
          resourceSpans: { scopeSpans: { spans: ReceivedSpan[] }[] }[]
        }
        return resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans))
      }),
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const parentId = '00f067aa0ba902b7'

/** One statement is shown again with the time that it was signed with. */
const saidAt = makeReport().at

/** Its first report, signed as that of a real device: nothing was said that it could repeat. */
async function checkIn(client: TestClient, device: TestDevice, agentVersion = '0.1.0') {
  const report = makeReport({ sequence: 1, agentVersion, at: saidAt })
  const signature = await signReport(device.signer, report)
  return client.send('POST', '/v1/device/check-in', {
    token: device.accessToken,
    headers: {
      'content-type': 'application/json',
      traceparent: `00-${traceId}-${parentId}-01`,
    },
    body: JSON.stringify({ report, signature }),
  })
}

interface World {
  readonly receiver: Receiver
  readonly signers: Signer[]
  readonly server: TestServer
  readonly client: TestClient
  readonly device: TestDevice
  readonly close: () => Promise<void>
}

interface WorldOptions {
  readonly isStuck: boolean
  readonly ratio: string
}

async function openWorld({ isStuck, ratio }: WorldOptions): Promise<World> {
  const receiver = await startReceiver(isStuck)
  const args = ['--otlp-endpoint', receiver.url, '--trace-ratio', ratio]
  const server = await startTestServer({ args })
  const client = createTestClient(server)
  const { signers } = await setUpTrust(client)
  const device = await addDevice(client, server.url, await makeProvisioningKey(client, 1))
  return {
    receiver,
    signers,
    server,
    client,
    device,
    async close() {
      client.close()
      await server.stop()
      await receiver.close()
    },
  }
}

async function inWorld(
  options: WorldOptions,
  work: (world: World) => Promise<void>,
): Promise<void> {
  const world = await openWorld(options)
  try {
    await work(world)
  } finally {
    await world.close()
  }
}

/** Everything is recorded and taken. */
let shared: World

before(async () => {
  shared = await openWorld({ isStuck: false, ratio: '1' })
})
after(() => shared.close())

test('O5 a check-in is one trace: request, authentication, and the batch that carried it', async () => {
  const { receiver, server, client, device } = shared
  const secret = '9.9.9-said-in-a-report'
  assert.equal((await checkIn(client, device, secret)).status, 200)
  let request: ReceivedSpan | undefined
  let batch: ReceivedSpan | undefined
  await waitUntil('the check-in and its batch are exported', () => {
    const spans = receiver.spans()
    request = spans.find((span) => span.traceId === traceId && span.name === 'device.check-in')
    batch = spans.find(({ links }) => links.some(({ spanId }) => spanId === request?.spanId))
    return request !== undefined && batch !== undefined
  })
  const spans = receiver.spans()
  const childrenOf = (span: ReceivedSpan | undefined) =>
    spans.filter(({ parentSpanId }) => parentSpanId === span?.spanId).map(({ name }) => name)
  assert.equal(request?.parentSpanId, parentId, 'the device’s own span is above it')
  assert.equal(request.kind, 2)
  assert.ok(BigInt(request.endTimeUnixNano) > BigInt(request.startTimeUnixNano))
  const attributes = new Map(request.attributes.map(({ key, value }) => [key, value]))
  assert.deepEqual(attributes.get('http.response.status_code'), { intValue: '200' })
  assert.ok(childrenOf(request).includes('authenticate'))
  assert.equal(batch?.name, 'check-in.batch')
  assert.ok(spans.some(({ name }) => name === 'task'))
  assert.ok(spans.some(({ name }) => name === 'database.transaction'))

  const everything = receiver.bodies.join('\n')
  const never = [secret, device.id, device.accessToken, server.adminToken, 'linux/amd64']
  for (const text of never) assert.ok(!everything.includes(text), text)
  const { sum } = await scrape(client, server.adminToken)
  assert.ok(sum('seaworthy_trace_spans_exported_total') > 0)
  assert.equal(sum('seaworthy_trace_spans_dropped_total'), 0)
})

test('O5 a decision about a rollout is a span of the check-in that waits for it', async () => {
  const { receiver, signers, server, client } = shared
  await publishAll(client, server.adminToken, signers, ['1.0.0'])
  const [installer] = await makeFleet(client, server.url, 'tills', 1)
  const body = { fleet: 'tills', version: '1.0.0', policy: policyOf() }
  const { id } = await client.api.call(createRollout, { body })
  await waitForRollout(client, id, ({ waves: [wave] }) => wave?.state === 'open')
  assert.notEqual(await installer!.ask(), null)
  const settling = () => receiver.spans().find(({ name }) => name === 'rollout.settle')
  const parent = () => receiver.spans().find(({ spanId }) => spanId === settling()?.parentSpanId)
  // The parent span ends last, and spans are sent in the order in which they end.
  await waitUntil('the check-in is exported', () => parent() !== undefined)
  assert.equal(parent()?.name, 'device.check-in')
  const below = receiver.spans().filter(({ parentSpanId }) => parentSpanId === settling()?.spanId)
  assert.deepEqual(
    below.map(({ name }) => name),
    ['database.transaction'],
  )
  assert.ok(!receiver.bodies.join('').includes(id))
})

test('O5 a collector that takes connections and never answers delays nobody', () =>
  inWorld({ isStuck: true, ratio: '1' }, async ({ server, client, device }) => {
    for (let i = 0; i < 50; i++) assert.equal((await checkIn(client, device)).status, 200)
    await waitUntil('what was lost is counted', async () => {
      const { sum } = await scrape(client, server.adminToken)
      return sum('seaworthy_trace_spans_dropped_total', { reason: 'export_failed' }) > 0
    })
  }))

test('O5 at ratio 0 nothing is recorded, whatever a client asks for', () =>
  inWorld({ isStuck: false, ratio: '0' }, async ({ receiver, client, device }) => {
    assert.equal((await checkIn(client, device)).status, 200)
    await systemSleep(3000)
    assert.deepEqual(receiver.bodies, [])
  }))
