import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeRollout } from '../../testing/rollouts.ts'
import { findVersionBefore } from './back-release.ts'

type Facts = Parameters<typeof findVersionBefore>[0]

test('D4 going back leads to the highest release that the fleet had, also when an older rollout ended last', () => {
  const bad = makeRollout({ id: 'rollout_4', version: '4.0', counter: 4 })
  const older = makeRollout({ id: 'rollout_3', version: '2.0', counter: 2, state: 'finished' })
  const newer = makeRollout({ id: 'rollout_2', version: '3.0', counter: 3, state: 'finished' })
  const facts = { rollout: bad, rollouts: [bad, older, newer] } as unknown as Facts
  assert.equal(findVersionBefore(facts, undefined).version, '3.0')
})
