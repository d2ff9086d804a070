import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DeviceState } from './device-state.ts'
import { emptyState } from './device-state.ts'
import { hasFailed, rememberFailure } from './failed-releases.ts'

const release = { sha256: 'a'.repeat(64), counter: 2 }
const failTimes = (times: number): DeviceState => {
  let state = emptyState
  for (let i = 0; i < times; i++) {
    state = { ...state, failed: rememberFailure(state, { ...release, code: 'health_failed' }) }
  }
  return state
}

test('D3 what failed is left alone until a further attempt, or a higher counter', () => {
  assert.equal(hasFailed(failTimes(0), release, 1), false)
  assert.equal(hasFailed(failTimes(1), release, 1), true)
  assert.equal(hasFailed(failTimes(1), release, 2), false)
  assert.equal(hasFailed(failTimes(2), release, 2), true)
  assert.equal(hasFailed(failTimes(2), { ...release, counter: 3 }, 1), false)
  assert.equal(hasFailed(failTimes(2), { ...release, counter: 1 }, 9), true)
})

test('V1 endless attempts: a server cannot have a release that fails tried more than ten times', () => {
  assert.equal(hasFailed(failTimes(9), release, 1000), false)
  assert.equal(hasFailed(failTimes(10), release, 1000), true)
})
