import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compareVersions, parseVersion } from './versions.ts'

const compare = (a: string, b: string) =>
  Math.sign(compareVersions(parseVersion(a)!, parseVersion(b)!))

test('D6 fault: a release candidate is older than its release, and the tenth is newer than the ninth', () => {
  const ascending = [
    '0.9',
    '1.0.0-alpha',
    '1.0.0-alpha.1',
    '1.0.0-alpha.beta',
    '1.0.0-beta',
    '1.0.0-beta.2',
    '1.0.0-beta.11',
    '1.0.0-rc.1',
    '1.0.0-rc.9',
    '1.0.0-rc.10',
    '1.0.0',
    '1.0.0.1',
    '1.0.1',
    '1.10',
    '3815.2.1',
    '20261129101500',
    '20261129101500.1.2.3.4.5.6.7',
    '20261129101500.1.2.3.4.5.6.8',
    `${'9'.repeat(60)}.0`,
  ]
  for (const [i, a] of ascending.entries()) {
    for (const [j, b] of ascending.entries())
      assert.equal(compare(a, b), Math.sign(i - j), `${a} ${b}`)
  }
})

test('D6 what follows a plus, zeros in front and numbers that are missing say nothing', () => {
  for (const [a, b] of [
    ['1.0.0+nightly', '1.0.0'],
    ['1.0.0-rc.1+a', '1.0.0-rc.1+b'],
    ['1', '1.0.0'],
    ['01.002', '1.2'],
    ['1.0.0_custom', '1.0.0'],
  ] as const) {
    assert.equal(compare(a, b), 0, `${a} ${b}`)
  }
  for (const text of ['', 'developer', 'v1.0', '-1', '.1'])
    assert.equal(parseVersion(text), null, text)
})

test('D6 versions have one order (property)', () => {
  const part = fc.constantFrom('0', '1', '9', '10', '123456789012')
  const identifier = fc.constantFrom('rc', 'beta', '1', '2', '10', 'a-b')
  const version = fc
    .tuple(fc.array(part, { minLength: 1, maxLength: 4 }), fc.array(identifier, { maxLength: 3 }))
    .map(([numbers, ids]) => numbers.join('.') + (ids.length === 0 ? '' : `-${ids.join('.')}`))
  fc.assert(
    fc.property(version, version, version, (a, b, c) => {
      assert.equal(compare(a, b), -compare(b, a) + 0)
      if (compare(a, b) <= 0 && compare(b, c) <= 0) assert.ok(compare(a, c) <= 0)
    }),
  )
})
