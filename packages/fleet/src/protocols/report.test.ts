import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ForeignReport, RunningRelease } from './report.ts'
import { changeReport } from './report.ts'

const release = (counter: number): RunningRelease => ({
  product: 'os',
  version: `${counter}.0`,
  sha256: String(counter).padStart(64, '0'),
  counter,
})
const before: ForeignReport = {
  update: { state: 'installing' },
  running: release(3),
  committedCounter: 3,
  floor: 1,
  bootId: 'a',
}

test('D7 fault: a device that names an older release keeps the highest counter that ever ran there', () => {
  const older = changeReport(before, { update: { state: 'idle' }, running: release(2) })
  assert.deepEqual([older.running?.counter, older.committedCounter], [2, 3])
  const newer = changeReport(older, { update: { state: 'idle' }, running: release(4) })
  assert.deepEqual([newer.running?.counter, newer.committedCounter], [4, 4])
})

test('D6 a machine that was made anew with an older image is at the counter that it says', () => {
  const update = { state: 'idle' } as const
  const changed = changeReport(before, { update, running: release(2), committedCounter: 2 })
  assert.equal(changed.committedCounter, 2)
})

test('D6 what a statement leaves out stays as it was, and an unsigned version stands only without a release', () => {
  const update = { state: 'committed' } as const
  assert.deepEqual(changeReport(before, { update, bootId: null }), { ...before, update })
  const unsigned = changeReport(before, { update, running: null, unsignedVersion: 'beta' })
  assert.equal(changeReport(unsigned, { update }).unsignedVersion, 'beta')
  const signed = changeReport(unsigned, { update, running: release(4) })
  assert.equal(Object.hasOwn(signed, 'unsignedVersion'), false)
})
