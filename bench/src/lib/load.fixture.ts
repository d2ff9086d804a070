/**
 * The load generator, a process of its own: raw sockets, prebuilt requests, as little work for each
 * as possible. The parent sends one `LoadOrder` after another and gets one `LoadResult` for each.
 */
import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { connect as connectTcp } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { seededRandom } from '@seaworthy/std/random'
import type { LoadOrder, LoadResult } from './load.ts'
import { tokenMark } from './load.ts'

interface Connection {
  readonly socket: Socket
  /** When the request under way should have been sent. */
  intendedMs: number
}

/** Requests that differ only in the token; all tokens have one length. */
function createRequests(order: LoadOrder): () => Buffer {
  const template = Buffer.from(order.request, 'latin1')
  if (order.tokensFile === undefined) return () => template
  const tokens = readFileSync(order.tokensFile)
  const mark = template.indexOf(tokenMark)
  const before = template.subarray(0, mark)
  const after = template.subarray(mark + tokenMark.length)
  const length = order.tokenBytes
  const count = tokens.length / length
  const random = seededRandom(order.seed)
  return () => {
    const start = Math.floor(random.fraction() * count) * length
    const request = Buffer.allocUnsafe(before.length + length + after.length)
    before.copy(request, 0)
    tokens.copy(request, before.length, start, start + length)
    after.copy(request, before.length + length)
    return request
  }
}

async function carryOut(order: LoadOrder): Promise<LoadResult> {
  const nextRequest = createRequests(order)
  const idle: Connection[] = []
  /** Intended times of requests that found no idle connection. */
  const late: number[] = []
  const latenciesMs: number[] = []
  const statuses: Record<string, number> = {}
  let failures = 0
  let isMeasuring = false
  let isOver = false
  let underWay = 0

  const send = (connection: Connection, intendedMs: number) => {
    connection.intendedMs = intendedMs
    underWay++
    connection.socket.write(nextRequest())
  }
  const finish = (connection: Connection, response: Buffer, length: number) => {
    underWay--
    if (isMeasuring) {
      if (response[9] === 0x32) latenciesMs.push(performance.now() - connection.intendedMs)
      else {
        const status = response.toString('latin1', 9, 12)
        statuses[status] = (statuses[status] ?? 0) + 1
        if (failures++ === 0) console.error(response.toString('latin1', 0, length))
      }
    }
    if (order.fresh !== undefined) {
      connection.socket.destroySoon()
      return
    }
    if (isOver) return
    if (order.perSecond === undefined) send(connection, performance.now())
    else if (late.length > 0) send(connection, late.shift()!)
    else idle.push(connection)
  }
  const sessions: Buffer[] = []
  /** Length of a response that was read whole: the next one of that length is whole too. */
  let wholeLength = 0
  const open = () =>
    new Promise<Connection>((resolve, reject) => {
      let pending = ''
      const onread = {
        buffer: Buffer.allocUnsafe(64 * 1024),
        callback(length: number, buffer: Uint8Array) {
          const chunk = buffer as Buffer
          // One read nearly always holds the one whole response.
          if (
            pending === '' &&
            (length === wholeLength || isWhole(chunk.toString('latin1', 0, length)))
          ) {
            wholeLength = length
            finish(connection, chunk, length)
            return true
          }
          pending += chunk.toString('latin1', 0, length)
          if (!isWhole(pending)) return true
          const response = Buffer.from(pending, 'latin1')
          pending = ''
          finish(connection, response, response.length)
          return true
        },
      }
      const address = { host: '127.0.0.1', port: order.port, onread, noDelay: true }
      const isReady = () => resolve(connection)
      const session = order.fresh === 'resumed' ? sessions.at(-1) : undefined
      const socket = order.isTls
        ? connectTls(
            { ...address, rejectUnauthorized: false, ...(session && { session }) },
            isReady,
          )
        : connectTcp(address, isReady)
      const connection: Connection = { socket, intendedMs: 0 }
      socket.on('error', reject)
      if (order.fresh === 'resumed') {
        socket.on('session', (ticket: Buffer) => {
          sessions.push(ticket)
          if (sessions.length > 100) sessions.shift()
        })
      }
      socket.on('close', () => {
        if (!isOver && order.fresh === undefined)
          reject(new Error('the server closed a connection'))
        failures++
      })
    })
  const fail = (error: unknown) => {
    console.error(error)
    process.exit(1)
  }
  const connections: Connection[] = []
  while (connections.length < order.connections) connections.push(await open())

  const startMs = performance.now()
  if (order.perSecond === undefined) {
    for (const connection of connections) send(connection, startMs)
  } else {
    idle.push(...connections)
    const intervalMs = 1000 / order.perSecond
    let sent = 0
    const tick = () => {
      if (isOver) return
      const nowMs = performance.now()
      for (; startMs + sent * intervalMs <= nowMs; sent++) {
        const intendedMs = startMs + sent * intervalMs
        if (order.fresh !== undefined) {
          void open().then((fresh) => send(fresh, intendedMs), fail)
          continue
        }
        const connection = idle.pop()
        if (connection === undefined) late.push(intendedMs)
        else send(connection, intendedMs)
      }
      setTimeout(tick, 1)
    }
    tick()
  }
  await sleep(order.warmUpMs)
  const before = process.cpuUsage()
  const measuredMs = performance.now()
  isMeasuring = true
  await sleep(order.durationMs)
  isMeasuring = false
  const seconds = (performance.now() - measuredMs) / 1000
  const used = process.cpuUsage(before)
  isOver = true
  const waitingCount = late.length
  for (let i = 0; i < 500 && underWay > 0; i++) await sleep(10)
  for (const { socket } of connections) {
    socket.removeAllListeners('close')
    socket.destroy()
  }
  latenciesMs.sort((a, b) => a - b)
  const quantile = (q: number) => latenciesMs[Math.floor(q * (latenciesMs.length - 1))] ?? 0
  return {
    count: latenciesMs.length,
    seconds,
    perSecond: latenciesMs.length / seconds,
    statuses,
    waitingCount,
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
    maxMs: quantile(1),
    cpuSeconds: (used.user + used.system) / 1e6,
  }
}

const isWhole = (text: string): boolean => {
  const end = text.indexOf('\r\n\r\n')
  if (end < 0) return false
  const at = text.search(/content-length: /i)
  return at >= 0 && text.length >= end + 4 + Number.parseInt(text.slice(at + 16, at + 24), 10)
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

process.on('message', (order: LoadOrder) => {
  carryOut(order).then(
    (result) => process.send!(result),
    (error: unknown) => {
      console.error(error)
      process.exit(1)
    },
  )
})
process.on('disconnect', () => process.exit(0))
