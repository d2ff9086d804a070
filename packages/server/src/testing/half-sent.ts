/** A request whose sender holds back the last byte, as an attacker does to outlive a right. */
import { connect } from 'node:tls'
import type { TLSSocket } from 'node:tls'
import type { TestServer } from './server.ts'

/** Longer than the server waits for any body, at any pace of the machine. */
const patienceMs = 120_000

export interface HalfSent {
  /** Sends the last byte; the answer may have come before, where the server waited no longer. */
  finish(): Promise<{ status: number; json: () => unknown }>
}

/** Sends the head and all but the last byte of the body, over a connection of its own. */
export async function sendHalf(
  server: Pick<TestServer, 'url'>,
  request: { method: string; path: string; headers: Record<string, string>; body: Uint8Array },
): Promise<HalfSent> {
  const { method, path, headers, body } = request
  const port = Number(new URL(server.url).port)
  const socket = await new Promise<TLSSocket>((resolve, reject) => {
    const options = { host: '127.0.0.1', port, rejectUnauthorized: false }
    const opening = connect(options, () => resolve(opening))
    opening.once('error', reject)
  })
  socket.setTimeout(patienceMs, () => socket.destroy(new Error('the server said nothing')))
  const answered = new Promise<string>((resolve, reject) => {
    let text = ''
    socket.on('data', (piece) => (text += piece.toString('utf8')))
    socket.once('error', reject)
    socket.once('close', () => resolve(text))
  })
  // A caller that asks for the answer later gets the error then.
  answered.catch(() => {})
  const lines = Object.entries({
    host: `localhost:${port}`,
    connection: 'close',
    'content-length': String(body.length),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`)
  socket.write(body.subarray(0, -1))
  return {
    async finish() {
      if (socket.writable) socket.write(body.subarray(-1))
      const text = await answered
      return {
        status: Number(text.slice(9, 12)),
        json: () => JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4)) as unknown,
      }
    },
  }
}
