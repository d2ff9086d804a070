/**
 * The fast path for idle check-ins gives the same answers as Node's HTTP, and anything else goes
 * there.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { connect } from 'node:tls'
import type { TLSSocket } from 'node:tls'
import { createClient } from '@seaworthy/api/client'
import { checkIn } from '@seaworthy/api/device-self'
import type { DeviceReport } from '@seaworthy/api/device-self'
import { removeDevice } from '@seaworthy/api/devices'
import { httpsTransport } from '@seaworthy/oci/transport'
import { createIdleCheckInReader } from './body.ts'
import { readCheckInRequest } from './request.ts'
import type { TestClient, TestDevice, TestServer } from '../../testing/index.ts'
import {
  createTestClient,
  fillFleet,
  makeReport,
  setUpTrust,
  startTestServer,
} from '../../testing/index.ts'
import { scrape } from '../../testing/scrape.ts'

let server: TestServer
let client: TestClient
let devices: TestDevice[]
/** How long the server left a connection open on which nobody said anything. */
let silentMs: Promise<number>

before(async () => {
  server = await startTestServer({ workers: 1 })
  client = createTestClient(server)
  await setUpTrust(client)
  devices = await fillFleet(client, server.url, 3)
  const openedMs = performance.now()
  silentMs = once(await open(), 'close').then(() => performance.now() - openedMs)
})
after(async () => {
  client.close()
  await server.stop()
})

async function open(url = server.url): Promise<TLSSocket> {
  const { port } = new URL(url)
  const socket = connect({ host: '127.0.0.1', port: Number(port), rejectUnauthorized: false })
  socket.on('error', () => undefined)
  await once(socket, 'secureConnect')
  return socket
}

interface Answer {
  readonly status: number
  readonly headers: Record<string, string>
  readonly body: Record<string, unknown>
  /** Whether the header names are in small letters, as on the fast path; Node's are not. */
  readonly isFast: boolean
}

/** Reads `count` answers from the connection, in order. */
async function readAnswers(socket: TLSSocket, count: number): Promise<Answer[]> {
  const answers: Answer[] = []
  let text = ''
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    text += (chunk as Buffer).toString('latin1')
    for (;;) {
      const end = text.indexOf('\r\n\r\n')
      const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? Number.NaN)
      if (end < 0 || text.length < end + 4 + length) break
      const [status, ...lines] = text.slice(0, end).split('\r\n')
      const pairs = lines.map((line): [string, string] => {
        const colon = line.indexOf(': ')
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 2)]
      })
      answers.push({
        status: Number(status!.split(' ')[1]),
        headers: Object.fromEntries(pairs),
        body: JSON.parse(text.slice(end + 4, end + 4 + length)) as Record<string, unknown>,
        isFast: lines.some((line) => line.startsWith('date: ')),
      })
      text = text.slice(end + 4 + length)
    }
    if (answers.length >= count) break
  }
  return answers
}

function requestOf(token: string, report: DeviceReport, ...more: string[]): string {
  const body = JSON.stringify({ report })
  const lines = [
    'POST /v1/device/check-in HTTP/1.1',
    'Host: 127.0.0.1',
    'Content-Type: application/json',
    `Authorization: Bearer ${token}`,
    `Content-Length: ${body.length}`,
    ...more,
  ]
  return `${lines.join('\r\n')}\r\n\r\n${body}`
}

async function ask(request: string): Promise<Answer> {
  const socket = await open()
  socket.write(request)
  const [answer] = await readAnswers(socket, 1)
  socket.destroy()
  return answer!
}

test('O1 through the fast path and through Node the answers are the same, refusals too', async () => {
  const [first, removed] = devices as [TestDevice, TestDevice]
  const report = makeReport()
  await client.as(first.accessToken).call(checkIn, { body: { report } })
  await client.as(removed.accessToken).call(checkIn, { body: { report } })
  await client.api.call(removeDevice, { params: { deviceId: removed.id } })
  const changed = { ...report, committedCounter: 7 }
  for (const [token, said, status, isFast] of [
    [first.accessToken, report, 200, true],
    [first.accessToken, changed, 422, true],
    [`${first.accessToken.slice(0, -2)}AA`, report, 401, false],
    [removed.accessToken, report, 401, false],
  ] as const) {
    const quick = await ask(requestOf(token, said))
    const other = await ask(requestOf(token, said, 'X-Other: 1'))
    assert.equal(quick.isFast, isFast)
    assert.equal(other.isFast, false)
    assert.equal(quick.status, status)
    const comparable = ({ status: code, headers, body }: Answer) => ({
      status: code,
      headers: { ...headers, date: Number.isNaN(Date.parse(headers['date']!)) },
      body: { ...body, serverTime: typeof body['serverTime'] },
    })
    assert.deepEqual(comparable(quick), comparable(other))
  }
})

test('O1 a server that was started with --no-fast-path answers the same check-in through Node', async () => {
  const plain = await startTestServer({ workers: 1, args: ['--no-fast-path'] })
  const person = createTestClient(plain)
  try {
    await setUpTrust(person)
    const [device] = await fillFleet(person, plain.url, 1)
    const socket = await open(plain.url)
    socket.write(requestOf(device!.accessToken, makeReport()))
    const [answer] = await readAnswers(socket, 1)
    socket.destroy()
    assert.deepEqual([answer!.status, answer!.isFast], [200, false])
  } finally {
    person.close()
    await plain.stop()
  }
})

test('O5 check-ins of the fast path are counted with the others', async () => {
  const read = async () => {
    const { sum } = await scrape(client, server.adminToken)
    return sum('seaworthy_http_requests_total', { route: 'device.check-in', status: '2xx' })
  }
  const before = await read()
  const request = requestOf(devices[0]!.accessToken, makeReport())
  assert.ok((await ask(request)).isFast)
  assert.equal(await read(), before + 1)
})

test('O1 one connection: check-ins, then something else, then check-ins; two at once are answered in order', async () => {
  const { accessToken } = devices[0]!
  const request = requestOf(accessToken, makeReport())
  const other = `GET /v1/device/application HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${accessToken}\r\n\r\n`
  const socket = await open()
  for (const isFast of [true, true]) {
    socket.write(request)
    const [answer] = await readAnswers(socket, 1)
    assert.deepEqual([answer!.status, answer!.isFast], [200, isFast])
  }
  socket.write(request)
  socket.write(other)
  const [first, second] = await readAnswers(socket, 2)
  assert.ok('assignment' in first!.body)
  assert.equal(second!.body['fleet'], 'shops')
  socket.write(request)
  const [third] = await readAnswers(socket, 1)
  assert.deepEqual([third!.status, third!.isFast], [200, false])
  socket.destroy()
})

test('O1 check-ins sent together, cut into pieces or followed by a closed connection lose nothing', async () => {
  const { accessToken } = devices[0]!
  const request = requestOf(accessToken, makeReport())
  const together = await open()
  together.write(request + request)
  assert.deepEqual(
    (await readAnswers(together, 2)).map(({ status }) => status),
    [200, 200],
  )
  const hurried = await open()
  for (let i = 0; i < 20; i++) {
    hurried.write(request.slice(0, 300))
    hurried.write(request.slice(300))
    hurried.write(request)
    if (i % 5 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  // Each request has its answer: where more than a few of one device wait at once, the answer may
  // be that it should come back.
  const requireAll = async (socket: typeof hurried) => {
    const statuses = (await readAnswers(socket, 40)).map(({ status }) => status)
    assert.ok(statuses.every((status) => status === 200 || status === 429))
    assert.equal(statuses[0], 200)
  }
  await requireAll(hurried)
  const later = await open()
  for (let i = 0; i < 40; i++) {
    later.write(request)
    if (i % 7 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  await requireAll(later)
  const pieces = await open()
  for (let at = 0; at < request.length; at += 100) {
    pieces.write(request.slice(at, at + 100))
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.equal((await readAnswers(pieces, 1))[0]!.status, 200)
  const gone = await open()
  gone.write(request)
  gone.destroy()
  for (const socket of [together, hurried, later, pieces]) socket.destroy()
  assert.equal((await ask(request)).status, 200)
})

test('O1 what our own transport sends is what the fast path takes', async () => {
  let received = ''
  const listener = createServer((socket) => {
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
      socket.end('HTTP/1.1 503 x\r\ncontent-length: 0\r\n\r\n')
    })
  }).listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const { transport, close } = httpsTransport({ idleTimeoutMs: 60_000, allowPlain: true })
  const baseUrl = `http://127.0.0.1:${(listener.address() as AddressInfo).port}`
  const api = createClient({ transport, baseUrl, token: async () => 'eyJ.x.y' })
  await assert.rejects(api.call(checkIn, { body: { report: makeReport({ bootId: 'a' }) } }))
  close()
  listener.close()
  const request = readCheckInRequest(received)
  assert.equal(request?.bearer, 'eyJ.x.y')
  assert.ok(createIdleCheckInReader()(request.body))
})

test('A6 slowloris: a connection on which nobody says anything is closed after ten seconds', async () => {
  const seconds = (await silentMs) / 1000
  assert.ok(seconds > 9 && seconds < 120, `${seconds}`)
})

test('O1 a server that stops lets go of connections on which nobody waits', async () => {
  const measure = async () => {
    const own = await startTestServer({ workers: 1 })
    const { port } = new URL(own.url)
    const socket = connect({ host: '127.0.0.1', port: Number(port), rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    const startMs = performance.now()
    const closed = once(socket.resume(), 'close').then(() => performance.now() - startMs)
    await Promise.all([own.stop(), closed])
    return closed
  }
  // A server that waits cuts off a device that says nothing after ten seconds. A busy machine takes
  // as long for other reasons, but not every time.
  let shortestMs = Number.POSITIVE_INFINITY
  for (let tries = 0; tries < 5 && shortestMs >= 9000; tries++) {
    shortestMs = Math.min(shortestMs, await measure())
  }
  assert.ok(shortestMs < 9000, 'it waited for the connection')
})
