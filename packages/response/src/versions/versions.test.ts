import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { compareBytes } from '@seaworthy/std/bytes'
import { lacks } from '@seaworthy/std/testing/programs'
import fc from 'fast-check'
import type { VersionOrder } from './index.ts'
import { versionKey } from './index.ts'

function compare(order: VersionOrder, a: string, b: string): '<' | '=' | '>' {
  const [one, other] = [versionKey(order, a), versionKey(order, b)]
  assert.ok(one !== undefined && other !== undefined, `${a}, ${b}`)
  const place = compareBytes(one, other)
  if (place === 0) return '='
  return place < 0 ? '<' : '>'
}

const vectors: Readonly<Record<VersionOrder, readonly string[]>> = {
  semver: [
    ...[
      '1.0.0-alpha < 1.0.0-alpha.1',
      '1.0.0-alpha.1 < 1.0.0-alpha.beta',
      '1.0.0-beta < 1.0.0-beta.2',
    ],
    ...[
      '1.0.0-beta.2 < 1.0.0-beta.11',
      '1.0.0-rc.1 < 1.0.0',
      '1.0.0+build = 1.0.0',
      'v1.2 = 1.2.0',
    ],
    ...[
      '1.9.0 < 1.10.0',
      '0.0.0-20190101000000-abcdefabcdef < 0.0.1',
      '2.0.0+incompatible = 2.0.0',
    ],
  ],
  python: [
    ...['1.0.dev0 < 1.0a0', '1.0a0 < 1.0b1', '1.0b1 < 1.0rc1', '1.0rc1 < 1.0', '1.0 = 1.0.0'],
    ...[
      '1.0 < 1.0+local',
      '1.0+a < 1.0+1',
      '1.0.post1 > 1.0',
      '2019.10 > 2019.9',
      '1!0.1 > 2020.1',
    ],
    ...[
      '1.0.post1.dev1 < 1.0.post1',
      '1.0-1 = 1.0.post1',
      'not-a-version < 0.0.1',
      '1.0c1 = 1.0rc1',
    ],
  ],
  debian: [
    ...['1.2.3-1~deb7u1 < 1.2.3-1', '2:9.0.0 > 8.3.2', '1.0-1+deb12u1 > 1.0-1', '1.0 = 1.0-0'],
    ...['1.0~rc1 < 1.0', '1.0a < 1.0+b', '1.01 = 1.1', '1.0-1+b1 > 1.0-1', '1.0+dfsg-1 > 1.0-1'],
  ],
  rpm: [
    ...['1.0~rc1 < 1.0', '1.0^git1 > 1.0', '1.0^git1 < 1.0.1', '1:1.0 > 9.9', '2.0.1a > 2.0.1'],
    ...['5.5p1 < 5.5p10', '1.0a < 1.0.1', '1.0-8.el8_2 < 1.0-8.el8_10', '1.0.0 = 1_0_0'],
  ],
  alpine: [
    ...[
      '1.2_alpha < 1.2_beta',
      '1.2_beta < 1.2_pre',
      '1.2_pre < 1.2_rc1',
      '1.2_rc1 < 1.2',
      '1.2 < 1.2_p1',
    ],
    ...[
      '1.2_cvs < 1.2_svn',
      '1.2-r1 < 1.2-r10',
      '1.2 < 1.2a',
      '1.2a < 1.2b',
      '1.2 < 1.2.0',
      '1.01 < 1.1',
    ],
  ],
  maven: [
    ...[
      '1.0 = 1',
      '1.0-alpha < 1.0-beta',
      '1.0-alpha < 1.0-sp',
      '1.0-rc1 = 1.0-cr1',
      '1.0-snapshot < 1.0',
    ],
    ...[
      '1.0 = 1.0-final',
      '1.0-sp < 1.0-xyz',
      '1.0-xyz < 1.0-1',
      '1.0-1 < 1.0.1',
      '1.0.0.CR1 < 1.0.0.Final',
    ],
    ...['1-a1 = 1-alpha-1', '2.0.1.xyz < 2.0.1-123'],
  ],
}

for (const [order, lines] of Object.entries(vectors)) {
  test(`R13 the order of ${order}: the cases that matchers of others get wrong`, () => {
    for (const line of lines) {
      const [a, sign, b] = line.split(' ')
      assert.equal(compare(order as VersionOrder, a!, b!), sign, line)
      const turned = sign === '<' ? '>' : sign === '>' ? '<' : '='
      assert.equal(compare(order as VersionOrder, b!, a!), turned, line)
    }
  })
}

test('R13 a version that has no place in an order has no key', () => {
  for (const version of ['', 'latest', '1.2.3.4', 'a.b']) {
    assert.equal(versionKey('semver', version), undefined, version)
  }
  for (const version of ['', 'latest', '1.2-r-1', '1.2_final']) {
    assert.equal(versionKey('alpine', version), undefined, version)
  }
  assert.equal(versionKey('debian', '1'.repeat(1000)), undefined)
})

test('R13 the order of debian is that of dpkg (property)', { skip: lacks('dpkg') }, () => {
  const part = fc
    .string({ unit: fc.constantFrom(...'0019aZ~+.-'.split('')), minLength: 1, maxLength: 8 })
    .filter((text) => !text.endsWith('-'))
  const version = fc
    .tuple(fc.constantFrom('', '0:', '1:'), part, fc.constantFrom('', '-0', '-1~a', '-1+b1'))
    .map(([epoch, upstream, revision]) => `${epoch}1${upstream}${revision}`)
  const pairs = fc.sample(fc.tuple(version, version), 150)
  // One process for all of them; each pair is answered by two words.
  const script = pairs
    .flatMap(([a, b]) =>
      ['lt', 'gt'].map(
        (sign) => `dpkg --compare-versions '${a}' ${sign} '${b}' && echo y || echo n`,
      ),
    )
    .join('\n')
  const said = execFileSync('sh', ['-c', script], { encoding: 'utf8' }).trim().split('\n')
  const signOf = (i: number) => (said[2 * i] === 'y' ? '<' : said[2 * i + 1] === 'y' ? '>' : '=')
  assert.equal(said.length, 2 * pairs.length)
  assert.deepEqual(
    pairs.map(([a, b]) => `${a} ${compare('debian', a, b)} ${b}`),
    pairs.map(([a, b], i) => `${a} ${signOf(i)} ${b}`),
  )
})

test('R13 whatever a version is, its key can be compared (property)', () => {
  const text = fc.oneof(
    fc.string({ maxLength: 30 }),
    fc.string({ unit: fc.constantFrom(...'0123456789abrcv.-_~^+!:'.split('')), maxLength: 20 }),
  )
  fc.assert(
    fc.property(fc.constantFrom(...Object.keys(vectors)), text, (order, version) => {
      const key = versionKey(order as VersionOrder, version)
      if (key !== undefined) assert.ok(key.length < 4000)
    }),
  )
})
