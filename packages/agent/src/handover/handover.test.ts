/** The installer's side of the conversation, with a fetcher that has been taken over. */
import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyCodePoint } from '@seaworthy/std/testing/any-code-point'
import { utf8Encode } from '@seaworthy/std/bytes'
import type { Transport } from '@seaworthy/std/http'
import { silentLog } from '@seaworthy/std/log'
import { Refusal } from '@seaworthy/std/refusal'
import { systemClock, systemSleep } from '@seaworthy/std/time'
import { createFetcher } from '../fetcher/fetcher.ts'
import { rateLimits } from '../fetcher/slow-retrieval.ts'
import { FetchError } from '../refusals.ts'
import { readMessages } from './lines.ts'
import { createGateway, serveRequests } from './link.ts'
import { parseEvent, parseFailure, parseReply } from './messages.ts'

const settings = { fetchFolder: '/fetch', sources: [] }
const refusedAs = (code: string) => (error: unknown) =>
  error instanceof Refusal && error.code === code

/** Answers each request with the line that `hostile` makes of its number. */
function createHostilePipe(hostile: (request: number) => string) {
  const lines: Uint8Array[] = []
  let wake = () => {}
  let isOver = false
  async function* incoming() {
    while (!isOver || lines.length > 0) {
      const next = lines.shift()
      if (next !== undefined) yield next
      else await new Promise<void>((resolve) => (wake = resolve))
    }
  }
  return {
    incoming: incoming(),
    write(bytes: Uint8Array) {
      const { request } = JSON.parse(Buffer.from(bytes).toString()) as { request?: number }
      if (request === undefined) return
      lines.push(utf8Encode(hostile(request)))
      wake()
    },
    end() {
      isOver = true
      wake()
    },
  }
}

async function askHostile(hostile: (request: number) => string): Promise<unknown> {
  const gateway = createGateway({ sleep: systemSleep, log: silentLog, settings: () => settings })
  const pipe = createHostilePipe(hostile)
  const attached = gateway.attach(pipe)
  attached.catch(() => {})
  try {
    return await gateway.ask({ kind: 'metadata', source: 0, name: 'timestamp.json', bytesMax: 100 })
  } finally {
    pipe.end()
    await attached.catch(() => {})
  }
}

const answer = (number: number, reply: unknown) => `${JSON.stringify({ answer: number, reply })}\n`

test('a well-formed answer is taken', async () => {
  assert.deepEqual(await askHostile((n) => answer(n, { file: 'metadata-0' })), {
    file: 'metadata-0',
  })
})

for (const [name, reply] of [
  ['a path that leads out', { file: '../trust/device.key' }],
  ['an absolute path', { file: '/etc/passwd' }],
  ['a number for a name', { file: 7 }],
  ['nothing', null],
  ['a list', []],
] as [string, unknown][]) {
  test(`T7 a hijacked fetcher answers with ${name}: a fault of transport, and nothing more`, async () => {
    await assert.rejects(
      askHostile((n) => answer(n, reply)),
      (error) => error instanceof FetchError && error.code === 'malformed_reply',
    )
  })
}

test('T7 a hijacked fetcher that speaks out of form is cut off, and whoever waits is told', async () => {
  for (const line of [
    'not json\n',
    '[]\n',
    '{"answer":"1"}\n',
    '{"event":{"kind":"format-disk"}}\n',
    `${' '.repeat(300_000)}\n`,
  ]) {
    await assert.rejects(
      askHostile(() => line),
      (error) => error instanceof FetchError && error.code === 'fetcher_gone',
    )
  }
})

test('T7 attack: a fetcher that never answers for content is waited for as long as its length may take, not for days', async () => {
  for (const [size, isHurried, secondsMax] of [
    [0, false, 240],
    [1024 * 1024, false, 240 + 1024],
    [1024 * 1024, true, 240 + 32],
  ] as const) {
    const slept: number[] = []
    const sleep = async (ms: number) => void slept.push(ms)
    const gateway = createGateway({ sleep, log: silentLog, settings: () => settings })
    const pipe = createHostilePipe(() => '')
    const attached = gateway.attach(pipe)
    const wanted = { path: '/v2/a', sha256: 'a'.repeat(64), size, isHurried }
    await assert.rejects(
      gateway.ask({ kind: 'content', source: 0, ...wanted }),
      (error) => error instanceof FetchError && error.code === 'timed_out',
    )
    assert.deepEqual(slept, [secondsMax * 1000])
    pipe.end()
    await attached
  }
})

test('T7 answers to questions nobody asked change nothing', async () => {
  const reply = await askHostile((n) => answer(999, { file: 'evil' }) + answer(n, { file: 'good' }))
  assert.deepEqual(reply, { file: 'good' })
})

test('a fetcher without end of line is left at the limit, holding no more than that', async () => {
  async function* endless() {
    for (;;) yield new Uint8Array(4096).fill(0x20)
  }
  await assert.rejects(readMessages(endless(), 10_000).next(), refusedAs('message_too_long'))
})

test('T7 attack: a fetcher that speaks byte by byte has no piece kept, only the bytes of one message', async () => {
  async function* lendByteByByte() {
    const lent = new Uint8Array(1)
    for (const byte of utf8Encode('{"id":1}\n{"id":23}\n')) {
      lent[0] = byte
      yield lent
    }
  }
  const messages: unknown[] = []
  for await (const message of readMessages(lendByteByByte())) messages.push(message)
  assert.deepEqual(messages, [{ id: 1 }, { id: 23 }])
})

test('any bytes from the fetcher give messages or a coded refusal', async () => {
  const junk = fc.oneof(
    fc.uint8Array(),
    fc.json().map((text) => utf8Encode(`${text}\n`)),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(junk), async (pieces) => {
      async function* incoming() {
        yield* pieces
      }
      try {
        for await (const message of readMessages(incoming(), 1000)) {
          for (const parse of [
            parseEvent,
            parseFailure,
            (v: unknown) => parseReply('check-in', v),
            (v: unknown) => parseReply('register', v),
          ]) {
            try {
              parse(message)
            } catch (error) {
              if (!(error instanceof Refusal)) throw error
            }
          }
        }
      } catch (error) {
        assert.ok(error instanceof Refusal, String(error))
      }
    }),
    { numRuns: 1000 },
  )
})

/** Both real ends and a real fetcher between them; the server is what `respond` makes of it. */
async function withServer(
  respond: () => { status: number; headers: Record<string, string>; body: string },
  action: (gateway: ReturnType<typeof createGateway>) => Promise<void>,
): Promise<void> {
  const sources = [{ url: 'https://ship.example', isServer: true }]
  const transport: Transport = async () => {
    const { status, headers, body } = respond()
    return { status, headers, body: piecesOf(utf8Encode(body)) }
  }
  const ports = { clock: systemClock, sleep: systemSleep, log: silentLog }
  const gateway = createGateway({ ...ports, settings: () => ({ fetchFolder: '/fetch', sources }) })
  const [toFetcher, toInstaller] = [new PassThrough(), new PassThrough()]
  const serving = serveRequests({
    pipe: { incoming: toFetcher, write: (bytes) => toInstaller.write(bytes) },
    log: silentLog,
    create: async (given, emit) =>
      createFetcher(
        {
          ...{ ...ports, disk: undefined as never, limits: rateLimits, transports: [transport] },
          acceptPins() {},
        },
        given,
        emit,
      ),
  })
  const attached = gateway.attach({
    incoming: toInstaller,
    write: (bytes) => toFetcher.write(bytes),
  })
  try {
    // A breach of the protocol is seen here, before anybody waits for an answer that does not come.
    await Promise.race([action(gateway), attached])
  } finally {
    toFetcher.end()
    toInstaller.end()
    await attached
    await serving
  }
}

async function* piecesOf(bytes: Uint8Array) {
  yield bytes
}

test('T7 D9 whatever a server answers, the genuine fetcher says nothing that ends it (property)', async () => {
  const word = fc.oneof(
    fc.constantFrom('device_revoked', 'Device Revoked', '', 'a\nb', '\u0000', 'x'.repeat(300)),
    fc.string({ unit: anyCodePoint }),
  )
  const number = fc.oneof(fc.double(), fc.integer(), fc.constantFrom(-1, 0, 2 ** 53, 1e308))
  const value = fc.oneof(word, number, fc.jsonValue())
  const time = fc.constant('2026-01-01T00:00:00Z')
  const body = fc.oneof(
    fc.record({ type: word, title: word, status: fc.integer(), code: word, detail: word }),
    fc.record({ accessToken: word, expiresAt: time }),
    fc.record({
      assignment: fc.oneof(
        fc.constant(null),
        fc.record(
          { targetPath: word, sha256: fc.constant('a'.repeat(64)), attempt: number, other: value },
          { requiredKeys: ['targetPath', 'sha256'] },
        ),
      ),
      pollSeconds: number,
      commands: fc.constant([]),
      serverTime: time,
      acknowledgedSequence: fc.oneof(number, fc.constant(null)),
    }),
    fc.record({
      deviceId: fc.oneof(word, fc.constant(`device_${'0'.repeat(26)}`)),
      fleet: word,
      product: word,
      channel: word,
      kind: fc.constant('bundle'),
      serverTime: time,
    }),
    value,
  )
  const response = fc.record({
    status: fc.constantFrom(200, 201, 204, 400, 401, 403, 404, 429, 500, 503, 999),
    headers: fc.record({
      'content-type': fc.constantFrom('application/json', 'application/problem+json', 'x'),
      'retry-after': fc.oneof(word, fc.constantFrom('1', '999999', '-1')),
    }),
    body: fc.oneof(
      body.map((content) => JSON.stringify(content)),
      word,
    ),
  })
  const requests = [
    { kind: 'token', assertion: 'a' },
    { kind: 'check-in', body: {} as never },
    { kind: 'register', provisioningKey: 'swp_a_b', body: {} as never },
    { kind: 'configuration' },
  ] as const
  let reply: typeof response extends fc.Arbitrary<infer T> ? T : never
  await withServer(
    () => reply,
    async (gateway) => {
      await fc.assert(
        fc.asyncProperty(response, fc.constantFrom(...requests), async (given, request) => {
          reply = given
          try {
            await gateway.ask(request)
          } catch (error) {
            assert.ok(error instanceof FetchError, String(error))
            assert.notEqual(error.code, 'fetcher_gone')
          }
        }),
        { numRuns: 150 },
      )
    },
  )
})

test('T7 D9 a failure out of form is an answer that was not given, and the conversation goes on', async () => {
  for (const failure of [
    { code: 'not_allowed', problem: 'Not a code!' },
    { code: 'no_such_code' },
    { code: 'rate_limited', retryAfterSeconds: 1e9 },
    7,
  ]) {
    await assert.rejects(
      askHostile((n) => `${JSON.stringify({ answer: n, failure })}\n`),
      (error) => error instanceof FetchError && error.code === 'malformed_reply',
    )
  }
})
