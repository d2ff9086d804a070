/**
 * `agent.sock`: one JSON line in, one JSON line out. Everybody who may open the socket can read the
 * status; a request changes nothing but the time of the next poll.
 */
import { lstatSync, unlinkSync } from 'node:fs'
import type { Socket } from 'node:net'
import { createConnection, createServer } from 'node:net'
import { encodeMessage, readMessages } from '../handover/lines.ts'
import { asMembers } from '../handover/messages.ts'

const requestBytesMax = 1024
const replyBytesMax = 1024 * 1024

export function serveStatus(
  socketPath: string,
  answer: (command: unknown) => unknown,
): { close: () => void } {
  try {
    unlinkSync(socketPath)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
  }
  const serve = async (socket: Socket) => {
    for await (const message of readMessages(socket, requestBytesMax)) {
      socket.end(encodeMessage(answer(asMembers(message)['command'])))
      return
    }
  }
  const server = createServer((socket) => {
    socket.setTimeout(5000, () => socket.destroy())
    socket.on('error', () => {})
    // A client that does not keep to the form is disconnected.
    serve(socket).catch(() => socket.destroy())
  })
  server.maxConnections = 16
  server.listen(socketPath)
  return { close: () => server.close() }
}

/**
 * The answer; throws when nobody answers within 5 s. The folder belongs to the fetcher, which could
 * put a link to another program's socket there.
 */
export async function askSocket(socketPath: string, command: string): Promise<unknown> {
  if (!lstatSync(socketPath).isSocket()) throw new Error(`${socketPath} is no socket`)
  const socket = createConnection(socketPath)
  socket.setTimeout(5000, () => socket.destroy(new Error('no answer')))
  socket.write(encodeMessage({ command }))
  for await (const message of readMessages(socket, replyBytesMax)) {
    socket.destroy()
    return message
  }
  throw new Error('no answer')
}
