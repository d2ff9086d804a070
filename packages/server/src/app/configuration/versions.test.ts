import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { nextVersion } from './versions.ts'

test('V8 O2 fault: what is set after a backup was restored is newer than all that was set before (property)', () => {
  const backedUp = Date.UTC(2026, 6, 1)
  // Up to one change a second, the backup is taken somewhere among them.
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 86_400 }), { minLength: 2 }), fc.nat(), (waits, at) => {
      let now = backedUp
      let version = 0
      const versions = waits.map((seconds) => {
        now += 1000 * Math.max(1, seconds)
        version = nextVersion(version, new Date(now))
        return version
      })
      const restored = versions[at % versions.length]!
      const afterwards = nextVersion(restored, new Date(now + 1000))
      assert.ok(afterwards > versions.at(-1)!)
      assert.ok(versions.every((one, i) => i === 0 || one > versions[i - 1]!))
    }),
  )
  // A clock that was set back changes nothing about the order.
  assert.equal(nextVersion(1_000_000_000, new Date(0)), 1_000_000_001)
})
