/** What somebody with the online keys can say about the time, and how long it counts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { dayMs, formatInstant, hourMs, ManualClock } from '@seaworthy/std/time'
import { formatClientState, readClientState } from './client-state.ts'
import { openTufClient } from './client.ts'
import type { TrustCode } from './codes.ts'
import { expiryOf } from './lifetimes.ts'
import type { SnapshotSigned, TimestampSigned } from './metadata.ts'
import {
  createRepositorySimulator,
  memoryStateStore,
  provisionClient,
} from '../testing/repository-simulator.ts'
import { buildSnapshot, buildTimestamp, signMetadata } from './repository.ts'

const start = new Date('2030-01-01T00:00:00Z')
const after = (ms: number, from = start) => new Date(from.getTime() + ms)
const rootExpiresAt = expiryOf('root', start)
/** How far a signed instant lifts the floor above a plausible clock. */
const signedAheadMaxMs = 12 * hourMs

/**
 * A device that has seen the first release, and a thief who once had both online keys for a moment.
 */
async function world(ownClock = start) {
  const repository = await createRepositorySimulator(start)
  await repository.addProduct('acme')
  await repository.addChannel('acme', 'stable')
  await repository.addRelease('acme', 'stable', '1.0.0')
  const clock = new ManualClock(start)
  let isClockGood = false
  const device = await provisionClient(repository, clock, () => isClockGood)
  clock.jumpTo(ownClock)
  let { client } = device
  const stolen = {
    snapshot: repository.signers.get('snapshot')!,
    timestamp: repository.signers.get('timestamp')!,
  }
  /**
   * Serves the current files under a snapshot and a timestamp that the stolen keys sign for another
   * time.
   */
  const forge = async (
    at: Date,
    edit: {
      snapshot?: (signed: SnapshotSigned) => SnapshotSigned
      timestamp?: (signed: TimestampSigned) => TimestampSigned
    } = {},
  ) => {
    const { files } = repository
    const unchanged = await buildSnapshot(repository.snapshot, new Map(), expiryOf('snapshot', at))
    const snapshot = edit.snapshot?.(unchanged) ?? unchanged
    const { version } = snapshot
    const bytes = await signMetadata(snapshot, stolen.snapshot)
    files.set(`${version}.snapshot.json`, bytes)
    const times = { signedAt: at, expiresAt: expiryOf('timestamp', at) }
    const honest = await buildTimestamp(repository.timestamp, { version, bytes }, times)
    const timestamp = edit.timestamp?.(honest) ?? honest
    files.set('timestamp.json', await signMetadata(timestamp, stolen.timestamp))
  }
  const sync = async () => {
    await client.refresh()
    await client.loadChannel('acme', 'stable')
  }
  return {
    repository,
    clock,
    ...device,
    /** Says from now on whether somebody vouches for the clock. */
    vouch: (isGood: boolean) => {
      isClockGood = isGood
    },
    forge,
    sync,
    status: () => client.status(),
    restart: async () => {
      client = await device.reopen()
    },
    refuses: (code: TrustCode) => assert.rejects(sync, { name: 'TrustError', code }),
    /** The owners notice nothing and go on publishing timestamps, as they do every hour. */
    goOn: async () => {
      await repository.publish()
      await repository.publish()
    },
    rotateBoth: async () => {
      await repository.rotateKeys('snapshot', 1, 1)
      await repository.rotateKeys('timestamp', 1, 1)
    },
  }
}

test('T7 forged clock: a time a second before the expiry of root, said for eight seconds, costs a device with a clock nothing', async () => {
  const { clock, forge, goOn, sync, status, restart } = await world()
  await sync()
  await forge(after(-1000, rootExpiresAt))
  await sync()
  assert.ok(status().timeFloor.getTime() <= after(signedAheadMaxMs).getTime())
  clock.advance(8000)
  await goOn()
  await sync()
  await restart()
  await sync()
})

test('T7 forged clock: a server whose own clock was once a year ahead costs a device with a clock nothing', async () => {
  const { repository, clock, sync, status } = await world()
  await sync()
  repository.now = after(360 * dayMs)
  await repository.publish()
  await sync()
  assert.ok(status().timeFloor.getTime() <= after(signedAheadMaxMs).getTime())
  clock.advance(hourMs)
  repository.now = clock.now()
  await repository.publish()
  await sync()
})

for (const [device, ownClock] of [
  ['whose clock starts in 1970', new Date(0)],
  ['whose clock starts when it was built', after(-dayMs * 30)],
] as const) {
  test(`T7 forged clock: a device ${device} believes it until root voids the key, after a restart too`, async () => {
    const { clock, forge, goOn, sync, status, refuses, restart, rotateBoth, repository } =
      await world(ownClock)
    await sync()
    assert.deepEqual(status().timeFloor, start)
    await forge(after(-1000, rootExpiresAt))
    await sync()
    await goOn()
    await refuses('freeze')
    await restart()
    await refuses('freeze')
    clock.jumpTo(start)
    await refuses('freeze')
    await rotateBoth()
    await sync()
    assert.ok(status().timeFloor.getTime() <= after(signedAheadMaxMs).getTime())
    await restart()
    await repository.publish()
    await sync()
  })
}

test('T7 forged clock: the new timestamp key alone ends it', async () => {
  const { forge, goOn, sync, refuses, repository } = await world(new Date(0))
  await forge(after(-1000, rootExpiresAt))
  await sync()
  await goOn()
  await refuses('freeze')
  await repository.rotateKeys('timestamp', 1, 1)
  await sync()
})

test('T7 forged clock: the time of a key that was rotated away does not come back with that key', async () => {
  const { forge, goOn, sync, refuses, repository } = await world(new Date(0))
  await forge(after(-1000, rootExpiresAt))
  await sync()
  await goOn()
  await refuses('freeze')
  const first = repository.root.roles.timestamp
  const firstSigners = repository.signers.get('timestamp')!
  await repository.rotateKeys('timestamp', 1, 1)
  const { version, keys } = repository.root
  const { [repository.root.roles.timestamp.keyids[0]!]: _replaced, ...others } = keys
  repository.root = {
    ...repository.root,
    version: version + 1,
    keys: { ...others, [firstSigners[0]!.keyId]: firstSigners[0]!.key },
    roles: { ...repository.root.roles, timestamp: first },
  }
  repository.signers.set('timestamp', firstSigners)
  await repository.publishRoot()
  await repository.publish()
  await sync()
})

test('T7 forged clock: an own clock that was wrong while the keys were stolen costs no more either', async () => {
  const { clock, forge, goOn, sync, refuses, restart, rotateBoth } = await world()
  await sync()
  const ahead = after(40 * dayMs)
  clock.jumpTo(ahead)
  await forge(ahead)
  await sync()
  clock.jumpTo(after(hourMs))
  await goOn()
  await refuses('freeze')
  await restart()
  await refuses('freeze')
  await rotateBoth()
  await sync()
})

test('T7 forged clock: a state that an earlier version of this program wrote is healed by the rotation too', async () => {
  const { repository, clock, store, restart, refuses, sync, rotateBoth } = await world()
  await sync()
  const { state } = await readClientState(store)
  const { verifiedUnder: _absent, ...earlier } = state
  const poisoned = { ...earlier, generation: 99, verifiedAt: after(-1000, rootExpiresAt) }
  store.slots.set('a', await formatClientState(poisoned))
  store.slots.delete('b')
  clock.advance(hourMs)
  await repository.publish()
  await restart()
  await refuses('freeze')
  await rotateBoth()
  await sync()
})

test('T7 forged clock: a timestamp or snapshot with more than its maximum lifetime is refused', async () => {
  for (const ownClock of [start, new Date(0), after(-3 * dayMs)]) {
    const { forge, goOn, sync, refuses } = await world(ownClock)
    const expires = formatInstant(after(1000, expiryOf('timestamp', start)))
    await forge(start, { timestamp: (signed) => ({ ...signed, expires }) })
    await refuses('lifetime_exceeded')
    const long = formatInstant(after(1000, expiryOf('snapshot', start)))
    await forge(start, { snapshot: (signed) => ({ ...signed, expires: long }) })
    await refuses('lifetime_exceeded')
    await goOn()
    // The floor knows no more of the time than a day and a half ahead.
    await forge(start, {
      timestamp: ({ seaworthy: _unsaid, ...signed }) => ({
        ...signed,
        expires: formatInstant(rootExpiresAt),
      }),
    })
    await refuses('lifetime_exceeded')
    await goOn()
    await sync()
  }
})

test('T7 forged clock: a timestamp that was stored before its lifetime was looked at is refused as well', async () => {
  const { repository, store, forge, restart, refuses, sync } = await world()
  await sync()
  const { state } = await readClientState(store)
  const expires = formatInstant(rootExpiresAt)
  await forge(start, { timestamp: (signed) => ({ ...signed, expires }) })
  const roles = new Map(state.roles).set('timestamp', repository.files.get('timestamp.json')!)
  store.slots.set('a', await formatClientState({ ...state, generation: 99, roles }))
  await restart()
  await refuses('lifetime_exceeded')
})

test('a clock that is days behind verifies all the same, and is helped by half a day; one that is years behind by what was signed', async () => {
  const days = await world(after(-3 * dayMs))
  await days.sync()
  // The build date helps it no further than to the start.
  assert.deepEqual(days.status().timeFloor, start)
  for (const [ownClock, floor] of [
    // It stands after what the root proves to have passed.
    [after(-12 * hourMs), after(-12 * hourMs + signedAheadMaxMs)],
    [after(-18 * hourMs), after(-18 * hourMs + signedAheadMaxMs)],
    [after(-400 * dayMs), start],
    [new Date(0), start],
  ] as const) {
    const { repository } = days
    const store = memoryStateStore()
    store.slots.set(
      'a',
      await formatClientState({
        generation: 1,
        roots: [repository.anchor],
        roles: new Map(),
        verifiedAt: new Date(0),
        verifiedUnder: 1,
      }),
    )
    const { anchor, fetchMetadata } = repository
    const client = await openTufClient(
      { anchor, profile: 'strict', notBefore: new Date(0) },
      { clock: new ManualClock(ownClock), store, fetchMetadata },
    )
    await client.refresh()
    assert.deepEqual(client.status().timeFloor, floor)
  }
})

test('T7 forged clock: a timestamp that dates itself two months ahead, to be shown until then, is refused where the clock is known to be good', async () => {
  const { forge, goOn, sync, refuses, vouch, status } = await world()
  await sync()
  vouch(true)
  await forge(after(59 * dayMs))
  await refuses('lifetime_exceeded')
  await goOn()
  await sync()
  // A snapshot is counted from the same instant.
  await forge(after(12 * hourMs), {
    snapshot: (signed) => ({ ...signed, expires: formatInstant(after(8 * dayMs)) }),
  })
  await refuses('lifetime_exceeded')
  await goOn()
  await sync()
  assert.ok(status().timeFloor.getTime() <= after(signedAheadMaxMs).getTime())
})

test('T7 forged clock: a server that vouches for a clock two days behind delays the device, and no longer than it vouches', async () => {
  const { repository, sync, refuses, vouch, restart } = await world()
  await sync()
  repository.now = after(2 * dayMs)
  await repository.addRelease('acme', 'stable', '2.0.0')
  vouch(true)
  await refuses('lifetime_exceeded')
  await restart()
  await refuses('lifetime_exceeded')
  vouch(false)
  await sync()
})

test('T7 forged clock: one that was taken before the clock was known to be good is noticed once it is', async () => {
  const { forge, goOn, sync, refuses, vouch, restart } = await world()
  await sync()
  await forge(after(59 * dayMs))
  await sync()
  vouch(true)
  await refuses('lifetime_exceeded')
  await restart()
  await refuses('lifetime_exceeded')
  await goOn()
  await sync()
})

test('T7 a clock that is behind keeps nobody from news unless somebody vouched for it, and then as long as that stands', async () => {
  const { clock, repository, sync, vouch, refuses } = await world()
  await sync()
  vouch(true)
  repository.now = after(5 * dayMs)
  await repository.publish()
  // The voucher lied, or the clock stood still: it goes no further than to the next time somebody
  // says otherwise.
  await refuses('lifetime_exceeded')
  vouch(false)
  await sync()
  vouch(true)
  clock.jumpTo(after(5 * dayMs))
  await repository.publish()
  await sync()
})

test('T7 forged clock: whatever a thief of both online keys signs, a device with a good clock is shown it for a day and a half at most (property)', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: -2 * 24, max: 80 * 24 }),
      fc.integer({ min: 1, max: 80 * 24 }),
      fc.integer({ min: 1, max: 80 * 24 }),
      async (aheadHours, timestampHours, snapshotHours) => {
        const { clock, forge, sync, vouch } = await world()
        await sync()
        vouch(true)
        const at = after(aheadHours * hourMs)
        await forge(at, {
          timestamp: (signed) => ({
            ...signed,
            expires: formatInstant(after(timestampHours * hourMs, at)),
          }),
          snapshot: (signed) => ({
            ...signed,
            expires: formatInstant(after(snapshotHours * hourMs, at)),
          }),
        })
        const attempt = async () => {
          try {
            await sync()
            return true
          } catch (error) {
            if (!(error instanceof Error) || error.name !== 'TrustError') throw error
            return false
          }
        }
        // One that is dated ahead may be taken only when its time has come, and is over after that.
        const isTakenAtOnce = await attempt()
        clock.advance(dayMs + signedAheadMaxMs)
        const isTakenLater = await attempt()
        assert.ok(!(isTakenAtOnce && isTakenLater))
        clock.advance(dayMs + signedAheadMaxMs)
        assert.ok(!(isTakenLater && (await attempt())))
      },
    ),
    {
      numRuns: 40,
      examples: [
        [36, 1, 1],
        [35, 2, 2],
      ],
    },
  )
})

test('a mistaken expiry of a root is healed by the next root', async () => {
  const { repository, sync, refuses } = await world()
  await sync()
  const { root } = repository
  repository.root = { ...root, version: 2, expires: '2099-01-01T00:00:00Z' }
  await repository.publishRoot()
  await refuses('freeze')
  repository.root = { ...root, version: 3 }
  await repository.publishRoot()
  await sync()
})

test('T7 forged clock: whatever stolen online keys said and the own clock did, one rotation of both keys heals (property)', async () => {
  const spanMs = fc.integer({ min: -800, max: 800 }).map((days) => days * dayMs)
  const misfortune = fc.oneof(
    fc.record({
      what: fc.constant('forge' as const),
      atMs: spanMs,
      lifetimeMs: fc.integer({ min: -dayMs, max: 400 * dayMs }),
      ahead: fc.constantFrom(1, 2, 1000, 2 ** 30),
    }),
    fc.record({ what: fc.constant('clock' as const), offMs: spanMs }),
    fc.record({ what: fc.constantFrom('restart' as const, 'go-on' as const) }),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.array(misfortune, { minLength: 1, maxLength: 8 }),
      fc.constantFrom(0, -hourMs, -2 * dayMs, -700 * dayMs, -21_000 * dayMs),
      async (misfortunes, finallyOffMs) => {
        const { repository, clock, forge, sync, restart, goOn, rotateBoth } = await world()
        const trueMs = () => start.getTime() + clock.monotonicMs()
        for (const event of misfortunes) {
          clock.advance(hourMs)
          repository.now = new Date(trueMs())
          if (event.what === 'forge') {
            const { version } = repository.timestamp
            const at = new Date(trueMs() + event.atMs)
            await forge(at, {
              timestamp: (signed) => ({
                ...signed,
                version: version + event.ahead,
                expires: formatInstant(after(event.lifetimeMs, at)),
              }),
              snapshot: (signed) => ({ ...signed, version: signed.version + event.ahead }),
            })
          } else if (event.what === 'clock') clock.jumpTo(new Date(trueMs() + event.offMs))
          else if (event.what === 'restart') await restart()
          else await goOn()
          // Accepted or refused: nobody was there to see.
          await sync().catch((error: unknown) => {
            if (!(error instanceof Error) || error.name !== 'TrustError') throw error
          })
        }
        await rotateBoth()
        clock.jumpTo(new Date(trueMs() + finallyOffMs))
        await sync()
        await restart()
        await sync()
      },
    ),
    { numRuns: 40 },
  )
})
