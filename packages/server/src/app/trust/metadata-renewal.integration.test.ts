/**
 * T1 T6: online roles are renewed in time, and a role that expires is reported once, in three
 * places.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { showTrustStatus } from '@seaworthy/api/trust'
import { utf8Decode } from '@seaworthy/std/bytes'
import { waitUntil } from '@seaworthy/std/testing'
import { systemSleep } from '@seaworthy/std/time'
import { createTestClient, fetchCurrent, setUpTrust, startTestServer } from '../../testing/index.ts'

test('T6 a timestamp older than an hour and a snapshot past its share are renewed, alarms are raised once', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'seaworthy-renewal-'))
  let server = await startTestServer({ dataDir })
  const { adminToken } = server
  let client = createTestClient(server)
  try {
    await setUpTrust(client)
    const before = await versionsOf(client)
    const db = server.openDatabase()
    await db.write(async ({ sql }) => {
      await sql`update tuf_metadata set published_at = now() - interval '2 hours' where role = 'timestamp'`
      await sql`update tuf_metadata set published_at = now() - interval '6 days' where role = 'snapshot'`
      await sql`update tuf_metadata set published_at = now() - interval '600 days' where role = 'acme.stable'`
    })
    await db.close()
    client.close()
    await server.stop()
    server = { ...(await startTestServer({ dataDir })), adminToken }
    client = createTestClient(server)
    let after = await versionsOf(client)
    await waitUntil('both are renewed', async () => {
      after = await versionsOf(client)
      return after.timestamp !== before.timestamp
    })
    assert.deepEqual(after, { timestamp: before.timestamp + 1, snapshot: before.snapshot + 1 })
    await fetchCurrent(client)
    const status = await client.api.call(showTrustStatus, {})
    const stable = status.roles.find(({ role }) => role === 'acme.stable')
    assert.equal(stable?.alarm, 'warning')
    assert.ok(status.roles.every(({ role, alarm }) => role === 'acme.stable' || alarm === 'none'))
    const countAlarms = () => server.log().split('"event":"trust.lifetime-alarm"').length - 1
    await waitUntil('the alarm is raised', () => countAlarms() > 0)
    // It is reported once, however often it is checked.
    await systemSleep(500)
    assert.equal(countAlarms(), 1)
    const again = server.openDatabase()
    const rows = await again.reader.sql<{ entry: Uint8Array }[]>`select entry from audit_entries`
    await again.close()
    const alarms = rows.filter(({ entry }) => utf8Decode(entry).includes('"outcome":"alarm"'))
    assert.equal(alarms.length, 1)
    client.close()
    await server.stop()
  } finally {
    await server.kill()
    await rm(dataDir, { recursive: true, force: true })
  }
})

async function versionsOf(client: ReturnType<typeof createTestClient>) {
  const { json } = await client.send('GET', '/tuf/timestamp.json')
  const { signed } = json() as {
    signed: { version: number; meta: { 'snapshot.json': { version: number } } }
  }
  return { timestamp: signed.version, snapshot: signed.meta['snapshot.json'].version }
}
