import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8Decode } from '@seaworthy/std/bytes'
import type { HttpResponse } from '@seaworthy/std/http'
import { silentLog } from '@seaworthy/std/log'
import type { HeardPins } from '@seaworthy/std/pins'
import { nextPinHeader } from '@seaworthy/std/pins'
import { systemClock, systemSleep } from '@seaworthy/std/time'
import { createFetcher } from '../fetcher/fetcher.ts'
import { rateLimits } from '../fetcher/slow-retrieval.ts'
import type { FetcherRequest, Gateway } from '../handover/messages.ts'
import type { Disk } from '../ports.ts'
import { layoutOf } from '../state/layout.ts'
import { openServerPins } from '../state/server-pins.ts'
import { followPins } from './follow-pins.ts'

const pinOf = (letter: string) => `sha256:${letter.repeat(43)}`
const [old, next] = [pinOf('o'), pinOf('n')]
const checkIn = { kind: 'check-in', body: {} } as FetcherRequest

/** A disk of one file, and a gateway whose check-ins answer `heard`; in `log` what they did. */
async function setScene(heard: HeardPins) {
  const files = new Map<string, Uint8Array>()
  const log: string[] = []
  let isBroken = false
  let isDeaf = false
  const disk = {
    read: async (path: string) => files.get(path),
    remove: async () => undefined,
    create: async (path: string) => ({
      async write(bytes: Uint8Array) {
        if (isBroken) throw new Error('the disk is broken')
        files.set(path, bytes)
      },
      close: async () => undefined,
    }),
    async rename(from: string, to: string) {
      files.set(to, files.get(from)!)
      log.push(`kept ${utf8Decode(files.get(to)!).split('\n').slice(1, -1).length}`)
    },
    syncFolder: async () => undefined,
  } as unknown as Disk
  const gateway = {
    async ask(request: FetcherRequest) {
      if (request.kind === 'check-in') return { heardPins: heard }
      if (isDeaf) throw new Error('the server does not answer')
      log.push(request.kind === 'pins' ? `told ${request.pins.length}` : request.kind)
      return {}
    },
  } as unknown as Gateway
  const pins = await openServerPins(disk, layoutOf('/state', 'acme'), old)
  return {
    log,
    pins,
    followed: followPins(gateway, pins, silentLog),
    setBroken: (value: boolean) => (isBroken = value),
    setDeaf: (value: boolean) => (isDeaf = value),
  }
}

test('A6 a device confirms the next pin once, and never before it is kept', async () => {
  const { log, pins, followed, setBroken, setDeaf } = await setScene({ under: old, next })
  setBroken(true)
  await followed.ask(checkIn)
  assert.deepEqual([log, pins.kept], [[], [old]], 'the check-in is answered, nothing is confirmed')
  setBroken(false)
  setDeaf(true)
  await followed.ask(checkIn)
  assert.deepEqual([log, pins.kept], [['kept 2'], [old, next]])
  setDeaf(false)
  await followed.ask(checkIn)
  await followed.ask(checkIn)
  assert.deepEqual(log, ['kept 2', 'told 2'])
})

test('A6 attack: a mirror that announces a next pin is not heard, whatever pin it has', async () => {
  const evil = pinOf('e')
  const idle = async () => undefined
  const writer = { size: 0, write: idle, sync: idle, close: idle }
  const answer = (pin: string, status: number, text: string): HttpResponse => ({
    status,
    headers: { [nextPinHeader]: pin === old ? next : evil, 'content-type': 'application/json' },
    body: (async function* () {
      yield new TextEncoder().encode(text)
    })(),
    pin,
  })
  const reply = { assignment: null, pollSeconds: 5, configVersion: 0, commands: [] }
  const told = { ...reply, serverTime: '2026-01-01T00:00:00Z', acknowledgedSequence: null }
  const token = { accessToken: 'x', expiresAt: '2026-01-01T00:00:00Z' }
  const fetcher = createFetcher(
    {
      ...{ clock: systemClock, sleep: systemSleep, log: silentLog, limits: rateLimits },
      disk: { remove: async () => undefined, append: async () => writer } as unknown as Disk,
      transports: [
        async ({ url }) =>
          url.endsWith('/check-in')
            ? answer(old, 200, JSON.stringify(told))
            : answer(old, 200, JSON.stringify(token)),
        async () => answer(evil, 404, ''),
      ],
      acceptPins() {},
    },
    {
      fetchFolder: '/fetch',
      sources: [
        { url: 'https://ship.example', isServer: true, pins: [old] },
        { url: 'https://mirror.example', isServer: false, pins: [evil] },
      ],
    },
    () => {},
  )
  await fetcher.answer({ kind: 'token', assertion: 'x' })
  const metadata = { kind: 'metadata', source: 1, name: 'timestamp.json', bytesMax: 100 } as const
  assert.deepEqual(await fetcher.answer(metadata), { absent: true })
  const { heardPins } = (await fetcher.answer(checkIn)) as { heardPins: HeardPins }
  assert.deepEqual(heardPins, { under: old, next })
})
