/** Floors that a channel has signed: how long they bind, and whom. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ManualClock } from '@seaworthy/std/time'
import type { Signer } from '../keys/signer.ts'
import { generateSigner } from '../keys/signer.ts'
import { createRepositorySimulator, provisionClient } from '../testing/repository-simulator.ts'
import { openTufClient } from './client.ts'
import { parseClientState, formatClientState } from './client-state.ts'
import type { TrustCode } from './codes.ts'
import { expiryOf } from './lifetimes.ts'
import type { ChannelMarks } from './metadata.ts'
import { delegateRole, renewRole, restartMarks } from './repository.ts'
import { VersionMarks } from './version-marks.ts'
import type { DelegatedRing } from './version-marks.ts'

const start = new Date('2030-01-01T00:00:00Z')

/** A device that has seen releases 1 to 5 of acme's stable channel; the floor is 3. */
async function world() {
  const repository = await createRepositorySimulator(start)
  await repository.addProduct('acme')
  await repository.addChannel('acme', 'stable')
  for (const counter of [1, 2, 3, 4, 5]) {
    const floor = Math.min(counter, 3)
    await repository.addRelease('acme', 'stable', `${counter}.0.0`, { counter, floor })
  }
  const clock = new ManualClock(start)
  const device = await provisionClient(repository, clock)
  let { client } = device
  const floor = async () => {
    await client.refresh()
    await client.loadChannel('acme', 'stable')
    return client.channelFloor('acme', 'stable')
  }
  assert.equal(await floor(), 3)
  return {
    repository,
    store: device.store,
    floor,
    refuses: (code: TrustCode) => assert.rejects(floor(), { name: 'TrustError', code }),
    restart: async () => {
      client = await device.reopen()
    },
    restartWith: async (earlierFloors: ReadonlyMap<string, number>) => {
      client = await openTufClient(
        { anchor: repository.anchor, profile: 'strict', notBefore: start, earlierFloors },
        { clock, store: device.store, fetchMetadata: repository.fetchMetadata },
      )
    },
    /** The channel's present keys sign these marks, and list what they listed. */
    sign: async (seaworthy: ChannelMarks) => {
      const signed = renewRole(
        repository.targets.get('acme.stable')!,
        expiryOf('acme.stable', start),
      )
      repository.targets.set('acme.stable', { ...signed, seaworthy })
      await repository.publish('acme.stable')
    },
    /** The product's owners name these keys for the channel, which restarts its marks. */
    setRing: async (signers: Signer[], threshold: number, marks: ChannelMarks) => {
      const authority = { keys: signers.map(({ key }) => key), threshold }
      const expiresAt = expiryOf('acme', start)
      const product = repository.targets.get('acme')!
      repository.signers.set('acme.stable', signers)
      repository.targets.set(
        'acme',
        await delegateRole(product, { role: 'acme.stable', authority, expiresAt }),
      )
      const channel = repository.targets.get('acme.stable')!
      repository.targets.set(
        'acme.stable',
        restartMarks(channel, marks, expiryOf('acme.stable', start)),
      )
      await repository.publish('acme', 'acme.stable')
    },
  }
}

const newKeys = async (count: number) => {
  const made: Signer[] = []
  for (let i = 0; i < count; i++) made.push(await generateSigner(i % 2 === 0 ? 'ed25519' : 'p256'))
  return made
}
const stolen = { counterHighest: 1000, floorHighest: 1000 }
const honest = { counterHighest: 5, floorHighest: 3 }

test('T6 T7 a floor that stolen keys of a channel signed once ends with these keys', async () => {
  const { repository, floor, sign, setRing, restart } = await world()
  const keys = repository.signers.get('acme.stable')!
  await sign(stolen)
  assert.equal(await floor(), 1000)
  // Whoever holds the keys cannot take it back, and nor can owners who only change the threshold.
  await sign(honest)
  assert.equal(await floor(), 1000)
  await setRing([...keys], 1, honest)
  assert.equal(await floor(), 1000)
  const [joins, ...others] = await newKeys(3)
  await setRing([...keys, joins!], 2, honest)
  await restart()
  assert.equal(await floor(), 1000)
  // One old key may stay: alone it never had the threshold that signed this floor.
  await setRing([keys[0]!, ...others], 2, honest)
  await restart()
  assert.equal(await floor(), 3)
  // What the owners' new keys sign binds in their day.
  await sign({ counterHighest: 6, floorHighest: 4 })
  assert.equal(await floor(), 4)
  await sign(honest)
  assert.equal(await floor(), 4)
})

test('T6 T7 a server that shows the older ring again after a restart of the marks brings neither its releases nor its floor back', async () => {
  const { repository, floor, setRing, sign, refuses, restart } = await world()
  const before = repository.targets.get('acme')!
  const keys = repository.signers.get('acme.stable')!
  await sign(stolen)
  await floor()
  await setRing(await newKeys(3), 2, honest)
  assert.equal(await floor(), 3)
  await repository.rotateKeys('snapshot', 1, 1)
  await repository.rotateKeys('timestamp', 1, 1)
  const [after, channel] = [repository.targets.get('acme')!, repository.targets.get('acme.stable')!]
  const signers = repository.signers.get('acme.stable')!
  await restart()
  repository.targets.set('acme', before)
  repository.signers.set('acme.stable', keys)
  await sign({ counterHighest: 5, floorHighest: 1 })
  await refuses('rollback')
  // The older keys' word alone, under the delegation that holds now, is no word.
  repository.targets.set('acme', after)
  await repository.publish()
  await refuses('signature_threshold')
  repository.signers.set('acme.stable', signers)
  repository.targets.set('acme.stable', { ...channel, version: channel.version + 5 })
  await repository.publish('acme.stable')
  assert.equal(await floor(), 3)
})

test('T6 T7 a floor of which an earlier version of this program wrote no keys counts for the keys that it knew, and ends with them', async () => {
  const { floor, store, setRing, restartWith } = await world()
  for (const [slot, bytes] of store.slots) {
    const { marks, ...state } = await parseClientState(bytes)
    const bare = [...marks!].map(
      ([name, list]) => [name, list.map((mark) => ({ ...mark, floor: 0 }))] as const,
    )
    store.slots.set(slot, await formatClientState({ ...state, marks: new Map(bare) }))
  }
  await restartWith(new Map([['acme.stable', 4]]))
  assert.equal(await floor(), 4)
  await restartWith(new Map())
  assert.equal(await floor(), 4)
  await restartWith(new Map([['acme.stable', 7]]))
  await setRing(await newKeys(2), 2, honest)
  assert.equal(await floor(), 3, 'it was taken over before the new keys were known')
  assert.equal(await floor(), 3, 'and once only')
})

test('T6 T7 marks that no listed release bears out are refused before they bind anybody', async () => {
  for (const marks of [
    { counterHighest: 2 ** 31 - 1, floorHighest: 2 ** 31 - 1 },
    { counterHighest: 5, floorHighest: 6 },
    { counterHighest: 6 + 2 ** 24, floorHighest: 3 },
  ]) {
    const { floor, sign, refuses } = await world()
    await sign(marks)
    await refuses('profile_violation')
    await sign(honest)
    assert.equal(await floor(), 3)
  }
  const { sign, refuses, floor } = await world()
  await sign({ counterHighest: 2 ** 53 - 1, floorHighest: 2 ** 53 - 1 })
  await refuses('metadata_malformed')
  await sign({ counterHighest: 5 + 2 ** 24, floorHighest: 3 })
  assert.equal(await floor(), 3)
})

test('T6 T7 no history of rings and floors forgets a floor that the same holders signed, or keeps one that only others did (property)', async () => {
  const pool = await newKeys(5)
  const keys = Object.fromEntries(pool.map(({ keyId, key }) => [keyId, key]))
  const step = fc.record({
    members: fc.uniqueArray(fc.nat({ max: pool.length - 1 }), { minLength: 1, maxLength: 5 }),
    threshold: fc.integer({ min: 1, max: 3 }),
    floor: fc.nat({ max: 9 }),
    isRestart: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 14 }), async (steps) => {
      let marks = new VersionMarks(new Map(), () => {})
      const seen: { members: readonly number[]; threshold: number; floor: number }[] = []
      for (const [i, { members, threshold: asked, floor, isRestart }] of steps.entries()) {
        const threshold = Math.min(asked, members.length)
        const keyids = members.map((at) => pool[at]!.keyId)
        const ring: DelegatedRing = { keys, role: { keyids, threshold }, delegator: 'acme' }
        await marks.raise('acme.stable', ring, i + 1, floor)
        seen.push({ members, threshold, floor })
        // The oracle remembers everything and merges nothing.
        const binding = seen.filter(
          (other) =>
            other.members.filter((at) => members.includes(at)).length >=
            Math.min(other.threshold, threshold),
        )
        const expected = Math.max(...binding.map((other) => other.floor))
        assert.equal(await marks.floorFor('acme.stable', ring), expected)
        if (!isRestart) continue
        const state = { generation: 1, roots: [], roles: new Map(), verifiedAt: start }
        const bytes = await formatClientState({
          ...state,
          roots: [new Uint8Array(1)],
          marks: marks.stored,
        })
        marks = new VersionMarks((await parseClientState(bytes)).marks!, () => {})
      }
    }),
    { numRuns: 60, interruptAfterTimeLimit: 60_000 },
  )
})
