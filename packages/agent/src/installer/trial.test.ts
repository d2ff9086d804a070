import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { utf8Encode } from '@seaworthy/std/bytes'
import { Refusal } from '@seaworthy/std/refusal'
import { parseBundleManifest } from '@seaworthy/oci/bundle/manifest'
import type { Observation } from './trial.ts'
import { observe, probeIntervalMs, startTrial } from './trial.ts'

const good: Observation = { kind: 'probe', isHealthy: true }
const bad: Observation = { kind: 'probe', isHealthy: false }
const exit: Observation = { kind: 'exit' }

/** `[second, what was seen]` against a window of ten seconds. */
function judge(...seen: [number, Observation][]): string {
  let trial = startTrial(0, 10_000)
  for (const [second, observation] of seen) {
    const result = observe(trial, second * 1000, observation)
    if (result.verdict.state === 'failed') return result.verdict.code
    if (result.verdict.state === 'healthy') return `healthy at ${second}`
    trial = result.trial
  }
  return 'pending'
}

for (const [name, seen, expected] of [
  [
    'healthy throughout',
    [
      [1, good],
      [5, good],
      [10, good],
    ],
    'healthy at 10',
  ],
  [
    'healthy, but the window is not over',
    [
      [1, good],
      [9, good],
    ],
    'pending',
  ],
  [
    'never healthy',
    [
      [1, bad],
      [9, bad],
      [10, bad],
    ],
    'health_failed',
  ],
  [
    'slow to start, then healthy for half a window',
    [
      [8, good],
      [10, good],
      [12, good],
      [13, good],
    ],
    'healthy at 13',
  ],
  [
    'one failed probe between good ones',
    [
      [1, good],
      [5, bad],
      [6, good],
      [10, good],
    ],
    'healthy at 10',
  ],
  [
    'three failed probes in a row',
    [
      [1, good],
      [5, bad],
      [6, bad],
      [7, bad],
    ],
    'health_failed',
  ],
  [
    'the window ends on a failed probe',
    [
      [1, good],
      [10, bad],
      [11, good],
    ],
    'healthy at 11',
  ],
  [
    'three exits',
    [
      [1, exit],
      [2, exit],
      [3, exit],
    ],
    'crash_loop',
  ],
  [
    'an exit starts the healthy time over',
    [
      [1, good],
      [8, exit],
      [9, good],
      [10, good],
      [13, good],
      [14, good],
    ],
    'healthy at 14',
  ],
  [
    'dead until the window is over',
    [
      [1, exit],
      [10, { kind: 'time' }],
    ],
    'health_failed',
  ],
] as [string, [number, Observation][], string][]) {
  test(`verdict: ${name}`, () => {
    assert.equal(judge(...seen), expected)
  })
}

test('probes come often at first, then between 0.2 and 10 s', () => {
  const fresh = startTrial(0, 120_000)
  assert.equal(probeIntervalMs(fresh), 250)
  assert.equal(probeIntervalMs(observe(fresh, 1, good).trial), 6000)
  assert.equal(probeIntervalMs(observe(startTrial(0, 1000), 1, good).trial), 200)
})

const parse = (value: unknown, environment = {}) =>
  parseBundleManifest(
    utf8Encode(typeof value === 'string' ? value : JSON.stringify(value)),
    environment,
  )

test('manifest: defaults are two minutes and twenty seconds', () => {
  assert.deepEqual(parse({ start: ['./app'] }), {
    start: ['./app'],
    health: { kind: 'alive' },
    windowSeconds: 120,
    stopSeconds: 20,
    onChange: 'restart',
    defaults: new Map(),
  })
})

test('V8 manifest: defaults of variables are texts by names that a fleet could set', () => {
  const withDefaults = (defaults: unknown) => parse({ start: ['./app'], variables: { defaults } })
  const { defaults, onChange } = withDefaults({ COLOUR: 'red', EMPTY: '' })
  assert.deepEqual(
    [...defaults],
    [
      ['COLOUR', 'red'],
      ['EMPTY', ''],
    ],
  )
  assert.equal(onChange, 'restart')
  const many = Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`N${i}`, '']))
  for (const wrong of [
    [],
    'COLOUR',
    null,
    many,
    { colour: 'red' },
    { '../COLOUR': 'red' },
    { LD_PRELOAD: 1 },
    { COLOUR: 'x'.repeat(4097) },
    { COLOUR: '\ud800' },
  ]) {
    assert.throws(() => withDefaults(wrong), { code: 'bundle_manifest_malformed' })
  }
})

test('manifest: names are replaced from the configuration, in start and health', () => {
  const manifest = parse(
    { start: ['./app', '--port=${PORT}'], health: { http: 'http://127.0.0.1:${PORT}/health' } },
    { PORT: '8080' },
  )
  assert.deepEqual(manifest.start, ['./app', '--port=8080'])
  assert.deepEqual(manifest.health, { kind: 'http', url: 'http://127.0.0.1:8080/health' })
})

test('manifest: what this device cannot do is refused, never ignored', () => {
  for (const [value, code] of [
    [{ start: ['./app', '${PORT}'] }, 'environment_missing'],
    [{ start: ['./app', '${constructor}'] }, 'environment_missing'],
    [{ start: [] }, 'bundle_manifest_malformed'],
    [{ start: ['A=b'] }, 'bundle_manifest_malformed'],
    [{ start: ['./app'], extra: 1 }, 'bundle_manifest_malformed'],
    [{ start: ['./app'], sandbox: { network: false } }, 'bundle_manifest_malformed'],
    [{ start: ['./app'], health: { http: 'file:///etc/passwd' } }, 'bundle_manifest_malformed'],
    [{ start: ['./app'], health: { http: 'http://x/', exec: ['y'] } }, 'bundle_manifest_malformed'],
    [{ start: ['./app'], health: { windowSeconds: 0 } }, 'bundle_manifest_malformed'],
    [{ start: ['./app'], stopSeconds: '20' }, 'bundle_manifest_malformed'],
    [{ start: ['./app'], variables: { onChange: 'kill' } }, 'bundle_manifest_malformed'],
    ['{', 'bundle_manifest_malformed'],
  ] as const) {
    assert.throws(
      () => parse(value),
      (error) => error instanceof Refusal && error.code === code,
      JSON.stringify(value),
    )
  }
})

test('manifest: any bytes give a manifest or a coded refusal', () => {
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array(), fc.json().map(utf8Encode)), (bytes) => {
      try {
        parseBundleManifest(bytes, {})
      } catch (error) {
        assert.ok(error instanceof Refusal)
      }
    }),
    { numRuns: 2000 },
  )
})
