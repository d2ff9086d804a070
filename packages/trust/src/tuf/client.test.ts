import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import { dayMs, ManualClock } from '@seaworthy/std/time'
import { formatClientState, isTrustStateAbsent, parseClientState } from './client-state.ts'
import type { ClientState, StateSlot } from './client-state.ts'
import { createTrustState, openTufClient } from './client.ts'
import { isTrustError, trustError } from './codes.ts'
import { chooseRelease, listReleases } from './release.ts'
import {
  createRepositorySimulator,
  memoryStateStore,
  provisionClient,
} from '../testing/repository-simulator.ts'

const now = new Date('2030-01-01T00:00:00Z')

async function publishedRepository() {
  const repository = await createRepositorySimulator(now)
  await repository.addProduct('acme')
  await repository.addChannel('acme', 'stable')
  await repository.addRelease('acme', 'stable', '1.0.0')
  return repository
}

test('a client goes from the pinned root to a release, with the requests of the workflow and no others', async () => {
  const repository = await publishedRepository()
  const { client } = await provisionClient(repository, new ManualClock(now))
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
  repository.requests.length = 0
  await client.refresh()
  await client.loadChannel('acme', 'stable')
  assert.deepEqual(repository.requests, ['2.root.json', 'timestamp.json'])
})

test('another client verifies everything again from the files handed over, without a network', async () => {
  const repository = await publishedRepository()
  await repository.rotateKeys('timestamp', 1, 1)
  const fetcher = await provisionClient(repository, new ManualClock(now))
  await fetcher.client.refresh()
  await fetcher.client.loadChannel('acme', 'stable')
  const handedOver = new Map(fetcher.client.trustedFiles().map(({ name, bytes }) => [name, bytes]))
  assert.deepEqual(
    [...handedOver.keys()],
    [
      '2.root.json',
      'timestamp.json',
      '5.snapshot.json',
      '2.targets.json',
      '2.acme.json',
      '2.acme.stable.json',
    ],
  )
  const installer = await provisionClient(
    { ...repository, fetchMetadata: async (name) => handedOver.get(name) },
    new ManualClock(now),
  )
  await installer.client.refresh()
  await installer.client.loadChannel('acme', 'stable')
  assert.deepEqual(installer.client.status(), fetcher.client.status())
})

test('T7 cache as anchor: a history that does not contain the pinned root is refused', async () => {
  const repository = await publishedRepository()
  const stranger = await createRepositorySimulator(now)
  const { store } = await provisionClient(stranger, new ManualClock(now))
  const ports = { clock: new ManualClock(now), store, fetchMetadata: repository.fetchMetadata }
  await assert.rejects(
    openTufClient({ anchor: repository.anchor, profile: 'strict', notBefore: now }, ports),
    {
      code: 'root_chain_broken',
    },
  )
})

test('T7 cache as anchor: roots written into the state by somebody else are refused', async () => {
  const repository = await publishedRepository()
  const stranger = await createRepositorySimulator(now)
  await stranger.rotateKeys('root', 2, 2)
  const { store, reopen } = await provisionClient(repository, new ManualClock(now))
  const state = await parseClientState(store.slots.get('a')!)
  const forged = { ...state, roots: [...state.roots, stranger.files.get('2.root.json')!] }
  store.slots.set('a', await formatClientState(forged))
  const client = await reopen()
  await assert.rejects(client.refresh(), { code: 'state_unreadable' })
})

test('a newer pinned root may stand in the middle of the stored history', async () => {
  const repository = await publishedRepository()
  await repository.rotateKeys('root', 2, 2)
  const { client, store } = await provisionClient(repository, new ManualClock(now))
  await client.refresh()
  const anchor = repository.files.get('2.root.json')!
  const ports = { clock: new ManualClock(now), store, fetchMetadata: repository.fetchMetadata }
  const later = await openTufClient({ anchor, profile: 'strict', notBefore: now }, ports)
  await later.refresh()
})

test('T7 state loss: missing or broken state is an error, never a fresh start', async () => {
  const repository = await publishedRepository()
  const { client, store, reopen } = await provisionClient(repository, new ManualClock(now))
  await client.refresh()
  const whole = new Map(store.slots)
  for (const break_ of [
    (bytes: Uint8Array) => bytes.slice(0, 0),
    (bytes: Uint8Array) => bytes.slice(0, bytes.length / 2),
    (bytes: Uint8Array) => bytes.slice(0, -1),
    (bytes: Uint8Array) => bytes.with(100, bytes[100]! ^ 1),
    (bytes: Uint8Array) => new Uint8Array(bytes.length),
    () => undefined,
  ]) {
    store.slots.clear()
    for (const [slot, bytes] of whole) {
      const broken = break_(bytes)
      if (broken) store.slots.set(slot, broken)
    }
    await assert.rejects(reopen(), { code: 'state_unreadable' })
  }
  store.slots.clear()
  for (const [slot, bytes] of whole) store.slots.set(slot, bytes)
  await assert.rejects(
    createTrustState({ anchor: repository.anchor, profile: 'strict', notBefore: now }, store),
    { code: 'state_unreadable' },
  )
})

test('one broken generation is survived with the other, and noticed', async () => {
  const repository = await publishedRepository()
  const { client, store, reopen } = await provisionClient(repository, new ManualClock(now))
  await client.refresh()
  const [newest] = [...store.slots.keys()].toReversed()
  for (const lost of [undefined, new Uint8Array(3)]) {
    if (lost) store.slots.set(newest!, lost)
    else store.slots.delete(newest!)
    const reopened = await reopen()
    // Generation 1 has no older one beside it, so it must at least be readable as what it is.
    await reopened.refresh()
  }
  await repository.addRelease('acme', 'stable', '2.0.0')
  const again = await reopen()
  await again.refresh()
  store.slots.set('a', new Uint8Array())
  const degraded = await reopen()
  assert.ok((await degraded.refresh()).some(({ code }) => code === 'state_generation_lost'))
})

test('T7 fault: a generation that cannot be read is a broken one, and no beginning', async () => {
  const repository = await publishedRepository()
  const { client, store, reopen } = await provisionClient(repository, new ManualClock(now))
  await client.refresh()
  assert.equal(store.slots.size, 2)
  const lost = new Set<StateSlot>()
  const read = store.read.bind(store)
  store.read = async (slot) => {
    if (lost.has(slot)) throw trustError('state_unreadable', `tuf.${slot} is a folder`)
    return await read(slot)
  }
  for (const slot of ['a', 'b'] as const) {
    lost.clear()
    lost.add(slot)
    await reopen()
    assert.equal(await isTrustStateAbsent(store), false)
  }
  lost.add('a')
  await assert.rejects(reopen(), /tuf\.b is a folder/)
  assert.equal(await isTrustStateAbsent(store), false)
})

test('power cut at every write: the state is that before or after, and rollback protection holds', async () => {
  const repository = await publishedRepository()
  await repository.rotateKeys('root', 3, 2)
  for (let cutAt = 0; cutAt < 4; cutAt++) {
    const store = memoryStateStore()
    const options = { anchor: repository.anchor, profile: 'strict', notBefore: now } as const
    await createTrustState(options, store)
    let writes = 0
    const failing = {
      read: (slot: 'a' | 'b') => store.read(slot),
      write: async (slot: 'a' | 'b', bytes: Uint8Array) => {
        if (writes++ === cutAt) throw new Error('power cut')
        return store.write(slot, bytes)
      },
    }
    const ports = { clock: new ManualClock(now), fetchMetadata: repository.fetchMetadata }
    const client = await openTufClient(options, { ...ports, store: failing })
    const cut = await client
      .refresh()
      .then(() => client.loadChannel('acme', 'stable'))
      .then(
        () => false,
        () => true,
      )
    assert.equal(cut, cutAt < writes)
    const reopened = await openTufClient(options, { ...ports, store })
    await reopened.refresh()
    await reopened.loadChannel('acme', 'stable')
  }
})

test('only whole state files are read: any other bytes give state_unreadable', async () => {
  const state: ClientState = {
    generation: 3,
    roots: [utf8Encode('{"root":1}')],
    roles: new Map([['__proto__', utf8Encode('x')]]),
    verifiedAt: now,
  }
  const whole = await formatClientState(state)
  assert.deepEqual(await parseClientState(whole), state)
  await fc.assert(
    fc.asyncProperty(
      fc.nat(whole.length - 1),
      fc.integer({ min: 1, max: 255 }),
      async (at, flip) => {
        for (const bytes of [whole.with(at, whole[at]! ^ flip), whole.slice(0, at)]) {
          await assert.rejects(parseClientState(bytes), (error) =>
            isTrustError(error, 'state_unreadable'),
          )
        }
      },
    ),
    { numRuns: 500 },
  )
  const lines = utf8Decode(whole).split('\n')
  await assert.rejects(parseClientState(utf8Encode(`${lines[0]}\n${lines[1]}`)), {
    code: 'state_unreadable',
  })
})

test('a port that fails fails the cycle: an answer other than "not there" never ends the root walk', async () => {
  const repository = await publishedRepository()
  const { client } = await provisionClient(
    {
      ...repository,
      fetchMetadata: async () => {
        throw new Error('403')
      },
    },
    new ManualClock(now),
  )
  await assert.rejects(client.refresh(), /403/)
  await assert.rejects(client.loadChannel('acme', 'stable'), /must have succeeded/)
})

test('signers can see expired offline roles in order to renew them; expired online roles they cannot', async () => {
  const repository = await publishedRepository()
  const { store } = await provisionClient(repository, new ManualClock(now))
  const later = new Date(now.getTime() + 400 * dayMs)
  const clock = new ManualClock(later)
  const options = { anchor: repository.anchor, profile: 'strict', notBefore: now } as const
  const ports = { clock, store, fetchMetadata: repository.fetchMetadata }
  const signer = await openTufClient({ ...options, acceptExpiredOffline: true }, ports)
  await assert.rejects(signer.refresh(), { code: 'freeze' })
  repository.now = later
  await repository.publish()
  await signer.refresh()
  assert.equal((await signer.loadChannel('acme', 'stable')).signed.version, 2)
  assert.ok(signer.status().roles.some(({ expiresAt }) => expiresAt < later))
  const device = await openTufClient(options, ports)
  await assert.rejects(device.refresh(), { code: 'freeze' })
})
