/**
 * Every attack the specification names, and the faults found in other clients, against a whole
 * client.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import { dayMs, formatInstant, hourMs, ManualClock } from '@seaworthy/std/time'
import { generateSigner } from '../keys/signer.ts'
import type { TrustCode } from './codes.ts'
import { wireJson } from './json.ts'
import { expiryOf } from './lifetimes.ts'
import type { TargetsSigned } from './metadata.ts'
import { findRelease, listReleases } from './release.ts'
import { createRepositorySimulator, provisionClient } from '../testing/repository-simulator.ts'
import { changeRoot, delegateRole, renewRole, signMetadata } from './repository.ts'

const start = new Date('2030-01-01T00:00:00Z')

/** A device that has seen the first release of acme's stable channel. */
async function world() {
  const repository = await createRepositorySimulator(start)
  await repository.addProduct('acme')
  await repository.addChannel('acme', 'stable')
  await repository.addRelease('acme', 'stable', '1.0.0')
  const clock = new ManualClock(start)
  const device = await provisionClient(repository, clock)
  const sync = async () => {
    await device.client.refresh()
    return listReleases((await device.client.loadChannel('acme', 'stable')).signed)
  }
  await sync()
  const refuses = (code: TrustCode, what: () => Promise<unknown> = sync) =>
    assert.rejects(what, { name: 'TrustError', code })
  const pass = (ms: number) => {
    clock.advance(ms)
    repository.now = clock.now()
  }
  return { repository, clock, ...device, sync, refuses, pass }
}

const next = (signed: TargetsSigned) => renewRole(signed, expiryOf('acme.stable', start))

test('T7 arbitrary content: a channel signed by whoever has all online keys is refused', async () => {
  const { repository, refuses } = await world()
  const attacker = [await generateSigner('ed25519'), await generateSigner('ed25519')]
  repository.signers.set('acme.stable', attacker)
  await repository.addRelease('acme', 'stable', '6.6.6')
  await refuses('signature_threshold')
})

test('T7 keys below threshold: one key of two is refused', async () => {
  const { repository, refuses } = await world()
  repository.signers.set('acme.stable', repository.signers.get('acme.stable')!.slice(0, 1))
  await repository.addRelease('acme', 'stable', '6.6.6')
  await refuses('signature_threshold')
})

test('T7 duplicate signatures: one signature under its key id twice is refused', async () => {
  const { repository, refuses } = await world()
  const [one] = repository.signers.get('acme.stable')!
  repository.signers.set('acme.stable', [one!, one!])
  await repository.addRelease('acme', 'stable', '6.6.6')
  await refuses('metadata_malformed')
})

test('T7 one key under two key ids: is outside the profile', async () => {
  const { repository, refuses } = await world()
  const [one] = repository.signers.get('acme.stable')!
  const copied = { ...one!, keyId: 'f'.repeat(64) }
  repository.targets.set('acme', {
    ...renewRole(repository.targets.get('acme')!, expiryOf('acme', start)),
    delegations: {
      keys: { [one!.keyId]: one!.key, [copied.keyId]: one!.key },
      roles: [
        {
          name: 'acme.stable',
          keyids: [one!.keyId, copied.keyId],
          threshold: 2,
          terminating: true,
          paths: ['acme/stable/*'],
        },
      ],
    },
  })
  repository.signers.set('acme.stable', [one!, copied])
  await repository.publish('acme')
  await repository.addRelease('acme', 'stable', '6.6.6')
  await refuses('profile_violation')
})

test('T7 rollback: an older timestamp is refused', async () => {
  const { repository, sync, refuses } = await world()
  const old = repository.files.get('timestamp.json')!
  await repository.addRelease('acme', 'stable', '2.0.0')
  await sync()
  repository.files.set('timestamp.json', old)
  await refuses('rollback')
})

test('T7 rollback: a new timestamp that names an older snapshot is refused', async () => {
  const { repository, sync, refuses } = await world()
  await repository.addRelease('acme', 'stable', '2.0.0')
  await sync()
  repository.snapshot = { ...repository.snapshot, version: repository.snapshot.version - 2 }
  await repository.publish()
  await refuses('rollback')
})

test('T7 rollback: a new snapshot that lowers or drops a channel is refused', async () => {
  for (const change of ['lower', 'drop'] as const) {
    const { repository, sync, refuses } = await world()
    await repository.addRelease('acme', 'stable', '2.0.0')
    await sync()
    if (change === 'lower') {
      const before = repository.targets.get('acme.stable')!
      repository.targets.set('acme.stable', { ...before, version: before.version - 1 })
    } else {
      repository.targets.delete('acme.stable')
      const { 'acme.stable.json': _dropped, ...meta } = repository.snapshot.meta
      repository.snapshot = { ...repository.snapshot, meta }
    }
    await repository.publish()
    await refuses('rollback')
  }
})

test('T7 rollback: what was seen counts even when the rest of the cycle failed, and after a restart', async () => {
  const { repository, refuses, reopen } = await world()
  const old = repository.files.get('timestamp.json')!
  await repository.addRelease('acme', 'stable', '2.0.0')
  const snapshot = `${repository.snapshot.version}.snapshot.json`
  const withheld = repository.files.get(snapshot)!
  repository.files.delete(snapshot)
  await refuses('metadata_missing')
  repository.files.set('timestamp.json', old)
  const reopened = await reopen()
  await refuses('rollback', () => reopened.refresh())
  repository.files.set(snapshot, withheld)
})

test('T7 freeze: each expired role is refused, at the instant it expires', async () => {
  for (const [role, afterMs] of [
    ['timestamp', dayMs],
    ['snapshot', 7 * dayMs],
    ['acme.stable', 60 * dayMs],
    ['acme', 180 * dayMs],
    ['targets', 365 * dayMs],
  ] as const) {
    const { repository, clock, sync, refuses } = await world()
    // Everything is renewed but the one role.
    clock.advance(afterMs - 1000)
    repository.now = clock.now()
    for (const other of ['targets', 'acme', 'acme.stable']) {
      if (other === role) continue
      const renewed = renewRole(repository.targets.get(other)!, expiryOf(other, repository.now))
      repository.targets.set(other, renewed)
    }
    if (role === 'targets') {
      repository.root = await changeRoot(repository.root, {
        expiresAt: expiryOf('root', repository.now),
      })
      await repository.publishRoot()
    }
    if (role !== 'timestamp' && role !== 'snapshot') {
      const others = ['targets', 'acme', 'acme.stable'].filter((other) => other !== role)
      await repository.publish(...others)
      await sync()
    }
    clock.advance(1000)
    await refuses('freeze')
  }
})

test('T7 freeze: an expired root is refused, and a renewed one heals it', async () => {
  const { repository, clock, sync, refuses } = await world()
  clock.advance(365 * dayMs)
  repository.now = clock.now()
  for (const role of ['targets', 'acme', 'acme.stable']) {
    repository.targets.set(
      role,
      renewRole(repository.targets.get(role)!, expiryOf(role, repository.now)),
    )
  }
  await repository.publish('targets', 'acme', 'acme.stable')
  await refuses('freeze')
  repository.root = await changeRoot(repository.root, {
    expiresAt: expiryOf('root', repository.now),
  })
  await repository.publishRoot()
  await sync()
})

test('T7 freeze: a clock set back does not revive expired metadata', async () => {
  const { repository, clock, client, sync, refuses, reopen } = await world()
  const old = new Map(repository.files)
  clock.advance(3 * dayMs)
  repository.now = clock.now()
  await repository.addRelease('acme', 'stable', '2.0.0')
  await sync()
  clock.jumpTo(start)
  const notices = await client.refresh()
  assert.deepEqual(
    notices.map(({ code }) => code),
    ['clock_jumped', 'clock_behind'],
  )
  // Even with all its stored metadata replayed it would still know the time.
  for (const [name, bytes] of old) if (name !== 'timestamp.json') repository.files.set(name, bytes)
  repository.timestamp = {
    ...repository.timestamp,
    expires: formatInstant(new Date(start.getTime() + dayMs)),
  }
  const { version, expires } = repository.timestamp
  const stale = { ...repository.timestamp, version: version + 1, expires }
  repository.files.set(
    'timestamp.json',
    await signMetadata(stale, repository.signers.get('timestamp')!),
  )
  const reopened = await reopen()
  await refuses('freeze', () => reopened.refresh())
})

test('T7 time poisoning: a signed time beyond all expiries is not believed, and no device is bricked', async () => {
  const { repository, client, sync } = await world()
  repository.timestamp = {
    ...repository.timestamp,
    version: repository.timestamp.version + 1,
    seaworthy: { signedAt: '9999-01-01T00:00:00Z' },
  }
  repository.files.set(
    'timestamp.json',
    await signMetadata(repository.timestamp, repository.signers.get('timestamp')!),
  )
  await sync()
  assert.deepEqual(client.status().timeFloor, start)
})

test('a device without a clock takes the signed time as a floor', async () => {
  const { repository, client, sync } = await world()
  repository.now = new Date(start.getTime() + 12 * hourMs)
  await repository.publish()
  await sync()
  assert.deepEqual(client.status().timeFloor, repository.now)
})

test('T7 mix and match: another snapshot than the timestamp names is refused', async () => {
  const { repository, refuses } = await world()
  const old = repository.files.get(`${repository.snapshot.version}.snapshot.json`)!
  await repository.addRelease('acme', 'stable', '2.0.0')
  repository.files.set(`${repository.snapshot.version}.snapshot.json`, old)
  await refuses('wrong_hash')
})

test('T7 mix and match: another channel file of the same length than the snapshot names is refused', async () => {
  const { repository, refuses } = await world()
  await repository.addRelease('acme', 'stable', '2.0.0')
  const name = `${repository.targets.get('acme.stable')!.version}.acme.stable.json`
  const bytes = new Uint8Array(repository.files.get(name)!)
  bytes[20]! ^= 1
  repository.files.set(name, bytes)
  await refuses('wrong_hash')
})

test('T7 truncated: shorter files than signed for are refused', async () => {
  for (const name of ['snapshot', 'acme.stable'] as const) {
    const { repository, refuses } = await world()
    await repository.addRelease('acme', 'stable', '2.0.0')
    const version =
      name === 'snapshot' ? repository.snapshot.version : repository.targets.get(name)!.version
    const file = `${version}.${name}.json`
    repository.files.set(file, repository.files.get(file)!.slice(0, -1))
    await refuses('wrong_length')
  }
})

test('T7 endless data: every file has a limit', async () => {
  for (const role of ['root', 'timestamp', 'snapshot', 'acme.stable'] as const) {
    const { repository, refuses } = await world()
    await repository.addRelease('acme', 'stable', '2.0.0')
    const name = {
      root: '2.root.json',
      timestamp: 'timestamp.json',
      snapshot: `${repository.snapshot.version}.snapshot.json`,
      'acme.stable': `${repository.targets.get('acme.stable')!.version}.acme.stable.json`,
    }[role]
    repository.files.set(name, new Uint8Array(6_000_000).fill(0x20))
    await refuses('endless_data')
  }
})

test('T7 endless roots: at most 256 a cycle, and the next cycle goes on from there', async () => {
  const { repository, client } = await world()
  for (let i = 0; i < 258; i++) {
    repository.root = await changeRoot(repository.root, { expiresAt: expiryOf('root', start) })
    await repository.publishRoot()
  }
  repository.requests.length = 0
  await client.refresh()
  assert.equal(client.status().roles[0]!.version, 257)
  assert.equal(repository.requests.filter((name) => name.endsWith('root.json')).length, 256)
  await client.refresh()
  assert.equal(client.status().roles[0]!.version, 259)
})

test('T7 duplicate members and other spellings of the same content are refused', async () => {
  const { repository, refuses } = await world()
  const text = utf8Decode(repository.files.get('timestamp.json')!)
  for (const [spelling, code] of [
    [text.replace('"_type"', '"_type":"timestamp","_type"'), 'metadata_malformed'],
    [` ${text}`, 'profile_violation'],
    [text.replace('"version":', '"version": '), 'profile_violation'],
    [text.replace('timestamp', '\\u0074imestamp'), 'profile_violation'],
    [text.replace('"signatures"', '"Signatures"'), 'metadata_malformed'],
    ['', 'metadata_malformed'],
    ['null', 'metadata_malformed'],
  ] as const) {
    assert.notEqual(spelling, text)
    repository.files.set('timestamp.json', utf8Encode(spelling))
    await refuses(code)
  }
})

test('T7 withheld root: stale timestamp keys die with the next root, so that only freeze remains', async () => {
  const { repository, sync, refuses, pass } = await world()
  await repository.rotateKeys('timestamp', 1, 1)
  const hidden = repository.files.get('2.root.json')!
  repository.files.delete('2.root.json')
  await refuses('signature_threshold')
  repository.files.set('2.root.json', hidden)
  pass(hourMs)
  await sync()
})

test('T7 root chain: gaps, repeats and roots with too few old or new signatures are refused', async () => {
  const { repository, refuses, sync } = await world()
  const [old, fresh] = [
    repository.signers.get('root')!,
    [await generateSigner('p256'), await generateSigner('p256')],
  ]
  const rotated = await changeRoot(repository.root, {
    expiresAt: expiryOf('root', start),
    roles: { root: { keys: fresh.map(({ key }) => key), threshold: 2 } },
  })
  const serve = async (root: typeof rotated, signers: typeof old) =>
    repository.files.set('2.root.json', await signMetadata(root, signers))
  await serve(rotated, old)
  await refuses('signature_threshold')
  await serve(rotated, fresh)
  await refuses('signature_threshold')
  await serve(rotated, [old[0]!, ...fresh])
  await refuses('signature_threshold')
  for (const version of [1, 3]) {
    await serve({ ...rotated, version }, [...old, ...fresh])
    await refuses('root_chain_broken')
  }
  await serve(rotated, [...old, ...fresh])
  await sync()
})

test('T6 rotation of all keys of every role at once, root included, is followed without touching the device', async () => {
  const { repository, client, sync } = await world()
  for (const role of ['root', 'targets', 'snapshot', 'timestamp', 'acme', 'acme.stable']) {
    await repository.rotateKeys(role, 3, 2)
    await sync()
  }
  await repository.addRelease('acme', 'stable', '2.0.0')
  assert.deepEqual(
    (await sync()).releases.map(({ version }) => version),
    ['2.0.0', '1.0.0'],
  )
  assert.equal(client.status().roles.find(({ role }) => role === 'root')!.version, 5)
})

test('T6 the keys that were rotated away are worth nothing', async () => {
  const { repository, sync, refuses } = await world()
  const stolen = repository.signers.get('acme.stable')!
  await repository.rotateKeys('acme.stable', 3, 2)
  await sync()
  repository.signers.set('acme.stable', stolen)
  await repository.addRelease('acme', 'stable', '6.6.6')
  await refuses('signature_threshold')
})

test('T7 fast-forward: versions driven up with stolen online keys end with those keys', async () => {
  const { repository, sync, refuses } = await world()
  const before = { timestamp: repository.timestamp, snapshot: repository.snapshot }
  repository.snapshot = { ...repository.snapshot, version: 2 ** 31 - 3 }
  repository.timestamp = { ...repository.timestamp, version: 2 ** 31 - 3 }
  await repository.publish()
  await sync()
  Object.assign(repository, before)
  await repository.publish()
  await refuses('rollback')
  await repository.rotateKeys('timestamp', 1, 1)
  await sync()
})

test('T7 fast-forward: a stored timestamp is not revived by rotating its keys back', async () => {
  const { repository, reopen } = await world()
  await repository.rotateKeys('timestamp', 1, 1)
  const client = await reopen()
  await client.refresh()
  const again = await reopen()
  assert.deepEqual(await again.refresh(), [])
})

test('T7 wrong channel: a release of another channel is refused although its signatures are fine', async () => {
  const { repository, client } = await world()
  await repository.addChannel('acme', 'beta')
  await repository.addRelease('acme', 'beta', '2.0.0-beta')
  await client.refresh()
  const device = {
    product: 'acme',
    channel: 'stable',
    platform: 'linux/amd64',
    committedCounter: 0,
    floor: 0,
  }
  const beta = listReleases((await client.loadChannel('acme', 'beta')).signed)
  assert.throws(() => findRelease(beta, 'acme/beta/2.0.0-beta', device), { code: 'wrong_channel' })
  const stable = listReleases((await client.loadChannel('acme', 'stable')).signed)
  assert.throws(() => findRelease(stable, 'acme/beta/2.0.0-beta', device), {
    code: 'target_unknown',
  })
  await assert.rejects(client.loadChannel('acme', 'nightly'), { code: 'wrong_channel' })
  await assert.rejects(client.loadChannel('other', 'stable'), { code: 'wrong_product' })
})

test("T7 wrong channel: beta's keys cannot list a release under stable's path", async () => {
  const { repository, client } = await world()
  await repository.addChannel('acme', 'beta')
  const stable = repository.targets.get('acme.stable')!
  repository.targets.set('acme.beta', {
    ...next(repository.targets.get('acme.beta')!),
    targets: { 'acme/stable/6.6.6': stable.targets['acme/stable/1.0.0']! },
  })
  await repository.publish('acme.beta')
  await client.refresh()
  await assert.rejects(client.findTarget('acme/stable/6.6.6'), { code: 'target_unknown' })
  const beta = listReleases((await client.loadChannel('acme', 'beta')).signed)
  assert.deepEqual(beta.releases, [])
  assert.equal(beta.malformed.length, 1)
})

test('T7 wrong product: a product role that delegates outside its paths is refused', async () => {
  const { repository, client } = await world()
  await repository.addProduct('evil')
  await repository.addChannel('evil', 'stable')
  const evil = repository.targets.get('evil')!
  repository.targets.set('evil', {
    ...next(evil),
    delegations: {
      ...evil.delegations!,
      roles: [{ ...evil.delegations!.roles![0]!, paths: ['acme/stable/*'] }],
    },
  })
  await repository.publish('evil')
  await client.refresh()
  await assert.rejects(client.loadChannel('evil', 'stable'), { code: 'profile_violation' })
  assert.equal((await client.findTarget('acme/stable/1.0.0')).role, 'acme.stable')
})

test('T7 a role reached through a second delegator must satisfy that one too', async () => {
  const { repository, client } = await world()
  // Targets now also delegates acme.stable itself, with keys that have not signed it.
  const stranger = await generateSigner('ed25519')
  const targets = await delegateRole(repository.targets.get('targets')!, {
    role: 'acme.stable',
    authority: { keys: [stranger.key], threshold: 1 },
    expiresAt: expiryOf('targets', start),
  })
  repository.targets.set('targets', targets)
  await repository.publish('targets')
  await client.refresh()
  // The tree is searched in order: acme first, whose keys did sign.
  assert.equal((await client.findTarget('acme/stable/1.0.0')).role, 'acme.stable')
  const roles = targets.delegations!.roles!.toReversed()
  repository.targets.set('targets', {
    ...next(targets),
    delegations: { ...targets.delegations!, roles },
  })
  await repository.publish('targets')
  await client.refresh()
  await assert.rejects(client.findTarget('acme/stable/1.0.0'), { code: 'signature_threshold' })
})

test('names of the prototype are no targets and no roles', async () => {
  const { client } = await world()
  for (const path of ['constructor', '__proto__', 'toString', 'acme/stable/constructor']) {
    await assert.rejects(client.findTarget(path), { code: 'target_unknown' })
  }
})

test('a withdrawn release is gone for the device, and cannot be used to force an older one', async () => {
  const { repository, sync } = await world()
  await repository.addRelease('acme', 'stable', '2.0.0')
  await sync()
  await repository.withdrawRelease('acme', 'stable', '2.0.0')
  const listing = await sync()
  assert.deepEqual(
    listing.releases.map(({ version }) => version),
    ['1.0.0'],
  )
  assert.throws(
    () =>
      findRelease(listing, 'acme/stable/1.0.0', {
        product: 'acme',
        channel: 'stable',
        platform: 'linux/amd64',
        committedCounter: 2,
        floor: 1,
      }),
    { code: 'counter_below_committed' },
  )
})

test('the specification version, wrong types and reserved names are refused', async () => {
  const { repository, refuses } = await world()
  const good = JSON.parse(utf8Decode(repository.files.get('timestamp.json')!))
  for (const [signed, code] of [
    [{ ...good.signed, spec_version: '2.0.0' }, 'unsupported_specification'],
    [{ ...good.signed, _type: 'snapshot' }, 'metadata_malformed'],
    [{ ...good.signed, version: 0 }, 'metadata_malformed'],
    [{ ...good.signed, version: '7' }, 'metadata_malformed'],
    [{ ...good.signed, expires: 'Jan 1 2099' }, 'metadata_malformed'],
    [{ ...good.signed, meta: {} }, 'metadata_malformed'],
  ] as const) {
    repository.files.set('timestamp.json', wireJson({ ...good, signed }))
    await refuses(code)
  }
})
