import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dayMs, formatInstant, hourMs, minuteMs } from '@seaworthy/std/time'
import { expiryOf } from '@seaworthy/trust/tuf'
import { renewalDue } from './metadata-renewal.ts'

const now = new Date('2030-01-01T00:00:00Z')
const publishedAgo = (role: 'snapshot' | 'timestamp', ms: number) => {
  const publishedAt = new Date(now.getTime() - ms)
  return { publishedAt, expires: formatInstant(expiryOf(role, publishedAt)) }
}
const due = (snapshotAgoMs: number, timestampAgoMs: number) =>
  renewalDue(
    {
      snapshot: publishedAgo('snapshot', snapshotAgoMs),
      timestamp: publishedAgo('timestamp', timestampAgoMs),
    },
    now,
  )

test('T6 a timestamp is renewed every hour, a snapshot after its share', () => {
  assert.deepEqual(due(minuteMs, minuteMs), { isAnything: false, isSnapshotDue: false })
  assert.deepEqual(due(minuteMs, hourMs), { isAnything: true, isSnapshotDue: false })
  assert.deepEqual(due(3 * dayMs, minuteMs), { isAnything: true, isSnapshotDue: true })
})

test('T7 forged clock: what a server signed while its clock was ahead is made anew once the clock is right', () => {
  assert.deepEqual(due(-365 * dayMs, -365 * dayMs), { isAnything: true, isSnapshotDue: true })
  assert.deepEqual(due(-365 * dayMs, minuteMs), { isAnything: true, isSnapshotDue: true })
  assert.deepEqual(due(minuteMs, -365 * dayMs), { isAnything: true, isSnapshotDue: false })
})
