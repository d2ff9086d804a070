/**
 * Older offline roles, shown again by somebody who holds the online keys that have just been
 * replaced.
 */
import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'
import { utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import fc from 'fast-check'
import { ManualClock } from '@seaworthy/std/time'
import type { Signer } from '../keys/signer.ts'
import { generateSigner } from '../keys/signer.ts'
import { formatClientState, parseClientState, readClientState } from './client-state.ts'
import { isTrustError } from './codes.ts'
import type { TrustCode } from './codes.ts'
import { expiryOf } from './lifetimes.ts'
import type { TargetsSigned } from './metadata.ts'
import { listReleases } from './release.ts'
import { createRepositorySimulator, provisionClient } from '../testing/repository-simulator.ts'
import { changeRoot, delegateRole, renewRole } from './repository.ts'
import { VersionMarks } from './version-marks.ts'
import type { DelegatedRing } from './version-marks.ts'

const start = new Date('2030-01-01T00:00:00Z')

/** A device that has seen the first release of acme's stable channel. */
async function world() {
  const repository = await createRepositorySimulator(start)
  await repository.addProduct('acme')
  await repository.addChannel('acme', 'stable')
  await repository.addRelease('acme', 'stable', '1.0.0')
  const clock = new ManualClock(start)
  const device = await provisionClient(repository, clock)
  let { client } = device
  const sync = async () => {
    await client.refresh()
    return listReleases((await client.loadChannel('acme', 'stable')).signed)
  }
  await sync()
  return {
    repository,
    store: device.store,
    sync,
    versions: () => new Map(client.status().roles.map(({ role, version }) => [role, version])),
    restart: async () => {
      client = await device.reopen()
    },
    refuses: (code: TrustCode) => assert.rejects(sync, { name: 'TrustError', code }),
    /** Shows a role as it was, with the present online keys. */
    show: async (role: string, signed: TargetsSigned) => {
      repository.targets.set(role, signed)
      await repository.publish()
    },
    rotateOnline: async () => {
      await repository.rotateKeys('snapshot', 1, 1)
      await repository.rotateKeys('timestamp', 1, 1)
    },
  }
}

/** The channel's keys were stolen, and the product's owners have revoked them. The device knows. */
async function revokedChannelKeys() {
  const the = await world()
  const { repository } = the
  const before = repository.targets.get('acme')!
  const stolen = repository.signers.get('acme.stable')!
  await repository.rotateKeys('acme.stable', 3, 2)
  await the.sync()
  /**
   * The attack of a thief of the newest online keys, who has the revoked keys of the channel too.
   */
  const attack = async () => {
    repository.targets.set('acme', before)
    repository.signers.set('acme.stable', stolen)
    const channel = repository.targets.get('acme.stable')!
    repository.targets.set('acme.stable', { ...channel, version: 90 })
    await repository.addRelease('acme', 'stable', '6.6.6')
  }
  return { ...the, attack }
}

test('T6 T7 rolled-back product role: revoked channel keys stay revoked when the online keys that replaced stolen ones are stolen too', async () => {
  const { rotateOnline, attack, refuses } = await revokedChannelKeys()
  await rotateOnline()
  await attack()
  await refuses('rollback')
})

test('T6 T7 rolled-back product role: refused after a restart, and when the device has followed the new keys before', async () => {
  const { rotateOnline, attack, refuses, restart, sync } = await revokedChannelKeys()
  await rotateOnline()
  await sync()
  await rotateOnline()
  await restart()
  await attack()
  await refuses('rollback')
  await restart()
  await refuses('rollback')
})

test('T6 T7 rolled-back product role: refused although a snapshot left the role out meanwhile', async () => {
  const { repository, rotateOnline, attack, refuses, sync, restart } = await revokedChannelKeys()
  const roles = new Map(repository.targets)
  const { 'acme.json': _gone, 'acme.stable.json': _gone2, ...meta } = repository.snapshot.meta
  await repository.rotateKeys('snapshot', 1, 1)
  for (const role of ['acme', 'acme.stable']) repository.targets.delete(role)
  repository.snapshot = { ...repository.snapshot, meta }
  await repository.publish()
  await assert.rejects(sync, { name: 'TrustError', code: 'mix_and_match' })
  await restart()
  for (const [role, signed] of roles) repository.targets.set(role, signed)
  await rotateOnline()
  await attack()
  await refuses('rollback')
})

test('T6 T7 rolled-back product role: a state that an earlier version of this program wrote knows the versions that it stored', async () => {
  const { store, rotateOnline, attack, refuses, restart } = await revokedChannelKeys()
  const { state, slot } = await readClientState(store)
  const { marks, ...old } = state
  assert.ok(marks!.size > 0)
  store.slots.set(slot, await formatClientState(old))
  await restart()
  await rotateOnline()
  await attack()
  await refuses('rollback')
  const learnt = await readClientState(store)
  // Nothing was stored of earlier rings.
  const newest = [...marks!].map(([name, list]) => [name, list.slice(-1)] as const)
  assert.deepEqual(learnt.state.marks, new Map(newest))
})

test('T6 T7 a key that joins or leaves a ring voids nothing: what the others signed in its day is as old as before', async () => {
  const { repository, rotateOnline, show, sync, refuses } = await world()
  const [first, second] = repository.signers.get('acme.stable')!
  const before = repository.targets.get('acme.stable')!
  await repository.addRelease('acme', 'stable', '2.0.0')
  await sync()
  const replaced = await generateSigner('ed25519')
  repository.signers.set('acme.stable', [first!, second!, replaced])
  const authority = { keys: [first!.key, second!.key, replaced.key], threshold: 2 }
  const product = await delegateRole(repository.targets.get('acme')!, {
    role: 'acme.stable',
    authority,
    expiresAt: expiryOf('acme', start),
  })
  repository.targets.set('acme', product)
  await repository.publish('acme')
  await rotateOnline()
  await sync()
  await rotateOnline()
  await show('acme.stable', before)
  await refuses('rollback')
})

/** Owners give the channel a ring of `signers`, and publish under it. */
async function setRing(
  repository: Awaited<ReturnType<typeof world>>['repository'],
  signers: Signer[],
  threshold: number,
): Promise<void> {
  repository.signers.set('acme.stable', signers)
  const product = await delegateRole(repository.targets.get('acme')!, {
    role: 'acme.stable',
    authority: { keys: signers.map(({ key }) => key), threshold },
    expiresAt: expiryOf('acme', start),
  })
  repository.targets.set('acme', product)
  const channel = repository.targets.get('acme.stable')!
  repository.targets.set('acme.stable', renewRole(channel, expiryOf('acme.stable', start)))
  await repository.publish('acme', 'acme.stable')
}

/**
 * A release that `first` lists is withdrawn under the ring `second`, which the device sees. Then
 * the owners replace the online keys and go back to the first ring, which it does not see.
 */
async function withdrawnMeanwhile(
  choose: (keys: readonly Signer[]) => Record<'first' | 'second', [Signer[], number]>,
  hasSeenFirst = true,
) {
  const the = await world()
  const { repository, rotateOnline } = the
  const { first, second } = choose(repository.signers.get('acme.stable')!)
  await setRing(repository, ...first)
  await repository.addRelease('acme', 'stable', '6.6.6')
  if (hasSeenFirst) await the.sync()
  const old = repository.targets.get('acme.stable')!
  await setRing(repository, ...second)
  await repository.withdrawRelease('acme', 'stable', '6.6.6')
  await the.sync()
  await setRing(repository, ...first)
  await rotateOnline()
  return { ...the, old }
}

test('T6 T7 rolled-back release: one that a ring of fewer signatures withdrew stays withdrawn when the threshold is raised again', async () => {
  for (const hasSeenFirst of [true, false]) {
    const { old, show, refuses, restart } = await withdrawnMeanwhile(
      ([a, b]) => ({ first: [[a!, b!], 2], second: [[a!], 1] }),
      hasSeenFirst,
    )
    await restart()
    await show('acme.stable', old)
    await refuses('rollback')
  }
})

test('T6 T7 rolled-back release: one that a ring of other keys withdrew stays withdrawn when a ring that the device knows comes back', async () => {
  const { old, show, refuses, restart } = await withdrawnMeanwhile(([a, b, c]) => ({
    first: [[a!, b!], 2],
    second: [[a!, c!], 2],
  }))
  await restart()
  await show('acme.stable', old)
  await refuses('rollback')
})

test('T6 T7 rolled-back release: marks that an earlier version of this program stored without thresholds count where one key is kept', async () => {
  const { store, old, show, refuses, restart } = await withdrawnMeanwhile(
    ([a, b]) => ({ first: [[a!, b!], 2], second: [[a!], 1] }),
    false,
  )
  for (const [slot, bytes] of store.slots) {
    const { marks, ...state } = await parseClientState(bytes)
    const stripped = [...marks!].map(
      ([name, list]) => [name, list.map((mark) => ({ ...mark, threshold: 1 }))] as const,
    )
    const text = await formatClientState({ ...state, marks: new Map(stripped) })
    const [body] = utf8Decode(text).replaceAll(' threshold=1', '').split('\n')
    const digest = hash('sha256', body!)
    const earlier = `${body}\n${utf8Encode(body!).length} sha256:${digest}\n`
    assert.ok(!earlier.includes('threshold='))
    store.slots.set(slot, utf8Encode(earlier))
  }
  await restart()
  await show('acme.stable', old)
  await refuses('rollback')
})

test('T6 versions driven up with stolen keys of a channel end with these keys and the online ones', async () => {
  const { repository, rotateOnline, sync, refuses } = await world()
  const before = repository.targets.get('acme.stable')!
  repository.targets.set('acme.stable', { ...before, version: 2 ** 31 - 1 })
  await repository.publish('acme.stable')
  await sync()
  repository.targets.set('acme.stable', before)
  await repository.publish('acme.stable')
  await refuses('rollback')
  await rotateOnline()
  await refuses('rollback')
  // One of the old keys may stay: alone it never had a threshold.
  const [kept] = repository.signers.get('acme.stable')!
  const others = [await generateSigner('ed25519'), await generateSigner('p256')]
  await setRing(repository, [kept!, ...others], 2)
  await sync()
})

test('what one delegator says of a role drives up no version that another delegates', async () => {
  const { repository, sync, restart } = await world()
  await repository.addProduct('evil')
  const thief = await generateSigner('ed25519')
  const mine = repository.targets.get('acme.stable')!
  const signers = repository.signers.get('acme.stable')!
  // Evil's owners delegate their own paths to a role of acme's name, and count acme's keys, one of
  // which was stolen.
  const evil = await delegateRole(repository.targets.get('evil')!, {
    role: 'acme.stable',
    authority: { keys: [thief.key, ...signers.map(({ key }) => key)], threshold: 1 },
    expiresAt: expiryOf('evil', start),
  })
  const [role] = evil.delegations!.roles!
  repository.targets.set('evil', {
    ...evil,
    delegations: { ...evil.delegations!, roles: [{ ...role!, paths: ['evil/*/*'] }] },
  })
  await repository.publish('evil')
  const signed = { ...mine, version: 1000 }
  repository.targets.set('acme.stable', signed)
  repository.signers.set('acme.stable', [signers[0]!])
  await repository.publish('acme.stable')
  const other = await provisionClient(repository, new ManualClock(start))
  await other.client.refresh()
  await assert.rejects(other.client.findTarget('evil/stable/1.0.0'), { code: 'target_unknown' })
  await repository.rotateKeys('snapshot', 1, 1)
  repository.targets.set('acme.stable', mine)
  repository.signers.set('acme.stable', signers)
  await repository.publish('acme.stable')
  await restart()
  await sync()
  await other.client.refresh()
  await other.client.loadChannel('acme', 'stable')
})

test('T6 T7 rolled-back roles: no history of rotations, changed rings and replays brings back a version that was overtaken (property)', async () => {
  const pool: Signer[] = []
  for (let i = 0; i < 6; i++) pool.push(await generateSigner(i % 2 === 0 ? 'ed25519' : 'p256'))
  const roles = ['targets', 'acme', 'acme.stable'] as const
  type Role = (typeof roles)[number]
  const role = fc.constantFrom(...roles)
  /** Changes of a role that the device sees at once, or with what comes next. */
  const isSeen = fc.boolean()
  const ring = fc.record({
    what: fc.constant('ring' as const),
    role,
    coreCount: fc.integer({ min: 1, max: 4 }),
    others: fc.uniqueArray(fc.nat({ max: pool.length - 1 }), { maxLength: 2 }),
    threshold: fc.integer({ min: 1, max: 3 }),
    isSeen,
  })
  const replay = fc.record({
    what: fc.constant('replay' as const),
    isAfterRotation: fc.boolean(),
    shown: fc.array(fc.record({ role, back: fc.nat({ max: 5 }) }), { minLength: 1, maxLength: 3 }),
  })
  const small = ring.map((any) => ({ ...any, coreCount: 1, others: [] }))
  /** A swing changes to another ring and back again: what the first had signed is then shown. */
  const swing = fc
    .tuple(ring, fc.oneof(ring, small), fc.constantFrom(1, 2, 2, 2))
    .map(([first, second, back]) => [
      first,
      { ...second, role: first.role, isSeen: true },
      { ...first, isSeen: false },
      { what: 'replay' as const, isAfterRotation: true, shown: [{ role: first.role, back }] },
    ])
  const one = fc.oneof(
    { weight: 1, arbitrary: fc.record({ what: fc.constant('rotate-online' as const) }) },
    { weight: 3, arbitrary: fc.record({ what: fc.constant('renew' as const), role, isSeen }) },
    { weight: 3, arbitrary: ring },
    { weight: 4, arbitrary: replay },
    { weight: 1, arbitrary: fc.record({ what: fc.constant('restart' as const) }) },
  )
  const events = fc
    .array(
      fc.oneof(
        { weight: 4, arbitrary: one.map((event) => [event]) },
        { weight: 3, arbitrary: swing },
      ),
      { minLength: 2, maxLength: 7 },
    )
    .map((parts) => parts.flat())
  /**
   * Nested rings all have the first keys of one list, and a threshold of those at least: no change
   * of them ends what was signed before, so nothing older is ever taken. Other histories replace
   * keys as they like, and only a ring that the device has seen already brings nothing back.
   */
  const histories = fc.record({ areNested: fc.boolean(), events })
  await fc.assert(
    fc.asyncProperty(histories, async ({ areNested, events }) => {
      const { repository, sync, restart, rotateOnline, versions } = await world()
      type Signed = { readonly signed: TargetsSigned; readonly bytes: Uint8Array<ArrayBuffer> }
      const honest = new Map<Role, TargetsSigned>()
      const history = new Map<Role, Signed[]>(roles.map((name) => [name, []]))
      const note = (...names: Role[]) => {
        for (const name of names) {
          const signed = repository.targets.get(name)!
          honest.set(name, signed)
          const bytes = repository.files.get(`${signed.version}.${name}.json`)!
          history.get(name)!.push({ signed, bytes })
        }
      }
      note(...roles)
      /** Versions in the order in which the device took them, each under a ring of its role. */
      const accepted = new Map<Role, { version: number; ring: string }[]>(
        roles.map((name) => [name, []]),
      )
      const ringOf = (name: Role): string => {
        const list =
          name === 'targets'
            ? repository.root.roles.targets
            : repository.targets
                .get(name === 'acme' ? 'targets' : 'acme')!
                .delegations!.roles!.find((child) => child.name === name)!
        return `${list.threshold} of ${list.keyids.toSorted().join()}`
      }
      const look = async (): Promise<boolean> => {
        try {
          await sync()
        } catch (error) {
          if (!isTrustError(error)) throw error
          return false
        }
        for (const name of roles) {
          const version = versions().get(name)!
          const ring = ringOf(name)
          const before = accepted.get(name)!
          const since = areNested ? 0 : before.findIndex((taken) => taken.ring === ring)
          const overtaken = since < 0 ? [] : before.slice(since)
          assert.ok(
            overtaken.every((taken) => version >= taken.version),
            `${name} ${version} after ${overtaken.map((taken) => taken.version).join()}`,
          )
          accepted.get(name)!.push({ version, ring })
        }
        return true
      }
      const showHonest = async () => {
        for (const [name, signed] of honest) {
          repository.targets.set(name, signed)
          const { bytes } = history.get(name)!.findLast((known) => known.signed === signed)!
          repository.files.set(`${signed.version}.${name}.json`, bytes)
        }
        await repository.publish()
      }
      const renew = async (...names: Role[]) => {
        for (const name of names) {
          repository.targets.set(
            name,
            renewRole(repository.targets.get(name)!, expiryOf(name, start)),
          )
        }
        await repository.publish(...names)
        note(...names)
      }
      const begin = roles.map((name) => ({
        what: 'ring' as const,
        role: name,
        coreCount: 1,
        others: [],
        threshold: 1,
        isSeen: true,
      }))
      for (const [i, next] of [...begin, ...events].entries()) {
        if (i === begin.length)
          for (const taken of accepted.values()) taken.splice(0, taken.length - 1)
        if (next.what === 'restart') await restart()
        else if (next.what === 'replay') {
          // Whoever holds the newest online keys shows any mixture of what was ever signed, best
          // before the device has seen more.
          if (next.isAfterRotation) {
            await showHonest()
            await rotateOnline()
          }
          for (const { role: name, back } of next.shown) {
            const list = history.get(name)!
            const { signed, bytes } = list.at(-1 - (back % list.length))!
            repository.targets.set(name, signed)
            repository.files.set(`${signed.version}.${name}.json`, bytes)
          }
          await repository.publish()
        } else {
          await showHonest()
          if (next.what === 'rotate-online') await rotateOnline()
          else if (next.what === 'renew') await renew(next.role)
          else {
            const first = pool.slice(0, next.coreCount)
            const others = next.others.map((i) => pool[i]!).filter((key) => !first.includes(key))
            const signers = areNested || others.length === 0 ? [...first, ...others] : others
            const threshold = Math.min(next.threshold, areNested ? first.length : signers.length)
            const authority = { keys: signers.map(({ key }) => key), threshold }
            repository.signers.set(next.role, signers)
            if (next.role === 'targets') {
              repository.root = await changeRoot(repository.root, {
                expiresAt: expiryOf('root', start),
                roles: { targets: authority },
              })
              await repository.publishRoot()
              await renew('targets')
            } else {
              const delegator = next.role === 'acme' ? 'targets' : 'acme'
              const changed = await delegateRole(repository.targets.get(delegator)!, {
                role: next.role,
                authority,
                expiresAt: expiryOf(delegator, start),
              })
              repository.targets.set(delegator, changed)
              await repository.publish(delegator)
              note(delegator)
              await renew(next.role)
            }
          }
        }
        if (!('isSeen' in next) || next.isSeen) await look()
      }
      // Whatever was shown in between: what the owners publish last is taken, by devices that
      // follow new online keys.
      await showHonest()
      await rotateOnline()
      await restart()
      assert.ok(await look())
    }),
    { numRuns: 20, interruptAfterTimeLimit: 60_000 },
  )
})

test('T6 T7 attack: whatever one channel, delegator or ring of keys signs, it raises no mark of another channel or delegator, and binds no ring that it shares no keys with (property)', async () => {
  const pool: Signer[] = []
  for (let i = 0; i < 6; i++) pool.push(await generateSigner('ed25519'))
  const ringOf = (
    delegator: string,
    members: readonly number[],
    threshold: number,
  ): DelegatedRing => {
    const signers = members.map((i) => pool[i]!)
    return {
      delegator,
      keys: Object.fromEntries(signers.map(({ keyId, key }) => [keyId, key])),
      role: { keyids: signers.map(({ keyId }) => keyId), threshold },
    }
  }
  // One name under two delegators, and names that could be taken for each other.
  const places = [
    ['acme', 'acme.production'],
    ['acme', 'acme.edge'],
    ['other', 'acme.production'],
    ['acme.production', 'acme'],
  ] as const
  const high = fc.constantFrom(1, 2, 3, 1000, 2 ** 31 - 1)
  const ring = fc.record({
    members: fc.uniqueArray(fc.nat({ max: 2 }), { minLength: 1, maxLength: 3 }),
    threshold: fc.integer({ min: 1, max: 2 }),
  })
  const raise = fc.record({
    place: fc.nat({ max: places.length - 1 }),
    ring,
    version: high,
    floor: high,
  })
  const seesOf = async (
    marks: VersionMarks,
    place: number,
    members: number[],
    threshold: number,
  ) => {
    const [delegator, role] = places[place]!
    const asked = ringOf(delegator, members, threshold)
    const refused: boolean[] = []
    for (const version of [1, 2, 3, 1000, 2 ** 31 - 1]) {
      const isTaken = await marks.refuseOlder(role, asked, version).then(
        () => true,
        (error: unknown) => {
          assert.ok(isTrustError(error) && error.code === 'rollback', String(error))
          return false
        },
      )
      refused.push(!isTaken)
    }
    return { refused, floor: await marks.floorFor(role, asked) }
  }
  await fc.assert(
    fc.asyncProperty(fc.array(raise, { minLength: 1, maxLength: 12 }), async (raises) => {
      const all = new VersionMarks(new Map(), () => undefined)
      const alone = places.map(() => new VersionMarks(new Map(), () => undefined))
      for (const { place, ring: by, version, floor } of raises) {
        const [delegator, role] = places[place]!
        const signer = ringOf(delegator, by.members, Math.min(by.threshold, by.members.length))
        await all.raise(role, signer, version, floor)
        await alone[place]!.raise(role, signer, version, floor)
      }
      for (const place of places.keys()) {
        // What others signed changes nothing, for any ring that asks.
        for (const members of [[0], [1, 2], [0, 1, 2]]) {
          assert.deepEqual(
            await seesOf(all, place, members, 1),
            await seesOf(alone[place]!, place, members, 1),
          )
        }
        // New keys begin anew, however high stolen ones have driven the marks.
        assert.deepEqual(await seesOf(all, place, [3, 4, 5], 2), {
          refused: [false, false, false, false, false],
          floor: 0,
        })
      }
    }),
    { interruptAfterTimeLimit: 60_000, numRuns: 60 },
  )
})
