import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '@seaworthy/std/time'
import type { StateSlot, StateStore } from './client-state.ts'
import { createTrustState, openTufClient } from './client.ts'
import { createRepositorySimulator } from './repository-simulator.ts'
import { chooseRelease, listReleases } from './release.ts'

function memoryStore() {
  const slots = new Map<StateSlot, Uint8Array>()
  const store: StateStore = {
    read: async (slot) => slots.get(slot),
    write: async (slot, bytes) => void slots.set(slot, bytes),
  }
  return { slots, store }
}

test('a client goes from the pinned root to a release', async () => {
  const now = new Date('2030-01-01T00:00:00Z')
  const repository = await createRepositorySimulator(now)
  await repository.addProduct('acme')
  await repository.addChannel('acme', 'stable')
  await repository.addRelease('acme', 'stable', '1.0.0')
  const { store } = memoryStore()
  const options = { anchor: repository.anchor, profile: 'strict' } as const
  await createTrustState({ ...options, notBefore: now }, store)
  const client = await openTufClient(options, {
    clock: new ManualClock(now),
    store,
    fetchMetadata: repository.fetchMetadata,
  })
  assert.deepEqual(await client.refresh(), [])
  const listing = listReleases((await client.loadChannel('acme', 'stable')).signed)
  const release = chooseRelease(listing, {
    product: 'acme',
    channel: 'stable',
    platform: 'linux/amd64',
    committedCounter: 0,
    floor: 0,
  })
  assert.equal(release?.path, 'acme/stable/1.0.0')
  assert.equal((await client.findTarget('acme/stable/1.0.0')).role, 'acme.stable')
  assert.deepEqual(repository.requests, [
    '2.root.json',
    'timestamp.json',
    '4.snapshot.json',
    '2.targets.json',
    '2.acme.json',
    '2.acme.stable.json',
  ])
})
