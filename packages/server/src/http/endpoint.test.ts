/**
 * The house rule "audit cannot be forgotten", as the compiler sees it: each line below must be an
 * error.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createFleet, listFleets } from '@seaworthy/api/fleets'
import { checkIn } from '@seaworthy/api/device-self'
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
