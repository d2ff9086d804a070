import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DeviceState } from './device-state.ts'
import { emptyState } from './device-state.ts'
import { findStateFault } from './state-form.ts'

const release = {
  targetPath: 'acme/stable/1.0.0',
  version: '1.0.0',
  sha256: 'a'.repeat(64),
  counter: 3,
  floor: 1,
}

test('a state as the agent writes it has no fault', () => {
  assert.equal(findStateFault(emptyState), undefined)
  const full: DeviceState = {
    ...emptyState,
    deviceId: 'device_1',
    committed: release,
    fallback: release,
    committedCounter: 3,
    floor: 1,
    channelFloors: { 'acme/stable': 1 },
    update: { phase: 'undo', release, starts: 2, code: 'health_failed' },
    outcome: { state: 'rolled_back', targetPath: 'a', sha256: 'b', code: 'crash_loop' },
    failed: [{ sha256: 'a'.repeat(64), counter: 3, code: 'crash_loop' }],
    refusals: [{ code: 'rollback', at: '2026-03-01T12:00:00Z' }],
    metadata: { root: 1 },
    timestampVerifiedAt: '2026-03-01T12:00:00Z',
    configuration: {
      file: 'configuration-2.json',
      version: 4,
      trial: { phase: 'undo', version: 5, digest: 'a'.repeat(64), starts: 1, code: 'crash_loop' },
      failed: { version: 3, digest: 'b'.repeat(64), release: null, code: 'crash_loop' },
    },
    sequence: 7,
    outbox: [{ sequence: 7, report: {} as never, signature: 'AAAA' }],
  }
  assert.equal(findStateFault(full), undefined)
})

test('T7 a member of another form is named, never run on', () => {
  const wrong: Partial<Record<keyof DeviceState, unknown>> = {
    committed: { ...release, counter: '3' },
    fallback: 'x',
    committedCounter: -1,
    floor: 1.5,
    channelFloors: { 'acme/stable': '1' },
    spentKeys: [1],
    keyFile: 'device.key.4',
    update: { phase: 'idle', release, starts: 0 },
    failed: {},
    refusals: [null],
    metadata: { root: null },
    configuration: { ...emptyState.configuration, file: '../device.key' },
    sequence: null,
    outbox: [{ sequence: 1, signature: 'AAAA' }],
  }
  for (const [name, value] of Object.entries(wrong)) {
    assert.equal(findStateFault({ ...emptyState, [name]: value }), name)
  }
})
