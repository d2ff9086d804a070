import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SetUp } from './guide.ts'
import { listSteps } from './guide.ts'

const empty: SetUp = {
  ...{ origin: 'https://ship.example', hasRoot: false, product: undefined, channel: undefined },
  ...{ version: undefined, isPublished: false, fleet: undefined, hasProvisioningKey: false },
  ...{ devicesCount: 0, updatedCount: 0 },
}
const doneOf = (seen: SetUp) => listSteps(seen).filter(({ isDone }) => isDone).length

test('the guide ticks off nothing of an empty server, and everything once a device runs a release', () => {
  assert.equal(doneOf(empty), 0)
  assert.equal(doneOf({ ...empty, hasRoot: true }), 2)
  const whole = listSteps({ ...empty, updatedCount: 1 })
  assert.ok(whole.every(({ isDone }) => isDone))
})

test('commands of the guide name what is there already, quoted for a shell', () => {
  const seen = { ...empty, product: 'press', channel: 'beta', fleet: 'shops' }
  const lines = listSteps(seen).flatMap((step) => step.lines)
  assert.ok(lines.includes('seaworthy login https://ship.example --pin sha256:…'))
  assert.ok(lines.some((line) => line.startsWith('seaworthy publish press 1.0.0 --channel beta ')))
  assert.ok(lines.some((line) => line.includes('--fleet shops --agent-config agent.json')))
})
