import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { BuiltInRole, Grant, HeldRoles, NeededRight, Permission, RoleRules } from './index.ts'
import {
  allowedByBuiltIn,
  builtInRoles,
  checkGrant,
  comparePasskeyRoles,
  coversGrant,
  deniedPermissions,
  hasRight,
  heldBuiltIn,
  needsPasskey,
  permissions,
  permissionsOf,
  permissionsToAllow,
  permissionsToDeny,
  weightyRoles,
} from './index.ts'

const customNames = ['clerk', 'no-secrets', 'field'] as const
/** A few, so that roles often speak of the same. */
const few = [
  'device:read',
  'device:write',
  'secret:write',
  'token:write',
  'owner:write',
] as const satisfies readonly Permission[]
const always: readonly Permission[] = ['server:read', 'account:self', 'token:self']

const anyRules = (name: string): fc.Arbitrary<RoleRules> =>
  fc.record({
    name: fc.constant(name),
    allows: fc.subarray([...few.slice(0, 4)]),
    denies: fc.subarray([...few.slice(0, 4)]),
  })
/** All custom roles there are; a role that is not among them is unknown. */
const anyCustomRoles = fc
  .tuple(...customNames.map((name) => fc.option(anyRules(name), { nil: undefined })))
  .map((rules) => rules.filter((one) => one !== undefined))
const allCustomRoles = fc.tuple(...customNames.map(anyRules))
const anyName = fc.constantFrom(...customNames, ...builtInRoles)
const names = fc.option(fc.subarray(['a', 'b']), { nil: null })
const scopes = { products: names, fleets: names }
const anyNamesAndScope = fc.record({
  role: anyName,
  deniedBy: fc.uniqueArray(anyName, { maxLength: 3 }),
  ...scopes,
})
const anyGrantOf = (customRoles: readonly RoleRules[]): fc.Arbitrary<Grant> =>
  anyNamesAndScope.map((grant) => ({ ...grant, customRoles }))
const anyGrant = anyCustomRoles.chain(anyGrantOf)

/** Says it again, one permission and one fleet at a time. */
function mayByHand(grant: Grant, { permission, fleet }: NeededRight): boolean {
  const ruleOf = (name: string) => {
    for (const builtIn of builtInRoles) {
      if (builtIn === name) return { allows: allowedByBuiltIn(builtIn), denies: [] }
    }
    return grant.customRoles.find((one) => one.name === name)
  }
  let isDenied = false
  for (const name of [grant.role, ...grant.deniedBy]) {
    const rule = ruleOf(name)
    if (rule === undefined) return false
    if (rule.denies.some((one) => one === permission)) isDenied = true
  }
  const isAllowed = [...ruleOf(grant.role)!.allows, ...always].some((one) => one === permission)
  if (!isAllowed || isDenied) return false
  if (fleet === null) return grant.products === null && grant.fleets === null
  const isListed = (list: readonly string[] | null, name: string) => list?.includes(name) !== false
  return isListed(grant.products, fleet.product) && isListed(grant.fleets, fleet.name)
}

const letters = fc.constantFrom('a', 'b', 'c')
const anyNeed: fc.Arbitrary<NeededRight> = fc.record({
  permission: fc.constantFrom(...few, ...always),
  fleet: fc.option(fc.record({ name: letters, product: letters }), { nil: null }),
})

test('A4 whoever has roles may do what one of them allows and none of them denies, within their scope (property)', () => {
  fc.assert(
    fc.property(anyGrant, anyNeed, (grant, needs) => {
      assert.equal(hasRight(grant, needs), mayByHand(grant, needs))
    }),
    { numRuns: 2000 },
  )
})

test('A4 attack: a further role never adds a right, whatever it allows; deny wins over allow (property)', () => {
  fc.assert(
    fc.property(anyGrant, anyName, (grant, further) => {
      const after = { ...grant, deniedBy: [...grant.deniedBy, further] }
      assert.ok(coversGrant(grant, after))
      const denied = grant.customRoles.find(({ name }) => name === further)?.denies ?? []
      assert.ok(permissionsOf(after).every((one) => !denied.includes(one)))
    }),
  )
})

test('A4 attack: a role that nobody knows allows nothing, and where a role that denies is gone nothing is allowed', () => {
  const gone: HeldRoles = { role: 'clerk', deniedBy: [], customRoles: [] }
  assert.deepEqual(permissionsOf(gone), [])
  assert.deepEqual(permissionsOf({ ...heldBuiltIn('admin'), deniedBy: ['no-secrets'] }), [])
})

test('A4 what is denied is named with the roles that deny it, and nothing else is', () => {
  const noSecrets = { name: 'no-secrets', allows: [], denies: ['secret:write'] as const }
  const held = { ...heldBuiltIn('operator'), deniedBy: ['no-secrets'], customRoles: [noSecrets] }
  assert.deepEqual(deniedPermissions(held), [{ permission: 'secret:write', by: ['no-secrets'] }])
  fc.assert(
    fc.property(anyGrant, (grant) => {
      const named = deniedPermissions(grant).map(({ permission }) => permission)
      const isKnown = [grant.role, ...grant.deniedBy].every(
        (name) =>
          builtInRoles.some((one) => one === name) ||
          grant.customRoles.some((one) => one.name === name),
      )
      const may = permissionsOf(grant)
      assert.ok(named.every((permission) => !may.includes(permission)))
      const whole = permissionsOf({ ...grant, deniedBy: [], customRoles: allowing(grant) })
      if (isKnown) assert.equal(named.length + may.length, whole.length)
    }),
  )
})

const allowing = ({ customRoles }: Grant) => customRoles.map((one) => ({ ...one, denies: [] }))

test('A4 only owners make owners: no role that people make allows or denies it, and none keeps anybody from their own account', () => {
  assert.ok(!permissionsToAllow.includes('owner:write'))
  assert.ok(!permissionsToDeny.includes('owner:write'))
  assert.ok(always.every((one) => !permissionsToDeny.includes(one)))
  const rest = permissions.filter((one) => !permissionsToAllow.includes(one))
  assert.ok(rest.every((one) => one === 'owner:write' || one.startsWith('device-self:')))
})

test('A2 attack: a custom role that may publish or grant needs a passkey, whatever its name (property)', () => {
  const ofName = (name: string, allows: readonly Permission[]): HeldRoles => ({
    ...{ role: name, deniedBy: [] },
    customRoles: [{ name, allows, denies: [] }],
  })
  for (const permission of [
    'proposal:apply',
    'person:write',
    'token:write',
    'role:write',
  ] as const) {
    assert.ok(needsPasskey(weightyRoles(), ofName('harmless', [permission])), permission)
  }
  assert.ok(!needsPasskey(weightyRoles(), ofName('harmless', ['device:write'])))
  const policy = fc.subarray<BuiltInRole>([...builtInRoles])
  fc.assert(
    fc.property(policy, fc.constantFrom(...builtInRoles), (passkeyRoles, like) => {
      const allows = allowedByBuiltIn(like).filter((one) => one !== 'owner:write')
      // What some role may do with a password, a custom role may too, and nothing else.
      const others = builtInRoles.filter((role) => !passkeyRoles.includes(role))
      const isFree = allows.every((one) =>
        others.some((role) => allowedByBuiltIn(role).includes(one)),
      )
      assert.equal(needsPasskey(passkeyRoles, ofName('like', allows)), !isFree)
    }),
  )
})

test('A2 a policy that loosens no role asks no less of anybody, and one that does asks less of somebody (property)', () => {
  const policy = fc.subarray<BuiltInRole>([...builtInRoles])
  fc.assert(
    fc.property(policy, policy, anyGrant, (before, after, held) => {
      const { tightened, loosened } = comparePasskeyRoles(before, after)
      const asksLess = needsPasskey(before, held) && !needsPasskey(after, held)
      const asksMore = needsPasskey(after, held) && !needsPasskey(before, held)
      if (loosened.length === 0) assert.ok(!asksLess)
      if (tightened.length === 0) assert.ok(!asksMore)
      for (const role of loosened) {
        assert.ok(
          needsPasskey(before, heldBuiltIn(role)) && !needsPasskey(after, heldBuiltIn(role)),
        )
      }
    }),
  )
})

/** A small installation: holders with the one who made each, and the roles there are. */
interface Holder {
  readonly grant: Omit<Grant, 'customRoles'>
  readonly maker: number
}

type Step =
  | { readonly kind: 'give'; readonly by: number; readonly wanted: Omit<Grant, 'customRoles'> }
  | { readonly kind: 'change'; readonly by: number; readonly rules: RoleRules }

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('give' as const),
    by: fc.nat(8),
    wanted: anyNamesAndScope,
  }),
  fc.record({
    kind: fc.constant('change' as const),
    by: fc.nat(8),
    rules: fc.constantFrom(...customNames).chain(anyRules),
  }),
)

test('A3 attack: by no sequence of grants and changes of roles does a holder get what neither a maker above them nor whoever changed the role had (property)', () => {
  const start: Omit<Grant, 'customRoles'> = {
    ...{ role: 'clerk', deniedBy: ['no-secrets'] },
    ...{ products: null, fleets: null },
  }
  fc.assert(
    fc.property(allCustomRoles, fc.array(anyStep, { maxLength: 30 }), (first, steps) => {
      let rules: readonly RoleRules[] = first
      let holders: Holder[] = [{ grant: start, maker: 0 }]
      const grantOf = ({ grant }: Holder): Grant => ({ ...grant, customRoles: rules })
      const most = new Set(permissionsOf(grantOf(holders[0]!)))
      for (const step of steps) {
        const by = holders[step.by % holders.length]!
        if (step.kind === 'give') {
          const wanted = { ...step.wanted, customRoles: rules }
          const isKnown = [wanted.role, ...wanted.deniedBy].every((name) =>
            [...builtInRoles, ...rules.map((one) => one.name)].some((one) => one === name),
          )
          if (!isKnown || !coversGrant(grantOf(by), wanted)) continue
          checkGrant(grantOf(by), wanted)
          holders.push({ grant: step.wanted, maker: holders.indexOf(by) })
        } else {
          const before = rules.find((one) => one.name === step.rules.name)
          const spoken = [before, step.rules].flatMap((one) => [
            ...(one?.allows ?? []),
            ...(one?.denies ?? []),
          ])
          const own = permissionsOf(grantOf(by))
          if (!spoken.every((one) => own.includes(one))) continue
          rules = [...rules.filter((one) => one.name !== step.rules.name), step.rules]
          // Grants that their maker could not have given now end.
          holders = endExceeding(holders, rules)
        }
        for (const holder of holders) {
          const maker = holders[holder.maker]!
          assert.ok(coversGrant(grantOf(maker), grantOf(holder)) || maker === holder)
          for (const permission of permissionsOf(grantOf(holder))) assert.ok(most.has(permission))
        }
      }
    }),
    { numRuns: 500 },
  )
})

function endExceeding(holders: readonly Holder[], rules: readonly RoleRules[]): Holder[] {
  const ended = new Set<number>()
  for (const [index, { grant, maker }] of holders.entries()) {
    const given = { ...grant, customRoles: rules }
    const could = { ...holders[maker]!.grant, customRoles: rules }
    if (ended.has(maker) || !coversGrant(could, given)) ended.add(index)
  }
  const kept = [...holders.keys()].filter((index) => !ended.has(index))
  return kept.map((index) => {
    const holder = holders[index]!
    return { ...holder, maker: kept.indexOf(holder.maker) }
  })
}
