import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { DeviceState, StoredRelease, UnfinishedUpdate } from '../state/device-state.ts'
import { emptyState } from '../state/device-state.ts'
import type { Facts, InstallStep } from './release-plan.ts'
import { planStep } from './release-plan.ts'
import { beginUndo, commitRelease, countStart, finishUndo, forgetMissing } from './transitions.ts'

const release = (n: number, floor = 1): StoredRelease => ({
  targetPath: `gauge/stable/${n}`,
  version: String(n),
  sha256: String(n).repeat(64),
  counter: n,
  floor,
})
const [one, two, three] = [release(1), release(2), release(3)]
const sha = (...releases: StoredRelease[]) => releases.map(({ sha256 }) => sha256)

const state = (edit: Partial<DeviceState>): DeviceState => ({ ...emptyState, ...edit })
const trial = (starts = 1): UnfinishedUpdate => ({ phase: 'trial', release: two, starts })
const facts = (edit: Partial<Facts>): Facts => ({
  current: undefined,
  previous: undefined,
  stored: [],
  running: [],
  verdict: { state: 'pending' },
  ...edit,
})

const settled = state({ committed: one, committedCounter: 1 })
const onTrial = state({ committed: one, committedCounter: 1, update: trial() })
const undoing = state({
  committed: one,
  committedCounter: 1,
  update: { phase: 'undo', release: two, starts: 1, code: 'health_failed' },
})
const both = sha(one, two)
const atOne = { current: one.sha256, stored: both }
const atTwo = { current: two.sha256, previous: one.sha256, stored: both }

const table: [string, DeviceState, Facts, InstallStep][] = [
  ['nothing is installed', emptyState, facts({}), { do: 'rest' }],
  [
    'all is well',
    settled,
    facts({ current: one.sha256, stored: sha(one), running: sha(one) }),
    { do: 'rest' },
  ],
  [
    'after boot the application is started',
    settled,
    facts({ current: one.sha256, stored: sha(one) }),
    { do: 'start', release: one, isTrial: false },
  ],
  [
    'a lost link is put back',
    settled,
    facts({ stored: sha(one), running: sha(one) }),
    { do: 'point', current: one, previous: null },
  ],
  [
    'a release that was staged and never tried is removed',
    settled,
    facts({ ...atOne, running: sha(one) }),
    { do: 'remove', sha256: two.sha256 },
  ],
  [
    'a release that is ready and waits for leave stays',
    state({ ...settled, staged: two }),
    facts({ ...atOne, running: sha(one) }),
    { do: 'rest' },
  ],
  [
    'the committed release is gone',
    settled,
    facts({ stored: sha(two) }),
    { do: 'report-missing', release: one },
  ],
  [
    'trial: the old application is stopped first',
    onTrial,
    facts({ ...atOne, running: sha(one) }),
    { do: 'stop', sha256: one.sha256 },
  ],
  [
    'trial: then the links change',
    onTrial,
    facts(atOne),
    { do: 'point', current: two, previous: one },
  ],
  [
    'trial: then it is started',
    onTrial,
    facts(atTwo),
    { do: 'start', release: two, isTrial: true },
  ],
  [
    'trial: then it is watched',
    onTrial,
    facts({ ...atTwo, running: sha(two) }),
    { do: 'watch', release: two },
  ],
  [
    'trial: healthy',
    onTrial,
    facts({ ...atTwo, running: sha(two), verdict: { state: 'healthy' } }),
    { do: 'commit', release: two },
  ],
  [
    'trial: failed',
    onTrial,
    facts({ ...atTwo, running: sha(two), verdict: { state: 'failed', code: 'crash_loop' } }),
    { do: 'begin-undo', release: two, code: 'crash_loop' },
  ],
  [
    'trial: agent restarted, the application lives',
    state({ ...onTrial, update: trial(3) }),
    facts({ ...atTwo, running: sha(two) }),
    { do: 'watch', release: two },
  ],
  [
    'trial: cut short too often',
    state({ ...onTrial, update: trial(3) }),
    facts(atTwo),
    {
      do: 'begin-undo',
      release: two,
      code: 'interrupted',
      reason: 'started 3 times without a verdict',
    },
  ],
  [
    'trial: the release vanished',
    onTrial,
    facts({ current: one.sha256, stored: sha(one) }),
    {
      do: 'begin-undo',
      release: two,
      code: 'release_missing',
      reason: 'its files are no longer on the disk',
    },
  ],
  [
    'trial: the first release of all has no previous',
    state({ update: trial() }),
    facts({ stored: sha(two) }),
    { do: 'point', current: two, previous: null },
  ],
  [
    'undo: the failed application is stopped',
    undoing,
    facts({ ...atTwo, running: sha(two) }),
    { do: 'stop', sha256: two.sha256 },
  ],
  ['undo: the links go back', undoing, facts(atTwo), { do: 'point', current: one, previous: null }],
  [
    'undo: the committed application is started',
    undoing,
    facts(atOne),
    { do: 'start', release: one, isTrial: false },
  ],
  [
    'undo: done',
    undoing,
    facts({ ...atOne, running: sha(one) }),
    { do: 'finish-undo', release: two, code: 'health_failed' },
  ],
  [
    'undo: without a committed release nothing is current',
    state({ update: { ...trial(), phase: 'undo', code: 'x' } }),
    facts({ current: two.sha256, stored: sha(two) }),
    { do: 'point', current: null, previous: null },
  ],
]

for (const [name, given, seen, expected] of table) {
  test(`plan: ${name}`, () => {
    assert.deepEqual(planStep(given, seen), expected)
  })
}

/** What the executor does to the facts, in one line each. */
function apply(
  step: InstallStep,
  given: DeviceState,
  seen: Facts,
): { given: DeviceState; seen: Facts } {
  switch (step.do) {
    case 'point':
      return {
        given,
        seen: { ...seen, current: step.current?.sha256, previous: step.previous?.sha256 },
      }
    case 'stop':
      return {
        given,
        seen: { ...seen, running: seen.running.filter((sha256) => sha256 !== step.sha256) },
      }
    case 'start':
      return {
        given: step.isTrial ? countStart(given) : given,
        seen: { ...seen, running: [...seen.running, step.release.sha256] },
      }
    case 'watch':
      return { given, seen: { ...seen, verdict: { state: 'healthy' } } }
    case 'commit':
      return { given: commitRelease(given, step.release), seen }
    case 'begin-undo':
      return { given: beginUndo(given, step.code, {}), seen }
    case 'finish-undo':
      return { given: finishUndo(given, step.release, step.code), seen }
    case 'remove':
      return {
        given,
        seen: { ...seen, stored: seen.stored.filter((sha256) => sha256 !== step.sha256) },
      }
    case 'report-missing':
      return { given: forgetMissing(given, step.release), seen }
    case 'rest':
      return { given, seen }
  }
}

const releases = fc.constantFrom(one, two, three)
const maybe = fc.option(releases, { nil: null })
const anyState = fc
  .record({
    committed: maybe,
    fallback: maybe,
    trial: maybe,
    phase: fc.constantFrom('trial', 'undo'),
    starts: fc.nat(4),
  })
  .map(({ committed, fallback, trial: tried, phase, starts }): DeviceState =>
    state({
      committed,
      committedCounter: committed?.counter ?? 0,
      fallback: fallback?.sha256 === committed?.sha256 ? null : fallback,
      update:
        tried === null || tried.sha256 === committed?.sha256
          ? null
          : { phase: phase as 'trial', release: tried, starts },
    }),
  )
const anyFacts = fc.record({
  current: fc.option(fc.constantFrom(...sha(one, two, three)), { nil: undefined }),
  previous: fc.option(fc.constantFrom(...sha(one, two, three)), { nil: undefined }),
  stored: fc.subarray(sha(one, two, three)),
  running: fc.subarray(sha(one, two, three)),
  verdict: fc.constantFrom<Facts['verdict']>(
    { state: 'pending' },
    { state: 'healthy' },
    { state: 'failed', code: 'health_failed' },
  ),
})

test('plan: from any state of disk and processes the device comes to rest, whole, and its counter never falls', () => {
  fc.assert(
    fc.property(anyState, anyFacts, (startState, startFacts) => {
      let given = startState
      let seen: Facts = startFacts
      for (let steps = 0; ; steps++) {
        assert.ok(steps < 20, 'does not come to rest')
        const step = planStep(given, seen)
        if (step.do === 'rest') break
        const before = given.committedCounter
        ;({ given, seen } = apply(step, given, seen))
        assert.ok(given.committedCounter >= before)
      }
      assert.equal(given.update, null)
      assert.equal(seen.current, given.committed?.sha256)
      assert.deepEqual(seen.running, given.committed === null ? [] : [given.committed.sha256])
      assert.ok(given.committed === null || seen.stored.includes(given.committed.sha256))
    }),
    { numRuns: 2000 },
  )
})

test('commit: a fallback below the new floor is forgotten, one above it is kept', () => {
  const before = state({ committed: one, committedCounter: 1 })
  assert.equal(commitRelease(before, release(2, 2)).fallback, null)
  assert.deepEqual(commitRelease(before, release(2, 1)).fallback, one)
  const raised = commitRelease(before, release(2, 2))
  assert.deepEqual([raised.floor, raised.committedCounter, raised.committed?.counter], [2, 2, 2])
})
