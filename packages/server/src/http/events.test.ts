/** Streams of changes whose readers are gone, or lose their right, at an awkward moment. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { eventsPath } from '@seaworthy/api/events'
import { waitUntil } from '@seaworthy/std/testing'
import type { TokenRow } from '../db/tokens.ts'
import { createCredential } from '../app/access/credentials.ts'
import type { App } from '../app/app.ts'
import { createEventFeed, readersMax } from '../app/events/index.ts'
import { createEventsHandler } from './events.ts'
import { HttpError } from './problems.ts'

const now = new Date('2030-01-01T00:00:00Z')
const id = `token_${'0'.repeat(26)}`
const { text, secretSha256 } = createCredential('token', id, {
  bytes: (length) => new Uint8Array(length),
  fraction: () => 0,
})
const token = {
  ...{ id, line: id, name: 'watcher', secretSha256, lastUsedAt: now, revokedAt: null },
  ...{ role: 'viewer', deniedBy: [], customRoles: [], products: null, fleets: null },
  ...{ networks: null, expiresAt: new Date('2031-01-01T00:00:00Z') },
} as unknown as TokenRow

/** A server of streams alone, whose database answers for the token as `read` says. */
function createWorld(read: () => Promise<TokenRow>) {
  const sql = (parts: readonly string[] | string) => {
    if (typeof parts === 'string') return parts
    const asked = parts.join('?')
    if (/clock_timestamp/.test(asked)) return Promise.resolve([{ now }])
    if (/from tokens where id/.test(asked)) return read().then((row) => [row])
    return Promise.resolve([])
  }
  const beats: (() => void)[] = []
  const part = {
    ...{ db: { reader: { sql } }, clock: { now: () => now }, callerLog: { warn: () => undefined } },
    budgets: { spend: () => Promise.resolve({ isAllowed: true }) },
    // What gathers goes on at once; a heartbeat waits until the test says so.
    sleep: (ms: number) =>
      ms < 10_000 ? Promise.resolve() : new Promise<void>((resolve) => beats.push(resolve)),
  } as unknown as App
  const app: App = { ...part, events: createEventFeed(part) }
  const limiter = { countWrong: () => Promise.resolve() }
  return { app, beats, handler: createEventsHandler(app, limiter) }
}

test('D5 attack: readers who leave while they sign in keep no stream from those who come later', async (t) => {
  let gate = Promise.withResolvers<void>()
  let reads = 0
  const { app, handler } = createWorld(async () => {
    reads++
    await gate.promise
    return token
  })
  let answered = 0
  const left: Promise<unknown>[] = []
  const server = createServer((req, res) => {
    left.push(once(res, 'close'))
    handler.answer(req, res, eventsPath, new URLSearchParams()).then(
      () => answered++,
      (error: unknown) => {
        answered++
        res.writeHead(error instanceof HttpError ? 429 : 500).end()
      },
    )
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const ask = () => {
    const headers = { authorization: `Bearer ${text}` }
    return request({ port, host: '127.0.0.1', path: eventsPath, headers, agent: false })
      .on('error', () => undefined)
      .end()
  }
  const leaving = Array.from({ length: readersMax.ofActor }, ask)
  await waitUntil('all have asked', () => Promise.resolve(reads === readersMax.ofActor))
  for (const one of leaving) one.destroy()
  await Promise.all(left)
  gate.resolve()
  await waitUntil('all were answered', () => Promise.resolve(answered === readersMax.ofActor))
  gate = Promise.withResolvers()
  gate.resolve()
  const [res] = (await once(ask(), 'response')) as [{ statusCode: number }]
  assert.equal(res.statusCode, 200)
  app.events.close()
})

test('D5 attack: a reader who loses the right while an older answer is on its way is told nothing more', async () => {
  const answers: PromiseWithResolvers<TokenRow>[] = []
  const { app, beats } = createWorld(() => {
    const answer = Promise.withResolvers<TokenRow>()
    answers.push(answer)
    return answer.promise
  })
  const told: unknown[] = []
  let hasEnded = false
  const actor = { kind: 'token', id, token } as const
  app.events.watch(actor, { tell: (event) => told.push(event), end: () => (hasEnded = true) })
  app.events.take('release ')
  await waitUntil('the event is about to be told', () => Promise.resolve(answers.length === 1))
  beats[0]!()
  await waitUntil('the heartbeat too', () => Promise.resolve(answers.length === 2))
  answers[1]!.resolve({ ...token, revokedAt: now })
  await waitUntil('the stream ends', () => Promise.resolve(hasEnded))
  // Written after its end, this would end the whole worker.
  answers[0]!.resolve(token)
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(told, [])
  app.events.close()
})
