import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ReviewedGrant } from './index.ts'
import { changesBetween } from './index.ts'

const lists = fc.option(fc.subarray(['a', 'b']), { nil: null })
const anyGrant = (key: string): fc.Arbitrary<ReviewedGrant> =>
  fc.record({
    key: fc.constant(key),
    kind: fc.constant('token'),
    id: fc.constantFrom('token_1', 'token_2'),
    name: fc.constantFrom('one', 'two', null),
    holder: fc.constant('person_1'),
    role: fc.constantFrom('viewer', 'admin'),
    deniedBy: fc.subarray(['no-secrets', 'no-logs']),
    permissions: fc.subarray(['device:read', 'device:write']),
    products: lists,
    fleets: lists,
    networks: lists,
    isEnabled: fc.boolean(),
  })
const anyReport = fc
  .tuple(...['a', 'b', 'c'].map((key) => fc.option(anyGrant(key), { nil: undefined })))
  .map((grants) => grants.filter((one) => one !== undefined))

const rightFields = [
  ...(['role', 'deniedBy', 'permissions', 'products', 'fleets', 'networks', 'isEnabled'] as const),
]

test('A4 the difference between two reports names what was added, ended or has other rights, and nothing else (property)', () => {
  fc.assert(
    fc.property(anyReport, anyReport, (before, now) => {
      const changed = new Set(
        changesBetween(before, now).map((one) => (one.before ?? one.now)!.key),
      )
      for (const key of ['a', 'b', 'c']) {
        const earlier = before.find((one) => one.key === key)
        const later = now.find((one) => one.key === key)
        const isSame =
          earlier === undefined || later === undefined
            ? earlier === later
            : rightFields.every(
                (field) => JSON.stringify(earlier[field]) === JSON.stringify(later[field]),
              )
        assert.equal(changed.has(key), !isSame)
      }
    }),
  )
  fc.assert(
    fc.property(anyReport, (report) => assert.deepEqual(changesBetween(report, report), [])),
  )
})

test('A4 a refreshed token, another name and another order are no change of rights', () => {
  fc.assert(
    fc.property(anyGrant('a'), (grant) => {
      const other = {
        ...{ ...grant, id: 'token_3', name: 'three' },
        permissions: grant.permissions.toReversed(),
        products: grant.products?.toReversed() ?? null,
      }
      assert.deepEqual(changesBetween([grant], [other]), [])
    }),
  )
})
