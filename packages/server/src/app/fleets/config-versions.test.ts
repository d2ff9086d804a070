import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { nextConfigVersion, versionAfterMove } from './config-versions.ts'

test('V8 O2 fault: what is set after a backup was restored is newer than all that was set before (property)', () => {
  const backedUp = Date.UTC(2026, 6, 1)
  // Up to one change a second, the backup is taken somewhere among them.
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 86_400 }), { minLength: 2 }), fc.nat(), (waits, at) => {
      let now = backedUp
      let version = 0
      const versions = waits.map((seconds) => {
        now += 1000 * Math.max(1, seconds)
        version = nextConfigVersion(version, new Date(now))
        return version
      })
      const restored = versions[at % versions.length]!
      const afterwards = nextConfigVersion(restored, new Date(now + 1000))
      assert.ok(afterwards > versions.at(-1)!)
      assert.ok(versions.every((one, i) => i === 0 || one > versions[i - 1]!))
    }),
  )
  // A clock that was set back changes nothing about the order.
  assert.equal(nextConfigVersion(1_000_000_000, new Date(0)), 1_000_000_001)
})

test('V8 fault: a device that is moved takes over what its new fleet has, whatever is set, moved and polled in between (property)', () => {
  const fleet = fc.constantFrom(0, 1, 2)
  const step = fc.oneof(
    fc.record({ kind: fc.constant('set' as const), fleet, seconds: fc.nat(2) }),
    fc.record({ kind: fc.constant('move' as const), fleet, seconds: fc.nat(1) }),
    fc.record({ kind: fc.constant('poll' as const), fleet, seconds: fc.nat(1) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.boolean(), (steps, isLate) => {
      // Versions that come faster than seconds, or as seconds do.
      let now = isLate ? Date.UTC(2026, 0, 1) : Date.UTC(2026, 6, 1)
      const fleets = [0, 1, 2].map((name) => ({ name, version: 0, content: 0 }))
      let at = fleets[0]!
      let taken: { version: number; fleet: number; content: number } | undefined
      for (const one of steps) {
        now += 1000 * one.seconds
        if (one.kind === 'set') {
          const changed = fleets[one.fleet]!
          changed.version = nextConfigVersion(changed.version, new Date(now))
          changed.content++
        } else if (one.kind === 'move') {
          const entered = fleets[one.fleet]!
          if (entered === at) continue
          entered.version = versionAfterMove(entered.version, at.version)
          at = entered
        } else {
          const isKnown = taken?.version === at.version
          if (isKnown || (taken === undefined && at.version === 0)) {
            assert.deepEqual([taken?.content ?? 0], [at.content])
            if (at.content > 0) assert.equal(taken?.fleet, at.name)
            continue
          }
          taken = { version: at.version, fleet: at.name, content: at.content }
        }
      }
    }),
    { numRuns: 2000 },
  )
})
