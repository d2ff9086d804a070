/** 100,000 devices through the whole story, and other seeds with fewer. */
import { test } from 'node:test'
import { expectGolden } from '../../../tools/golden.ts'
import { devicesCountDefault, fleetStoryName, tellFleetStory } from './rollout-story.ts'

const seeds = [2, 3, 4, 5]

test(`D3 D4 O1 ${devicesCountDefault} devices, five waves (npm run sim -- ${fleetStoryName})`, async () => {
  const golden = new URL('rollout-story-100k.golden.txt', import.meta.url)
  expectGolden(golden, await tellFleetStory({ devicesCount: devicesCountDefault, seed: 1 }))
})

for (const seed of seeds) {
  test(`D3 D4 O1 five waves keep their limits (npm run sim -- ${fleetStoryName} --devices 3000 --seed ${seed})`, async () => {
    await tellFleetStory({ devicesCount: 3000, seed })
  })
}
