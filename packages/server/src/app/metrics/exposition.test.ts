import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { chooseFormat, formatSnapshot, keepTotals, mergeSnapshots } from './exposition.ts'
import { createMeter } from './meter.ts'
import type { Snapshot } from './meter.ts'

function makeSnapshot(): Snapshot {
  const meter = createMeter()
  const drinks = meter.counter({ name: 'drinks_total', help: 'Drinks.', labels: ['kind'] })
  drinks.add(2, 'tea')
  drinks.add(1, 'a "b"\\\n')
  const seconds = meter.histogram({ name: 'brew_seconds', help: 'Brewing.', limits: [0.5, 1] })
  for (const value of [0.5, 0.75, 3]) seconds.observe(value)
  meter.gauge({ name: 'pots', help: 'Back\\slash\nand line.', merge: 'max' }, () => [{ value: 7 }])
  meter.gauge({ name: 'absent', help: 'Not known.', merge: 'max' }, () => [])
  return meter.snapshot()
}

test('O5 the text format: cumulative buckets, escaped labels, no value of what is not known', () => {
  assert.equal(
    formatSnapshot(makeSnapshot(), 'text'),
    [
      '# HELP absent Not known.',
      '# TYPE absent gauge',
      '# HELP brew_seconds Brewing.',
      '# TYPE brew_seconds histogram',
      'brew_seconds_bucket{le="0.5"} 1',
      'brew_seconds_bucket{le="1"} 2',
      'brew_seconds_bucket{le="+Inf"} 3',
      'brew_seconds_sum 4.25',
      'brew_seconds_count 3',
      '# HELP drinks_total Drinks.',
      '# TYPE drinks_total counter',
      'drinks_total{kind="tea"} 2',
      'drinks_total{kind="a \\"b\\"\\\\\\n"} 1',
      '# HELP pots Back\\\\slash\\nand line.',
      '# TYPE pots gauge',
      'pots 7',
      '',
    ].join('\n'),
  )
})

test('O5 OpenMetrics names counters without their ending and says where the text ends', () => {
  const text = formatSnapshot(makeSnapshot(), 'openmetrics')
  assert.match(text, /^# TYPE drinks counter$/m)
  assert.match(text, /^drinks_total\{kind="tea"\} 2$/m)
  assert.ok(text.endsWith('pots 7\n# EOF\n'))
  assert.equal(chooseFormat('application/openmetrics-text;version=1.0.0;q=0.8'), 'openmetrics')
  assert.equal(chooseFormat('application/openmetrics-text;version=0.0.1, text/plain'), 'text')
  assert.equal(chooseFormat(undefined), 'text')
})

test('O5 several processes as one: work adds up, states take the largest; only totals are kept', () => {
  const one = JSON.parse(JSON.stringify(makeSnapshot())) as Snapshot
  const merged = mergeSnapshots([one, makeSnapshot(), []])
  const text = formatSnapshot(merged, 'text')
  for (const line of ['drinks_total{kind="tea"} 4', 'brew_seconds_count 6', 'pots 7']) {
    assert.ok(text.includes(`${line}\n`), line)
  }
  assert.ok(!formatSnapshot(keepTotals(merged), 'text').includes('pots'))
})

test('O5 no merging loses or invents: any split of observations gives the same text', () => {
  const observation = fc.record({ value: fc.integer({ min: 0, max: 20 }), worker: fc.nat(3) })
  fc.assert(
    fc.property(fc.array(observation), (observations) => {
      const count = (isMine: (worker: number) => boolean) => {
        const meter = createMeter()
        const histogram = meter.histogram({ name: 'a', help: 'a', limits: [1, 5, 10] })
        const mine = observations.filter(({ worker }) => isMine(worker))
        for (const { value } of mine) histogram.observe(value)
        return meter.snapshot()
      }
      const split = [0, 1, 2, 3].map((i) => count((worker) => worker === i))
      const whole = formatSnapshot(
        count(() => true),
        'text',
      )
      assert.equal(formatSnapshot(mergeSnapshots(split), 'text'), whole)
    }),
  )
})

test('O5 a family cannot grow without bound: what is too much counts as other', () => {
  const meter = createMeter()
  const counter = meter.counter({ name: 'a_total', help: 'a', labels: ['x'] })
  for (let i = 0; i < 5000; i++) counter.add(1, String(i))
  const [family] = meter.snapshot()
  assert.equal(family!.series.length, 2001)
  const others = family!.series.find(({ labels }) => labels[0] === 'other')
  assert.equal(others!.value, 3000)
})
