import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Refusal } from '@seaworthy/std/refusal'
import type { BuiltInRole, Grant, Permission } from './index.ts'
import {
  checkGrant,
  coversGrant,
  devicePermissions,
  permissions,
  heldBuiltIn,
  permissionsOf as permissionsOfHeld,
  provisioningKeyPermissions,
  reachesEverything,
  reachesFleet,
  reachesProduct,
  reachesWholeProduct,
  tokenRoles,
  weightyRoles,
} from './index.ts'

const all = { products: null, fleets: null }
const grant = (role: BuiltInRole, scope: Partial<Grant> = {}): Grant => ({
  ...all,
  ...scope,
  ...heldBuiltIn(role),
})
const permissionsOf = (role: BuiltInRole) => permissionsOfHeld(heldBuiltIn(role))
const exceeds = (error: Refusal) => error.code === 'grant_exceeds_own'

test('V4 a device credential can update itself, change its metadata, read its application and configuration, and nothing else', () => {
  assert.deepEqual(devicePermissions.toSorted(), [
    'device-self:application',
    'device-self:configuration',
    'device-self:metadata',
    'device-self:sign-in',
    'device-self:update',
  ])
  assert.deepEqual(provisioningKeyPermissions, ['device-self:register'])
})

test('A4 no role of people has a permission of devices', () => {
  for (const role of tokenRoles) {
    assert.ok(permissionsOf(role).every((permission) => !permission.startsWith('device-self:')))
  }
})

test('B10 only builders, releasers and admins write to the registry', () => {
  const may = (permission: Permission) =>
    tokenRoles.filter((role) => permissionsOf(role).includes(permission))
  assert.deepEqual(may('registry:push'), ['admin', 'releaser', 'builder'])
  assert.deepEqual(may('registry:delete'), ['admin'])
  assert.deepEqual(may('proposal:apply'), ['admin', 'releaser'])
  assert.deepEqual(may('token:write'), ['admin'])
})

test('A4 operators and releasers steer rollouts, everybody with an overview reads them', () => {
  const may = (permission: Permission) =>
    tokenRoles.filter((role) => permissionsOf(role).includes(permission))
  const readers = ['admin', 'releaser', 'operator', 'responder', 'support', 'auditor', 'viewer']
  for (const permission of ['rollout:read', 'update:read', 'reboot-lock:read'] as const) {
    assert.deepEqual(may(permission), readers)
  }
  assert.deepEqual(may('rollout:write'), ['admin', 'releaser', 'operator'])
  assert.deepEqual(may('rollout:approve'), ['admin', 'releaser', 'operator'])
  assert.deepEqual(may('reboot-lock:write'), ['admin', 'operator'])
})

test('A2 owners, admins and releasers publish or grant, and nobody else does', () => {
  assert.deepEqual(weightyRoles(), ['owner', 'admin', 'releaser'])
})

test('A4 auditors and support change nothing', () => {
  for (const role of ['auditor', 'support'] as const) {
    const changing = permissionsOf(role).filter((p) =>
      /:(write|apply|approve|decide|push|delete|handle|publish|lease)$/.test(p),
    )
    assert.deepEqual(changing, [])
  }
})

test('A4 support sees devices and what applications are given, and neither secrets nor people', () => {
  const more = permissionsOf('support').filter((one) => !permissionsOf('viewer').includes(one))
  assert.deepEqual(more, ['variable:read'])
})

test('A3 nobody gives more than they have: role, products, fleets', () => {
  checkGrant(grant('admin'), grant('viewer', { products: ['acme'] }))
  checkGrant(grant('admin', { products: ['acme'] }), grant('builder', { products: ['acme'] }))
  assert.throws(() => checkGrant(grant('builder'), grant('admin')), exceeds)
  assert.throws(() => checkGrant(grant('admin', { products: ['acme'] }), grant('viewer')), exceeds)
  assert.throws(
    () => checkGrant(grant('admin', { fleets: ['a'] }), grant('viewer', { fleets: ['a', 'b'] })),
    exceeds,
  )
})

test('A3 a role can give what is a subset of its own, and no role can give what it lacks', () => {
  for (const own of tokenRoles) {
    for (const wanted of tokenRoles) {
      const has = new Set(permissionsOf(own))
      const isSubset = permissionsOf(wanted).every((permission) => has.has(permission))
      if (isSubset) checkGrant(grant(own), grant(wanted))
      else assert.throws(() => checkGrant(grant(own), grant(wanted)), exceeds)
    }
  }
  assert.equal(new Set(permissions).size, permissions.length)
})

test('A3 what covers a grant reaches all that the grant reaches, and whoever covers it may give it (property)', () => {
  const names = fc.option(fc.subarray(['a', 'b', 'c']), { nil: null })
  const anyGrant = fc
    .record({ role: fc.constantFrom(...tokenRoles), products: names, fleets: names })
    .map(({ role, ...scope }) => grant(role, scope))
  fc.assert(
    fc.property(anyGrant, anyGrant, (own, other) => {
      if (!coversGrant(own, other)) {
        assert.throws(() => checkGrant(own, other), exceeds)
        return
      }
      checkGrant(own, other)
      for (const product of ['a', 'b', 'c', 'd']) {
        assert.ok(!reachesProduct(other, product) || reachesProduct(own, product))
        assert.ok(!reachesWholeProduct(other, product) || reachesWholeProduct(own, product))
        for (const name of ['a', 'b', 'c', 'd']) {
          const fleet = { name, product }
          assert.ok(!reachesFleet(other, fleet) || reachesFleet(own, fleet))
        }
      }
      assert.ok(!reachesEverything(other) || reachesEverything(own))
    }),
  )
})

test('A4 what all fleets of a product share is not in reach of a token for some of them', () => {
  assert.ok(reachesWholeProduct(grant('admin', { products: ['acme'] }), 'acme'))
  assert.ok(!reachesWholeProduct(grant('admin', { fleets: ['shops'] }), 'acme'))
  assert.ok(!reachesEverything(grant('admin', { fleets: ['shops'] })))
  assert.ok(!reachesEverything(grant('admin', { products: ['acme'] })))
})

test('A4 a fleet is reached only with its product', () => {
  const shops = { name: 'shops', product: 'acme' }
  assert.ok(reachesFleet(grant('operator'), shops))
  assert.ok(!reachesFleet(grant('operator', { products: ['other'] }), shops))
  assert.ok(!reachesFleet(grant('operator', { fleets: ['other'] }), shops))
  assert.ok(reachesFleet(grant('operator', { fleets: ['shops'], products: ['acme'] }), shops))
  assert.ok(!reachesProduct(grant('operator', { products: [] }), 'acme'))
})
