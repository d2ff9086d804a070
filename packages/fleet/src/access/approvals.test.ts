import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Refusal } from '@seaworthy/std/refusal'
import type { ApprovalRules, Grant, Guarded, NeededRight } from './index.ts'
import {
  builtInRoles,
  hasApprovalRules,
  hasRight,
  heldBuiltIn,
  isAsShown,
  mayDecide,
  needsApproval,
  noApprovalRules,
  requireApprover,
  requireRejecter,
} from './index.ts'

const anyRules: fc.Arbitrary<ApprovalRules> = fc.record({
  releaseDevicesAbove: fc.option(fc.nat(10), { nil: null }),
  deviceRemoval: fc.boolean(),
  credentialLease: fc.boolean(),
})

test('A2 a rule holds for every number of devices above it, and where the number is unknown', () => {
  fc.assert(
    fc.property(anyRules, fc.nat(12), fc.nat(12), (rules, devicesMax, before) => {
      const asks = (kind: Guarded['kind'], count: number | null) =>
        needsApproval(rules, { kind, devicesMax: count }, before)
      const { releaseDevicesAbove: above } = rules
      const together = devicesMax === 0 ? 0 : devicesMax + before
      assert.equal(asks('release', devicesMax), above !== null && together > above)
      assert.equal(asks('release', null), above !== null)
      assert.equal(asks('device-removal', devicesMax), rules.deviceRemoval)
      assert.equal(asks('credential-lease', null), rules.credentialLease)
      assert.equal(asks('approval-rules', null), hasApprovalRules(rules))
    }),
  )
  assert.ok(!hasApprovalRules(noApprovalRules))
})

test('A2 attack: many devices are brought another release few at a time (property)', () => {
  fc.assert(
    fc.property(fc.nat(10), fc.array(fc.nat(4)), (releaseDevicesAbove, steps) => {
      const rules = { ...noApprovalRules, releaseDevicesAbove }
      let passed = 0
      for (const devicesMax of steps) {
        const isFree = !needsApproval(rules, { kind: 'release', devicesMax }, passed)
        if (isFree) passed += devicesMax
      }
      assert.ok(passed <= releaseDevicesAbove)
    }),
  )
})

const names = fc.option(fc.subarray(['a', 'b']), { nil: null })
const anyGrant: fc.Arbitrary<Grant> = fc
  .record({ role: fc.constantFrom(...builtInRoles), products: names, fleets: names })
  .map(({ role, ...scope }) => ({ ...heldBuiltIn(role), ...scope }))
const anyNeed: fc.Arbitrary<NeededRight> = fc.record({
  permission: fc.constantFrom('rollout:write', 'device:write', 'owner:write'),
  fleet: fc.option(
    fc.record({
      name: fc.constantFrom('a', 'b'),
      product: fc.constantFrom('a', 'b'),
      from: fc.constantFrom('a', 'b', undefined),
    }),
    { nil: null },
  ),
})

test('A2 attack: whoever approves is somebody else with the right themselves, whatever the rights and scopes (property)', () => {
  const who = fc.constantFrom('person_1', 'person_2')
  const decider = fc.option(who, { nil: undefined })
  fc.assert(
    fc.property(who, decider, anyGrant, anyNeed, (principal, other, grant, needs) => {
      const request = { principal, needs }
      const isAnother = other !== undefined && other !== principal
      const expected = isAnother && hasRight(grant, needs)
      assert.equal(mayDecide(request, { principal: other, grant }), expected)
      const approves = () => requireApprover(request, { principal: other, grant })
      if (expected) approves()
      else {
        const code = isAnother ? 'permission_denied' : 'approval_own'
        assert.throws(approves, (error: Refusal) => error.code === code)
      }
      const rejects = () => requireRejecter(request, { principal: other, grant })
      if (other !== principal && hasRight(grant, needs)) rejects()
      else assert.throws(rejects)
    }),
  )
})

test('A2 attack: whoever reaches the one fleet alone agrees to a move out of, or into, the other', () => {
  const grant = (...fleets: string[]): Grant => ({
    ...heldBuiltIn('operator'),
    products: null,
    fleets,
  })
  const fleet = { name: 'a', product: 'p', from: 'b' }
  const needs: NeededRight = { permission: 'device:write', fleet }
  assert.ok(!hasRight(grant('a'), needs))
  assert.ok(!hasRight(grant('b'), needs))
  assert.ok(hasRight(grant('a', 'b'), needs))
})

test('A2 what is done is what was shown, and to no more devices', () => {
  const of = (effectSha256: string, devicesMax: number | null) => ({ effectSha256, devicesMax })
  assert.ok(isAsShown(of('a', 5), of('a', 5)))
  assert.ok(isAsShown(of('a', 5), of('a', 4)))
  assert.ok(isAsShown(of('a', null), of('a', null)))
  assert.ok(!isAsShown(of('a', 5), of('a', 6)))
  assert.ok(!isAsShown(of('a', 5), of('b', 5)))
  assert.ok(!isAsShown(of('a', 5), of('a', null)))
  assert.ok(!isAsShown(of('a', null), of('a', 0)))
})
