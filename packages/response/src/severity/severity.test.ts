import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { VectorMetrics } from './index.ts'
import {
  cvss3Metrics,
  cvss4Metrics,
  rateVectors,
  ratingOf,
  scoreCvss3,
  scoreCvss4,
} from './index.ts'

/** Vectors of the examples that FIRST publishes with each version. */
const published4: readonly (readonly [vector: string, score: number])[] = [
  ['AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H', 10],
  ['AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N', 9.3],
  ['AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:N/VA:N/SC:N/SI:N/SA:N', 8.7],
  ['AV:L/AC:L/AT:P/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N', 7.3],
  ['AV:N/AC:L/AT:P/PR:N/UI:P/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N', 7.7],
  ['AV:N/AC:L/AT:P/PR:N/UI:P/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/E:U', 5.2],
  ['AV:N/AC:L/AT:P/PR:N/UI:N/VC:H/VI:L/VA:L/SC:N/SI:N/SA:N', 8.3],
  ['AV:L/AC:L/AT:N/PR:N/UI:A/VC:L/VI:N/VA:N/SC:N/SI:N/SA:N', 4.6],
  ['AV:N/AC:L/AT:N/PR:N/UI:A/VC:N/VI:N/VA:N/SC:L/SI:L/SA:N', 5.1],
  ['AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:L/SI:L/SA:N', 6.9],
  ['AV:A/AC:L/AT:N/PR:N/UI:N/VC:N/VI:L/VA:N/SC:H/SI:N/SA:H', 6.4],
  ['AV:P/AC:H/AT:P/PR:H/UI:A/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N', 0],
]
const published3: readonly (readonly [vector: string, score: number])[] = [
  ['AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N', 6.1],
  ['AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N', 6.4],
  ['AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N', 3.1],
  ['AV:N/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H', 9.9],
  ['AV:L/AC:L/PR:H/UI:N/S:U/C:L/I:L/A:L', 4.2],
  ['AV:N/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H', 8.8],
  ['AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N', 7.5],
  ['AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H', 9.8],
  ['AV:P/AC:H/PR:H/UI:R/S:U/C:N/I:N/A:N', 0],
]

test('R4 CVSS 4.0 scores the published examples as FIRST does', () => {
  for (const [vector, score] of published4) {
    assert.equal(scoreCvss4(`CVSS:4.0/${vector}`), score, vector)
  }
})

test('R4 CVSS 3.1 scores the published examples as FIRST does, in any order of the metrics', () => {
  for (const [vector, score] of published3) {
    assert.equal(scoreCvss3(`CVSS:3.1/${vector}`).base, score, vector)
    const turned = vector.split('/').toReversed().join('/')
    assert.equal(scoreCvss3(`CVSS:3.1/${turned}`).base, score, turned)
  }
  const { temporal, environmental } = scoreCvss3(
    'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:U/RL:O/RC:U/CR:L/IR:L/AR:L/MAV:P',
  )
  assert.deepEqual([temporal, environmental], [7.8, 4])
})

function vectorsOf(metrics: VectorMetrics): fc.Arbitrary<string> {
  const one = ([name, values]: [string, string]) =>
    fc.constantFrom(...values.split(' ')).map((value) => `${name}:${value}`)
  const must = fc.tuple(...Object.entries(metrics.mandatory).map(one))
  const may = fc.tuple(...Object.entries(metrics.optional).map((m) => fc.option(one(m))))
  return fc
    .tuple(must, may)
    .map(([a, b]) => [metrics.prefix, ...a, ...b.filter((m) => m !== null)].join('/'))
}

test('R4 every vector has a score from 0 to 10 with one decimal, and no metric that says more harm lowers it (property)', () => {
  const isScore = (score: number) =>
    score >= 0 && score <= 10 && Math.abs(score * 10 - Math.round(score * 10)) < 1e-9
  fc.assert(
    fc.property(vectorsOf(cvss4Metrics), vectorsOf(cvss3Metrics), (four, three) => {
      assert.ok(isScore(scoreCvss4(four)), four)
      for (const score of Object.values(scoreCvss3(three) as object)) assert.ok(isScore(score))
      for (const name of ['VC', 'VI', 'VA']) {
        const worse = four.replace(new RegExp(`/${name}:[HLN]`), `/${name}:H`)
        assert.ok(scoreCvss4(worse) >= scoreCvss4(four), `${worse} against ${four}`)
      }
    }),
    { numRuns: 400 },
  )
})

test('R4 attack: what is not exactly a vector is refused by name', () => {
  const good = 'CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H'
  const malformed = [
    good.replace('4.0', '4.1'),
    good.replace('/SA:H', ''),
    good.replace('SA:H', 'SA:S'),
    `${good}/SA:H`,
    `${good}/`,
    `${good}/E:A:X`,
    `${good}/__proto__:X`,
    `${good}/CR:H/E:A`,
    good.toLowerCase(),
    ` ${good}`,
    `${good}/${'E:A/'.repeat(100)}`,
  ]
  for (const vector of malformed) {
    assert.throws(() => scoreCvss4(vector), { code: 'vector_malformed' }, vector)
  }
  assert.throws(() => scoreCvss3(good), { code: 'vector_malformed' })
})

test('R4 scores have the words of the specification', () => {
  const words = [0, 0.1, 3.9, 4, 6.9, 7, 8.9, 9, 10].map(ratingOf)
  assert.deepEqual(words, [
    ...['none', 'low', 'low', 'medium', 'medium', 'high', 'high', 'critical', 'critical'],
  ])
})

test('R4 the worst of several vectors counts, and one that cannot be read is not taken for harmless', () => {
  const low = 'CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N'
  const high = 'CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:N/VA:N/SC:N/SI:N/SA:N'
  assert.equal(rateVectors([low, high]), 'high')
  assert.equal(rateVectors([low.replace('3.1', '3.0')]), 'low')
  assert.equal(rateVectors([low, 'CVSS:9.0/AV:N', 'CVSS:3.1/']), 'low')
  assert.equal(rateVectors(['CVSS:2.0/AV:N', '']), undefined)
  assert.equal(rateVectors([]), undefined)
})
