import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tagsOf } from './release-tag-rules.ts'

const release = (channel: string, version: string, content: string, product = 'acme') => ({
  ...{ product, channel, version },
  sha256: content.repeat(64),
})
const signed = (...releases: ReturnType<typeof release>[]) =>
  Map.groupBy(releases, ({ product, channel }) => `${product}/${channel}`)
const digest = (content: string) => `sha256:${content.repeat(64)}`

test('B10 a signed release is a tag by its version, and the newest of a channel by its name', () => {
  const releases = signed(
    release('stable', '1.0', 'a'),
    release('beta', '1.0', 'a'),
    release('beta', '2.0', 'b'),
    release('beta', '3.0', 'c', 'other'),
  )
  const newest = { stable: 'a', beta: 'b' } as Record<string, string>
  const tags = tagsOf('acme', releases, (channel) => ({ sha256: newest[channel]!.repeat(64) }))
  assert.deepEqual(
    [...tags],
    [
      ['1.0', digest('a')],
      ['2.0', digest('b')],
      ['beta', digest('b')],
      ['stable', digest('a')],
    ],
  )
})

test('B10 T11 attack: whoever signs for one channel takes neither the name nor a version of another one', () => {
  const releases = signed(
    release('stable', '1.0', 'a'),
    release('beta', '1.0', 'b'),
    release('beta', 'stable', 'd'),
    release('beta', 'gone', 'e'),
    release('gone', '0.9', 'f'),
  )
  const newest = (channel: string) =>
    channel === 'stable' ? { sha256: 'a'.repeat(64) } : undefined
  const tags = tagsOf('acme', releases, newest)
  assert.equal(tags.get('stable'), digest('a'), 'no release of beta is called stable')
  assert.equal(tags.get('1.0'), null, 'a name for two contents means neither')
  assert.equal(tags.get('gone'), null, 'a channel that has nothing to offer keeps its name')
  assert.equal(tags.get('0.9'), digest('f'))
})

test('B10 a version that cannot be a tag is none', () => {
  const releases = signed(release('beta', '2.0+x', 'c'))
  assert.deepEqual([...tagsOf('acme', releases, () => undefined)], [['beta', null]])
})
