/** What a file changes besides the server: what this machine remembers of its devices. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Connection } from '../connection.ts'
import type { Context } from '../context.ts'
import { changeRecord, readRecord } from '../readers/file.ts'
import { withReaders } from '../readers/record.ts'
import { testPorts } from '../testing/ports.ts'
import { carryOut } from './apply.ts'

test('V8 attack: a device that a file moves into another fleet is no reader of its former one any more', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'seaworthy-apply-'))
  t.after(() => rm(folder, { recursive: true }))
  const connection = {
    ...{ folder, server: { rootDigest: '0'.repeat(64) } },
    client: { call: () => Promise.resolve({}) },
  } as unknown as Connection
  const context = { ports: testPorts() } as unknown as Context
  const deviceId = `device_${'0'.repeat(26)}`
  const reader = {
    ...{ readerId: '1'.repeat(64), keyId: '2'.repeat(64), deviceId, name: 'buoy' },
    ...{ acceptedAt: '2026-06-01T08:00:00Z', endedAt: null },
  }
  await changeRecord(context, connection, (record) =>
    withReaders(record, { fleet: 'production', product: 'web' }, [reader]),
  )
  const readers = async () => (await readRecord(connection)).fleets.get('production')!.readers
  const step = { kind: 'set-device', name: 'buoy', id: deviceId, before: {} } as const
  await carryOut(context, connection, { ...step, changes: { tags: { a: '1' } } })
  assert.equal((await readers())[0]!.endedAt, null)
  await carryOut(context, connection, { ...step, changes: { fleet: 'labs' } })
  assert.notEqual((await readers())[0]!.endedAt, null)
})
