import assert from 'node:assert/strict'
import { test } from 'node:test'
import { matchDelegations, matchesPattern } from './delegations.ts'

test('patterns are those of fnmatch, segment by segment', () => {
  for (const [path, pattern, expected] of [
    ['acme/stable/1.0', 'acme/stable/*', true],
    ['acme/stable/a/b', 'acme/stable/*', false],
    ['acme/stable', 'acme/stable/*', false],
    ['acme/stable/', 'acme/stable/*', true],
    ['foo.tgz', '*.tgz', true],
    ['foo.txt', '*.tgz', false],
    ['targets/a.tgz', 'targets/*.tgz', true],
    ['foo-version-a.tgz', 'foo-version-?.tgz', true],
    ['foo-version-ab.tgz', 'foo-version-?.tgz', false],
    ['b', '[abc]', true],
    ['d', '[!abc]', true],
    ['b', '[!abc]', false],
    ['m', '[a-z]', true],
    [']', '[]]', true],
    ['[', '[', true],
    ['-', '[a-]', true],
    ['.hidden', '*', true],
    ['!a', '!a', true],
    ['b', '!a', false],
    ['a', '{a,b}', false],
    ['{a,b}', '{a,b}', true],
    ['aa', '+(a)', false],
    ['#x', '#x', true],
    ['A', 'a', false],
    ['', '*', true],
    ['', '', true],
    ['\u{1F600}', '?', true],
    ['aXbXc', '*X*X*', true],
    ['abc', 'a*d', false],
  ] as const) {
    assert.equal(matchesPattern(path, pattern), expected, `${path} ~ ${pattern}`)
  }
})

test('a hostile pattern takes no exponential time', () => {
  const before = process.threadCpuUsage()
  assert.ok(!matchesPattern('a'.repeat(5000), `${'*a'.repeat(500)}b`))
  // Some milliseconds, whatever else the machine does meanwhile.
  assert.ok(process.threadCpuUsage(before).user < 2_000_000)
})

test('TAP 15: the bin is the first bits of the hash of the path', async () => {
  const bins = (bitLength: number) => ({
    keys: {},
    succinct_roles: { keyids: ['k'], threshold: 1, bit_length: bitLength, name_prefix: 'bin' },
  })
  // sha256('a.txt') = 0eb... : computed here to pick the same bits by other means.
  const hash = new Uint8Array(
    await crypto.subtle.digest('SHA-256', new TextEncoder().encode('a.txt')),
  )
  const bits = [...hash].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  for (const bitLength of [1, 3, 4, 8, 16, 31, 32]) {
    const [match] = await matchDelegations(bins(bitLength), 'a.txt')
    const bin = Number.parseInt(bits.slice(0, bitLength), 2).toString(16)
    const width = (2 ** bitLength - 1).toString(16).length
    assert.equal(match?.name, `bin-${bin.padStart(width, '0')}`)
  }
})

test('delegations apply in order, by path or hash prefix, and stop at a terminating one', async () => {
  const role = { keyids: ['k'], threshold: 1, terminating: false }
  const hash = new Uint8Array(
    await crypto.subtle.digest('SHA-256', new TextEncoder().encode('a/b')),
  ).toHex()
  const names = async (roles: Parameters<typeof matchDelegations>[0]) =>
    (await matchDelegations(roles, 'a/b')).map(({ name }) => name)
  assert.deepEqual(
    await names({
      keys: {},
      roles: [
        { ...role, name: '2', paths: ['a/*'] },
        { ...role, name: '1', path_hash_prefixes: [hash.slice(0, 3)] },
        { ...role, name: 'no', path_hash_prefixes: [`${hash.slice(0, 3)}x`] },
        { ...role, name: 'end', paths: ['x', '*/b'], terminating: true },
        { ...role, name: 'never', paths: ['a/*'] },
      ],
    }),
    ['2', '1', 'end'],
  )
  assert.deepEqual(await names(undefined), [])
})
