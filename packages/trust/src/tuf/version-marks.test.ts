/**
 * Older offline roles, shown again by somebody who holds the online keys that have just been
 * replaced.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ManualClock } from '@seaworthy/std/time'
import type { Signer } from '../keys/signer.ts'
import { generateSigner } from '../keys/signer.ts'
import { formatClientState, readClientState } from './client-state.ts'
import { isTrustError } from './codes.ts'
import type { TrustCode } from './codes.ts'
import { expiryOf } from './lifetimes.ts'
import type { TargetsSigned } from './metadata.ts'
import { listReleases } from './release.ts'
import { createRepositorySimulator, provisionClient } from '../testing/repository-simulator.ts'
import { changeRoot, delegateRole, renewRole } from './repository.ts'

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
  await repository.rotateKeys('acme.stable', 3, 2)
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

test('T6 T7 rolled-back roles: no history of rotations, changed rings and replays brings back a version that the same keys had overtaken (property)', async () => {
  const pool: Signer[] = []
  for (let i = 0; i < 6; i++) pool.push(await generateSigner(i % 2 === 0 ? 'ed25519' : 'p256'))
  const roles = ['targets', 'acme', 'acme.stable'] as const
  type Role = (typeof roles)[number]
  const role = fc.constantFrom(...roles)
  const event = fc.oneof(
    { weight: 1, arbitrary: fc.record({ what: fc.constant('rotate-online' as const) }) },
    { weight: 3, arbitrary: fc.record({ what: fc.constant('renew' as const), role }) },
    {
      weight: 3,
      arbitrary: fc.record({
        what: fc.constant('ring' as const),
        role,
        keys: fc.uniqueArray(fc.nat({ max: pool.length - 1 }), { minLength: 2, maxLength: 4 }),
        threshold: fc.integer({ min: 1, max: 2 }),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        what: fc.constant('replay' as const),
        isAfterRotation: fc.boolean(),
        shown: fc.array(fc.record({ role, back: fc.nat({ max: 5 }) }), {
          minLength: 1,
          maxLength: 3,
        }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ what: fc.constant('restart' as const) }) },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(event, { minLength: 3, maxLength: 14 }), async (events) => {
      const { repository, sync, restart, rotateOnline, versions } = await world()
      type Ring = { readonly keys: readonly string[]; readonly threshold: number }
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
      const accepted = new Map<Role, { version: number; ring: Ring }[]>(
        roles.map((name) => [name, []]),
      )
      const ringOf = (name: Role): Ring => {
        const list =
          name === 'targets'
            ? repository.root.roles.targets
            : repository.targets
                .get(name === 'acme' ? 'targets' : 'acme')!
                .delegations!.roles!.find((child) => child.name === name)!
        return { keys: list.keyids, threshold: list.threshold }
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
          for (const before of accepted.get(name)!) {
            const kept = before.ring.keys.filter((key) => ring.keys.includes(key)).length
            if (kept < ring.threshold) continue
            assert.ok(
              version >= before.version,
              `${name} ${version} after ${before.version}, which the same keys had signed`,
            )
          }
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
      await look()
      for (const next of events) {
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
            const signers = next.keys.map((i) => pool[i]!)
            const authority = { keys: signers.map(({ key }) => key), threshold: next.threshold }
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
        await look()
      }
      // Whatever was shown in between: what the owners publish last is taken, by devices that
      // follow new online keys.
      await showHonest()
      await rotateOnline()
      await restart()
      assert.ok(await look())
    }),
    { numRuns: 20 },
  )
})
