import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { claimPort } from './ports.ts'

test('no port is claimed twice in a run, and each is free', async (t) => {
  const before = process.env['SEAWORTHY_TEST_SHARED']
  const shared = mkdtempSync(join(tmpdir(), 'seaworthy-ports-'))
  process.env['SEAWORTHY_TEST_SHARED'] = shared
  t.after(() => {
    rmSync(shared, { recursive: true })
    if (before === undefined) delete process.env['SEAWORTHY_TEST_SHARED']
    else process.env['SEAWORTHY_TEST_SHARED'] = before
  })
  const ports = await Promise.all(Array.from({ length: 300 }, () => claimPort()))
  assert.equal(new Set(ports).size, ports.length)
  for (const port of ports.slice(0, 5)) {
    const server = createServer().listen(port, '127.0.0.1')
    await new Promise((resolve, reject) => server.once('listening', resolve).once('error', reject))
    server.close()
  }
})
