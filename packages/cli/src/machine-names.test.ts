import assert from 'node:assert/strict'
import { test } from 'node:test'
import { machineName } from '@seaworthy/api/pairings'
import fc from 'fast-check'
import { anyCodePoint } from '@seaworthy/std/testing/any-code-point'
import { nameMachine } from './machine-names.ts'

test('A3 whatever a machine calls itself becomes a name that the server takes (property)', () => {
  assert.equal(nameMachine('build-01.example.org'), 'build-01.example.org')
  assert.equal(nameMachine('Anns Läptop'), 'Anns-L-ptop')
  fc.assert(
    fc.property(fc.string({ unit: anyCodePoint, maxLength: 300 }), (hostname) => {
      assert.ok(machineName.safeParse(nameMachine(hostname)).success, hostname)
    }),
  )
})
