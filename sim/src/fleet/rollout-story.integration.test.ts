/** A small fleet through the whole story; the long test plays it with 100,000 devices. */
import { test } from 'node:test'
import { expectGolden } from '../../../tools/golden.ts'
import { fleetStoryName, tellFleetStory } from './rollout-story.ts'

const devicesCount = 2000

test(`D3 D4 O1 five waves keep their limits through kills, cuts and clocks (npm run sim -- ${fleetStoryName} --devices ${devicesCount})`, async () => {
  const golden = new URL('rollout-story.golden.txt', import.meta.url)
  expectGolden(golden, await tellFleetStory({ devicesCount, seed: 1 }))
})
