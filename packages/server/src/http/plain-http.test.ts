/** What one network can take of port 80. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { connect } from 'node:net'
import { test } from 'node:test'
import { waitUntil } from '@seaworthy/std/testing'
import { createTestAuthority } from '../testing/authority.ts'
import { createPlainServer } from './plain-http.ts'

test('A6 A9 attack: a neighbour keeps connections to port 80 open, and keeps an ACME authority away', async () => {
  const authority = await createTestAuthority()
  const { requestPem } = await authority.request(['ship.example'])
  const namedByPem = await authority.issue(requestPem)
  // No challenge is asked for: neither budgets nor the database are needed.
  const app = { certificate: { current: { namedByPem } } }
  const server = createPlainServer(
    app as unknown as Parameters<typeof createPlainServer>[0],
    443,
  ).listen(0, '127.0.0.1')
  // What is open stays open, at any pace of the machine.
  Object.assign(server, { headersTimeout: 0, requestTimeout: 0, timeout: 0 })
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const open = new Set<Socket>()
  const ask = async (localAddress: string): Promise<string> => {
    const socket = connect({ host: '127.0.0.1', port, localAddress })
    socket.on('error', () => undefined)
    socket.write('GET /x HTTP/1.1\r\nHost: ship.example\r\n\r\n')
    let text = ''
    socket.on('data', (bytes) => (text += bytes.toString('latin1')))
    // A connection that is refused may end with an error, which says no more than its end.
    await new Promise((resolve) => socket.once('close', resolve))
    return text
  }
  try {
    assert.match(await ask('127.0.0.4'), /^HTTP\/1\.1 308 /)
    for (let i = 0; i < 200; i++) {
      const socket = connect({ host: '127.0.0.1', port, localAddress: '127.0.0.2' })
      open.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => open.delete(socket))
      socket.resume()
    }
    await waitUntil('what is too much of one network is ended', async () => open.size <= 40)
    await waitUntil('another network gets its answer', async () =>
      (await ask('127.0.0.3')).startsWith('HTTP/1.1 308 '),
    )
    assert.equal(await ask('127.0.0.2'), '')
    for (const socket of open) socket.destroy()
    await waitUntil('the network gets answers again once its connections have ended', async () =>
      (await ask('127.0.0.2')).startsWith('HTTP/1.1 308 '),
    )
  } finally {
    for (const socket of open) socket.destroy()
    server.closeAllConnections()
    server.close()
  }
})
