import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { Duplex } from 'node:stream'
import { test } from 'node:test'
import fc from 'fast-check'
import { readCheckInRequest } from './request.ts'

const body = '{"report":{}}'
const lines = [
  'accept-encoding: identity',
  'accept: application/json',
  'authorization: Bearer eyJ.eyJ.abc-_~+/=',
  'content-type: application/json',
  `content-length: ${body.length}`,
  'Host: 127.0.0.1:8443',
  'Connection: keep-alive',
]
const requestOf = (headers: readonly string[], content = body) =>
  `POST /v1/device/check-in HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n${content}`

interface Seen {
  readonly method: string | undefined
  readonly url: string | undefined
  readonly authorization: string | undefined
  readonly body: string
}

/** Answers what Node's HTTP server makes of the bytes, on a connection of their own. */
async function askNode(bytes: string): Promise<{ requests: Seen[]; faults: string[] }> {
  const requests: Seen[] = []
  const faults: string[] = []
  const server = createServer((req, res) => {
    let content = ''
    req.setEncoding('latin1').on('data', (part: string) => (content += part))
    req.on('end', () => {
      const { method, url, headers } = req
      requests.push({ method, url, authorization: headers.authorization, body: content })
      res.end()
    })
  })
  server.on('clientError', (error: Error) => faults.push(error.message))
  const socket = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
  server.emit('connection', socket)
  socket.push(Buffer.from(bytes, 'latin1'))
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
  socket.destroy()
  server.close()
  return { requests, faults }
}

async function agrees(bytes: string): Promise<boolean> {
  const read = readCheckInRequest(bytes)
  if (read === undefined) return false
  const { requests, faults } = await askNode(bytes)
  const expected = {
    method: 'POST',
    url: '/v1/device/check-in',
    authorization: `Bearer ${read.bearer}`,
    body: read.body,
  }
  assert.deepEqual({ requests, faults }, { requests: [expected], faults: [] }, bytes)
  return true
}

test('a whole request is recognised, whatever the order and the case of its headers', async () => {
  assert.ok(await agrees(requestOf(lines)))
  assert.ok(await agrees(requestOf(lines.toReversed())))
  assert.ok(
    await agrees(
      requestOf(lines.map((line) => line.replace(/^[^:]+/, (name) => name.toUpperCase()))),
    ),
  )
})

test('request smuggling: what could be read in two ways is left to Node', () => {
  const without = (name: string) => lines.filter((line) => !line.toLowerCase().startsWith(name))
  for (const headers of [
    without('authorization'),
    without('content-length'),
    without('content-type'),
    without('host'),
    [...lines, 'Transfer-Encoding: chunked'],
    [...lines, 'Content-Encoding: gzip'],
    [...lines, 'Expect: 100-continue'],
    [...lines, 'Upgrade: h2c'],
    [...lines, 'Trailer: x'],
    ...lines
      .slice(0, 5)
      .map((line) => (line.startsWith('accept') ? [...lines, `${line}\n`] : [...lines, line])),
    [...without('content-length'), `Content-Length: +${body.length}`],
    [...without('content-length'), `Content-Length: ${body.length - 1}`],
    [...without('content-length'), `Content-Length: ${body.length + 1}`],
    [...without('content-length'), `Content-Length: 0${body.length}`],
    [...without('content-length'), `Content-Length : ${body.length}`],
    [...without('connection'), 'Connection: close'],
    [...without('connection'), 'Connection: keep-alive, upgrade'],
    [...without('host'), 'Host: a b'],
    [...lines, ' folded'],
  ]) {
    assert.equal(readCheckInRequest(requestOf(headers)), undefined, headers.join(' | '))
  }
  assert.equal(readCheckInRequest(requestOf(lines) + requestOf(lines)), undefined)
  assert.equal(readCheckInRequest(`\r\n${requestOf(lines)}`), undefined)
  assert.equal(readCheckInRequest(requestOf(lines).replace('HTTP/1.1', 'HTTP/1.0')), undefined)
  assert.equal(readCheckInRequest(requestOf(lines).replace('POST', 'post')), undefined)
})

test('what is recognised Node reads in the same way: no cut, no change, no other bytes between (property)', async () => {
  const bytes = requestOf(lines)
  const inserted = fc.oneof(
    fc.constantFrom(
      ' ',
      '\t',
      '\r',
      '\n',
      '\r\n',
      '\0',
      ':',
      ';',
      ',',
      '0',
      '1',
      'x',
      '\x80',
      '\xff',
    ),
    fc.constantFrom(...lines.map((line) => `${line}\r\n`)),
    fc.constantFrom(
      'Transfer-Encoding: chunked\r\n',
      'User-Agent: a\r\n',
      'x: y\r\n',
      'GET / HTTP/1.1\r\n',
    ),
  )
  let recognised = 0
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.length), fc.nat(3), inserted, async (at, left, text) => {
      if (await agrees(bytes.slice(0, at) + text + bytes.slice(at + left))) recognised++
    }),
    { numRuns: 6000 },
  )
  assert.ok(recognised > 100, `only ${recognised} were recognised`)
})

test('a request that is not there yet in whole is left to Node', () => {
  const bytes = requestOf(lines)
  for (let length = 0; length < bytes.length; length++) {
    assert.equal(readCheckInRequest(bytes.slice(0, length)), undefined)
  }
})
