import { seededRandom } from '@seaworthy/std/random'
import { ManualClock } from '@seaworthy/std/time'
import { createMemoryStore } from './memory.ts'
import { testRegistryStore } from './store.suite.ts'

testRegistryStore('memory', async () => {
  const clock = new ManualClock(new Date('2026-01-01T00:00:00Z'))
  return {
    store: createMemoryStore({ clock, random: seededRandom(7) }),
    clock,
    close: async () => {},
  }
})
