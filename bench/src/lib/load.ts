/**
 * Load on a server, closed (each connection sends its next request after the answer) or open (a
 * fixed rate, whatever the answers).
 */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export interface LoadOrder {
  port: number
  isTls: boolean
  connections: number
  /**
   * A whole HTTP request, latin1; `tokenMark` in it becomes the token of a device drawn at random.
   */
  request: string
  tokensFile?: string
  tokenBytes: number
  seed: number
  /** The rate of an open load; without it the load is closed. */
  perSecond?: number
  /**
   * Whether each request of an open load has a connection of its own. `resumed`: with the session
   * of an earlier one.
   */
  fresh?: 'new' | 'resumed'
  warmUpMs: number
  durationMs: number
}

export interface LoadResult {
  count: number
  seconds: number
  perSecond: number
  /** Answers other than 2xx, by status. */
  statuses: Record<string, number>
  /** Requests of an open load that had found no idle connection until the end. */
  waitingCount: number
  /**
   * The latency from the moment at which a request should have been sent, whether or not it could
   * be.
   */
  p50Ms: number
  p99Ms: number
  maxMs: number
  /** Processor time of the load generator itself. */
  cpuSeconds: number
}

export const tokenMark = '@token@'

/**
 * The percentage of answers that may be other than 2xx: a server on a busy machine may turn
 * somebody away.
 */
const refusedPercentMax = 2

/**
 * Runs one load in a process of its own. Rejects when too many answers were not 2xx; they are not
 * counted.
 */
export async function applyLoad(order: LoadOrder): Promise<LoadResult> {
  const child = fork(fileURLToPath(new URL('load.fixture.ts', import.meta.url)), {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  try {
    const result = await new Promise<LoadResult>((resolve, reject) => {
      child.once('message', (message) => resolve(message as LoadResult))
      child.once('exit', (code) => reject(new Error(`the load generator ended with ${code}`)))
      child.send(order)
    })
    const refused = Object.values(result.statuses).reduce((sum, count) => sum + count, 0)
    if (refused > (refusedPercentMax / 100) * result.count) {
      throw new Error(`not all was answered: ${JSON.stringify(result.statuses)}`)
    }
    return result
  } finally {
    child.kill()
  }
}

/** A POST of JSON as a device sends it. */
export function buildRequest(path: string, body: string, token: string | undefined): string {
  const lines = [
    `POST ${path} HTTP/1.1`,
    'Host: 127.0.0.1',
    'Content-Type: application/json',
    ...(token === undefined ? [] : [`Authorization: Bearer ${token}`]),
    `Content-Length: ${Buffer.byteLength(body)}`,
  ]
  return `${lines.join('\r\n')}\r\n\r\n${body}`
}
