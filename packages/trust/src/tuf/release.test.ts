import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dayMs } from '@seaworthy/std/time'
import { blindTimeMs, expiryOf, lifetimeAlarm, lifetimes } from './lifetimes.ts'
import { delegatorOf, isName, isVersion, roleKindOf } from './names.ts'
import { channelMarks, chooseRelease, findRelease, listReleases, parseRelease } from './release.ts'
import type { DeviceFacts } from './release.ts'
import { addRelease, buildTargets, withdrawRelease } from './repository.ts'
import type { NewRelease } from './repository.ts'

const now = new Date('2030-01-01T00:00:00Z')
const release: NewRelease = {
  product: 'acme',
  channel: 'stable',
  version: '1.0.0',
  counter: 5,
  floor: 3,
  kind: 'bundle',
  platforms: ['linux/amd64', 'linux/arm/v7'],
  hardware: [],
  security: true,
  releasedAt: now,
  length: 10,
  sha256: 'a'.repeat(64),
  sha512: 'b'.repeat(128),
}
const device: DeviceFacts = {
  product: 'acme',
  channel: 'stable',
  platform: 'linux/amd64',
  committedCounter: 5,
  floor: 3,
}
const channelWith = (...releases: NewRelease[]) =>
  releases.reduce((channel, one) => addRelease(channel, one, now), buildTargets(now))

test('a release is read back as it was listed', () => {
  const { releases, malformed } = listReleases(channelWith(release))
  assert.deepEqual(malformed, [])
  assert.deepEqual(releases, [{ ...release, path: 'acme/stable/1.0.0' }])
})

test('T7 device rules: each mismatch has its code', () => {
  const listing = listReleases(
    channelWith(release, { ...release, version: '2', counter: 6, hardware: ['box-2'] }),
  )
  const path = 'acme/stable/1.0.0'
  assert.equal(findRelease(listing, path, device).counter, 5)
  for (const [facts, code] of [
    [{ product: 'other' }, 'wrong_product'],
    [{ channel: 'beta' }, 'wrong_channel'],
    [{ platform: 'linux/arm64' }, 'wrong_platform'],
    [{ committedCounter: 6 }, 'counter_below_committed'],
    [{ floor: 6 }, 'below_floor'],
  ] as const) {
    assert.throws(() => findRelease(listing, path, { ...device, ...facts }), { code })
  }
  assert.throws(() => findRelease(listing, 'acme/stable/9', device), { code: 'target_unknown' })
  assert.throws(() => findRelease(listing, 'acme/stable/2', device), { code: 'wrong_hardware' })
  assert.equal(findRelease(listing, 'acme/stable/2', { ...device, hardware: 'box-2' }).counter, 6)
})

test('T7 D12 a new device below the floor that its channel signs: nothing is installed, assigned or not', () => {
  const raised = { ...release, version: '2', counter: 6, floor: 6, platforms: ['linux/riscv64'] }
  const both = listReleases(channelWith(release, raised))
  const fresh = { ...device, committedCounter: 0, floor: 0 }
  assert.equal(both.floor, 6)
  const path = 'acme/stable/1.0.0'
  assert.throws(() => findRelease(both, path, fresh), { code: 'below_floor' })
  assert.equal(chooseRelease(both, fresh), undefined)
  // The mark outlives the release that set it.
  const withdrawn = { ...channelWith(release), seaworthy: { counterHighest: 6, floorHighest: 6 } }
  const listing = listReleases(withdrawn)
  assert.throws(() => findRelease(listing, path, fresh), { code: 'below_floor' })
  assert.equal(chooseRelease(listing, fresh), undefined)
})

test('without an assignment the newest that fits is chosen, or none', () => {
  const listing = listReleases(
    channelWith(
      release,
      { ...release, version: '3', counter: 9, platforms: ['linux/riscv64'] },
      { ...release, version: '2', counter: 7 },
    ),
  )
  assert.equal(chooseRelease(listing, device)?.version, '2')
  assert.equal(chooseRelease(listing, { ...device, committedCounter: 8 }), undefined)
})

test('malformed entries are named, take nothing from the others, and cannot be chosen', () => {
  const channel = channelWith(release)
  const good = channel.targets['acme/stable/1.0.0']!
  const facts = good.custom!['seaworthy'] as Record<string, never>
  const variant = (change: Record<string, unknown>) => ({
    ...good,
    custom: { seaworthy: { ...facts, version: 'x', ...change } as never },
  })
  for (const change of [
    { counter: 0 },
    { counter: 1.5 },
    { counter: 2 ** 31 },
    { counter: '5' },
    { floor: 6 },
    { kind: 'rpm' },
    { platforms: [] },
    { platforms: ['linux'] },
    { platforms: ['linux/amd64', 'linux/amd64'] },
    { hardware: [1] },
    { security: 1 },
    { releasedAt: 'yesterday' },
    { product: 'root' },
    { extra: true },
    { version: '..' },
  ]) {
    const listing = listReleases({
      ...channel,
      targets: { ...channel.targets, 'acme/stable/x': variant(change) },
    })
    assert.equal(listing.malformed.length, 1, JSON.stringify(change))
    assert.equal(listing.releases.length, 1)
    assert.throws(() => findRelease(listing, 'acme/stable/x', device), {
      code: 'release_malformed',
    })
  }
  assert.throws(() => parseRelease('acme/beta/1.0.0', good), { code: 'release_malformed' })
  assert.throws(() => parseRelease('acme/stable/1.0.0', { length: 1, hashes: {} }), {
    code: 'release_malformed',
  })
})

test('the highest counter and floor outlive the withdrawal of their release', () => {
  const channel = withdrawRelease(channelWith(release), 'acme/stable/1.0.0', now)
  assert.deepEqual(Object.keys(channel.targets), [])
  assert.deepEqual(channelMarks(channel), { counterHighest: 5, floorHighest: 3 })
})

test('names', () => {
  for (const name of ['a', 'acme', 'a-1', 'x'.repeat(63)]) assert.ok(isName(name), name)
  for (const name of [
    '',
    'A',
    '1a',
    'a.b',
    'root',
    'targets',
    'snapshot',
    'timestamp',
    'a_b',
    'x'.repeat(64),
  ]) {
    assert.ok(!isName(name), name)
  }
  assert.ok(isVersion('1.0.0-rc.1+build_5'))
  for (const version of ['', '.', '..', '.1', '-1', 'a/b', 'a b']) assert.ok(!isVersion(version))
  assert.deepEqual(roleKindOf('acme.stable'), {
    kind: 'channel',
    product: 'acme',
    channel: 'stable',
  })
  assert.equal(roleKindOf('a.b.c'), undefined)
  assert.equal(roleKindOf('acme.root'), undefined)
  assert.deepEqual(['root', 'targets', 'snapshot', 'acme', 'acme.beta'].map(delegatorOf), [
    undefined,
    'root',
    'root',
    'targets',
    'acme',
  ])
})

test('alarms at 50, 80, 95 % of a lifetime and at its end', () => {
  assert.deepEqual(
    [0, 49.9, 50, 79.9, 80, 94.9, 95, 100].map((used) => lifetimeAlarm(used, false)),
    ['none', 'none', 'notice', 'notice', 'warning', 'warning', 'critical', 'critical'],
  )
  assert.equal(lifetimeAlarm(0, true), 'expired')
})

test('the maximum blind time is the lifetime of the channel role', () => {
  const offline = ['root', 'targets', 'acme', 'acme.stable']
  const roles = offline.map((role) => ({ expiresAt: expiryOf(role, now) }))
  assert.equal(blindTimeMs(roles, now), lifetimes.channel.defaultMs)
  assert.equal(
    Math.min(
      ...(['root', 'targets', 'product', 'channel'] as const).map((kind) => lifetimes[kind].maxMs),
    ),
    90 * dayMs,
  )
  assert.equal(blindTimeMs(roles, new Date(now.getTime() + 61 * dayMs)), 0)
})
