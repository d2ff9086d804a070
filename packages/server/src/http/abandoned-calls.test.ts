import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { leavingOf } from './abandoned-calls.ts'

test('T9 a caller that hangs up is noticed, and one that got its answer is not taken for one', async () => {
  const asked = Promise.withResolvers<AbortSignal>()
  const answered = Promise.withResolvers<AbortSignal>()
  const server = createServer((req, res) => {
    const leaving = leavingOf(res)
    if (req.url === '/wait') return asked.resolve(leaving)
    res.once('close', () => answered.resolve(leaving))
    res.end('here')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  try {
    const stays = await fetch(`http://127.0.0.1:${port}/`)
    assert.equal(await stays.text(), 'here')
    assert.equal((await answered.promise).aborted, false)
    const leaves = request({ port, host: '127.0.0.1', path: '/wait' }).on('error', () => {})
    leaves.end()
    const leaving = await asked.promise
    assert.equal(leaving.aborted, false)
    const noticed = once(leaving, 'abort')
    leaves.destroy()
    await noticed
  } finally {
    server.closeAllConnections()
    server.close()
  }
})
