/** The installer's side of the conversation, with a fetcher that has been taken over. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { utf8Encode } from '@seaworthy/std/bytes'
import { silentLog } from '@seaworthy/std/log'
import { Refusal } from '@seaworthy/std/refusal'
import { systemSleep } from '@seaworthy/std/time'
import { FetchError } from '../refusals.ts'
import { readMessages } from './lines.ts'
import { createGateway } from './link.ts'
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
  const gateway = createGateway({ sleep: systemSleep, log: silentLog, settings })
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
  test(`T7 a hijacked fetcher answers with ${name}: refused`, async () => {
    await assert.rejects(
      askHostile((n) => answer(n, reply)),
      refusedAs('message_malformed'),
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
