import assert from 'node:assert/strict'
import { test } from 'node:test'
import { listAttention } from './attention.ts'
import { formatBytes } from './byte-words.ts'
import { isPageAddress } from './page-paths.ts'

const nothing = {
  ...{ roles: [], paused: [], active: [], proposals: [], approvals: [] },
  ...{ silentCount: 0, sharedCount: 0, clockCount: 0, failedCount: 0, devicesCount: 0 },
}
const role = {
  ...{ role: 'gateway.stable', version: 3, expiresAt: '2030-01-20T00:00:00Z', threshold: 2 },
  ...{ keyIds: ['a', 'b'], online: false, usedPercent: 97 },
}

test('what wants a person is listed with the gravest first, and leads to a page of ours', () => {
  assert.deepEqual(listAttention(nothing), [])
  const all = (5000).toLocaleString()
  const found = listAttention({
    ...nothing,
    ...{ silentCount: 1, sharedCount: 2, failedCount: 1200, devicesCount: 5000 },
    roles: [
      { ...role, alarm: 'critical' },
      { ...role, role: 'root', alarm: 'notice' },
      { ...role, role: 'timestamp', alarm: 'critical', online: true },
    ],
  })
  assert.deepEqual(
    found.map(({ text, isGrave }) => [text, isGrave]),
    [
      ['The role gateway.stable expires on 2030-01-20: its holders must sign it again.', true],
      [`2 of ${all} devices share their identity.`, true],
      [
        `${(1200).toLocaleString()} of ${all} devices failed their last update, or rolled it back.`,
        true,
      ],
      [`One of ${all} devices is silent: not heard of for a day and five polls.`, false],
    ],
  )
  for (const { to } of found) assert.ok(isPageAddress(to), to)
})

test('a size has one unit and at most one digit after the point', () => {
  assert.deepEqual([0, 1, 999, 1000, 1549, 999_960, 999_999, 2 ** 50].map(formatBytes), [
    ...['0 bytes', '1 byte', '999 bytes', '1 kB', '1.5 kB', '1 MB', '1 MB', '1125.9 TB'],
  ])
})
