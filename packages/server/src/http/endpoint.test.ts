/**
 * The house rule "audit cannot be forgotten", as the compiler sees it: each line below must be an
 * error.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { removeDevice } from '@seaworthy/api/devices'
import { createFleet, listFleets } from '@seaworthy/api/fleets'
import { checkIn } from '@seaworthy/api/device-self'
import type { Route } from '@seaworthy/api/route'
import { routes } from '@seaworthy/api/routes'
import type { GuardedEffect } from '../app/approvals/index.ts'
import { guarded, unguarded } from './effects.ts'
import { audited, read, recordedElsewhere } from './endpoint.ts'
import type { Endpoint } from './endpoint.ts'

test('T9 a changing route that is not audited does not compile', () => {
  const never = async (): Promise<never> => assert.fail('not called')
  // @ts-expect-error a POST is not read
  assert.ok(read(createFleet, 'fleet:write', never))
  // @ts-expect-error only check-ins and device tokens are recorded elsewhere
  assert.ok(recordedElsewhere(createFleet, 'fleet:write', never))
  // @ts-expect-error only these functions make an endpoint
  const handMade: Endpoint = { route: createFleet, permission: 'fleet:write', run: never }
  assert.ok(handMade)
  assert.ok(read(listFleets, 'fleet:read', never))
  assert.ok(recordedElsewhere(checkIn, 'device-self:update', never))
  assert.ok(audited(createFleet, { permission: 'fleet:write', subject: () => '' }, never))
})

test('A2 attack: a new route ends a device, or brings it a release, and no rule for approvals hears of it', () => {
  const never = async (): Promise<never> => assert.fail('not called')
  const options = { permission: 'device:write', subject: () => '' } as const
  // @ts-expect-error a route that ends a device says what it would do
  assert.ok(audited(removeDevice, options, never))
  const effect = async () => await never()
  const release = { ...options, effect: effect as () => Promise<GuardedEffect<'release'>> }
  // @ts-expect-error the effect is of the kind in the table
  assert.ok(audited(removeDevice, release, never))
  // @ts-expect-error a route that no table names is not mounted
  assert.ok(audited({ ...createFleet, name: 'device.wipe' } as Route, options, never))
  const names = [...Object.keys(guarded), ...Object.values(unguarded).flat()].toSorted()
  assert.deepEqual(names, [...new Set(names)], 'each route stands once')
  const changing = routes.filter(({ method }) => method !== 'GET').map(({ name }) => name)
  const gone = names.filter((name) => !changing.includes(name))
  assert.deepEqual(gone, [], 'each is a route that changes something')
})
