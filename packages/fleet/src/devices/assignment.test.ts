import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { FleetPolicy } from '../fleets/index.ts'
import type { ReleaseFacts } from '../releases/index.ts'
import type { ReportFacts } from './assignment.ts'
import { chooseAssignment } from './assignment.ts'

const fleet: FleetPolicy = {
  name: 'shops',
  product: 'acme',
  channel: 'stable',
  pollSeconds: 60,
  pinnedVersion: null,
  updatesEnabled: true,
  follow: 'newest',
  configVersion: 0,
  baseline: null,
  reboot: { strategy: 'immediate' },
}

function release(counter: number, changes: Partial<ReleaseFacts> = {}): ReleaseFacts {
  const version = changes.version ?? `1.${counter}.0`
  return {
    product: 'acme',
    channel: 'stable',
    version,
    targetPath: `acme/stable/${version}`,
    sha256: String(counter).padStart(64, '0'),
    counter,
    floor: 1,
    platforms: ['linux/amd64'],
    hardware: [],
    security: false,
    ...changes,
  }
}

function reportOf(counter: number | null, changes: Partial<ReportFacts> = {}): ReportFacts {
  const running =
    counter === null
      ? null
      : { product: 'acme', sha256: String(counter).padStart(64, '0'), counter }
  return {
    running,
    committedCounter: counter ?? 0,
    floor: 0,
    update: { state: 'idle' },
    platform: 'linux/amd64',
    hardware: null,
    ...changes,
  }
}

const releases = [release(1), release(2), release(3)]

test('D2 a new device gets the newest release, one that runs it gets nothing', () => {
  assert.equal(chooseAssignment(reportOf(null), fleet, releases).release?.counter, 3)
  assert.deepEqual(chooseAssignment(reportOf(3), fleet, releases), {
    release: null,
    reason: 'up_to_date',
  })
})

test('D2 a fleet that is off or pinned decides', () => {
  const off = { ...fleet, updatesEnabled: false }
  assert.equal(chooseAssignment(reportOf(1), off, releases).reason, 'updates_disabled')
  const pinned = { ...fleet, pinnedVersion: '1.2.0' }
  assert.equal(chooseAssignment(reportOf(1), pinned, releases).release?.counter, 2)
  assert.equal(chooseAssignment(reportOf(2), pinned, releases).reason, 'up_to_date')
  const unknown = { ...fleet, pinnedVersion: '9.9.9' }
  assert.equal(
    chooseAssignment(reportOf(1), unknown, releases).reason,
    'pinned_version_not_published',
  )
})

test('T7 rollback: a pin, a withdrawal or a committed counter never leads to an older release', () => {
  const pinned = { ...fleet, pinnedVersion: '1.1.0' }
  assert.equal(chooseAssignment(reportOf(3), pinned, releases).reason, 'not_newer')
  assert.equal(chooseAssignment(reportOf(3), fleet, releases.slice(0, 2)).reason, 'not_newer')
  const committed = reportOf(1, { committedCounter: 3 })
  assert.equal(chooseAssignment(committed, fleet, releases.slice(0, 2)).reason, 'not_newer')
  const floored = reportOf(null, { floor: 4 })
  assert.equal(chooseAssignment(floored, fleet, releases).reason, 'not_newer')
})

test('T7 wrong platform and wrong hardware are never assigned', () => {
  const arm = reportOf(null, { platform: 'linux/arm64' })
  assert.equal(chooseAssignment(arm, fleet, releases).reason, 'no_release_for_platform')
  const special = [release(1), release(2, { hardware: ['till-3'] })]
  assert.equal(chooseAssignment(reportOf(null), fleet, special).release?.counter, 1)
  const till = reportOf(null, { hardware: 'till-3' })
  assert.equal(chooseAssignment(till, fleet, special).release?.counter, 2)
})

test('T7 a device that runs another product gets nothing', () => {
  const running = { product: 'other', sha256: '0'.repeat(64), counter: 1 }
  assert.equal(
    chooseAssignment(reportOf(null, { running }), fleet, releases).reason,
    'other_product',
  )
})

test('D4 a release that was rolled back is not tried again, the next one is', () => {
  const update = { state: 'rolled_back', sha256: release(3).sha256 }
  assert.equal(
    chooseAssignment(reportOf(2, { update }), fleet, releases).reason,
    'rolled_back_before',
  )
  const next = [...releases, release(4)]
  assert.equal(chooseAssignment(reportOf(2, { update }), fleet, next).release?.counter, 4)
})

test('D12 going back on purpose is the old content under a higher counter', () => {
  const again = release(4, { version: '1.1.0-again', sha256: release(1).sha256 })
  assert.equal(chooseAssignment(reportOf(3), fleet, [...releases, again]).release, again)
})

test('D2 whatever the releases, the answer is runnable and never older (property)', () => {
  const anyRelease = fc.record({
    counter: fc.integer({ min: 1, max: 20 }),
    channel: fc.constantFrom('stable', 'beta'),
    platform: fc.constantFrom('linux/amd64', 'linux/arm64'),
  })
  const any = fc.record({
    offered: fc.array(anyRelease, { maxLength: 8 }),
    running: fc.option(fc.integer({ min: 1, max: 20 }), { nil: null }),
    committed: fc.integer({ min: 0, max: 20 }),
    floor: fc.integer({ min: 0, max: 20 }),
  })
  fc.assert(
    fc.property(any, ({ offered, running, committed, floor }) => {
      const list = offered.map(({ counter, channel, platform }) =>
        release(counter, { channel, platforms: [platform] }),
      )
      const report = reportOf(running, { committedCounter: committed, floor })
      const { release: chosen } = chooseAssignment(report, fleet, list)
      if (chosen === null) return
      assert.equal(chosen.channel, 'stable')
      assert.ok(chosen.platforms.includes('linux/amd64'))
      assert.ok(chosen.counter >= floor && chosen.counter >= committed)
      assert.ok(running === null || chosen.counter > running)
    }),
    { numRuns: 2000 },
  )
})
