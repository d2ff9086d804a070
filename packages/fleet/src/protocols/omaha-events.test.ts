import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { OmahaEvent, OmahaStatement } from './omaha-events.ts'
import { readStatement } from './omaha-events.ts'
import type { ForeignReport, ReportedUpdate, RunningRelease } from './report.ts'
import { changeReport } from './report.ts'

const release = (version: string, counter: number): RunningRelease => ({
  product: 'os',
  version,
  sha256: String(counter).padStart(64, '0'),
  counter,
})
const [one, two] = [release('1.0.0', 1), release('2.0.0', 2)] as const
const releases = [one, two]
type State = ReportedUpdate['state']

const offered = (state: State, running: RunningRelease | null = one): ForeignReport => ({
  running,
  committedCounter: running?.counter ?? 0,
  floor: 0,
  update: { state, targetPath: 'os/stable/2.0.0', sha256: two.sha256 },
  bootId: 'a',
})
const event = (type: number, result: number, more: Partial<OmahaEvent> = {}): OmahaEvent => ({
  type,
  result,
  errorCode: 0,
  previousVersion: null,
  ...more,
})
const says = (events: OmahaEvent[], changes: Partial<OmahaStatement> = {}): OmahaStatement => ({
  version: '1.0.0',
  bootId: 'a',
  events,
  ...changes,
})

test('D6 each event from each state: forward, never back; an end stays until the next offer', () => {
  const table: [State, OmahaEvent, State | null][] = [
    ['idle', event(13, 1), 'downloading'],
    ['idle', event(14, 1), 'installing'],
    ['idle', event(3, 1), 'restarting'],
    ['downloading', event(13, 1), null],
    ['installing', event(13, 1), null],
    ['restarting', event(14, 1), null],
    ['downloading', event(3, 0, { errorCode: 9 }), 'failed'],
    ['restarting', event(3, 0, { errorCode: 9 }), 'failed'],
    ['restarting', event(3, 0, { errorCode: 44 }), 'rolled_back'],
    ['committed', event(3, 0, { errorCode: 44 }), 'rolled_back'],
    ['failed', event(3, 0, { errorCode: 9 }), null],
    ['failed', event(13, 1), null],
    ['committed', event(3, 1), null],
    ['downloading', event(3, 9, { errorCode: 36 }), 'idle'],
    ['restarting', event(3, 2), null],
    ['restarting', event(3, 2, { previousVersion: '0.5.0' }), null],
    ['restarting', event(3, 2, { previousVersion: '1.0.0' }), 'rolled_back'],
    ['idle', event(3, 2, { previousVersion: '1.0.0' }), null],
    ['idle', event(800, 1), null],
    ['idle', event(-1, -1), null],
  ]
  for (const [state, said, expected] of table) {
    const change = readStatement(offered(state), says([said]), releases)
    assert.equal(change?.update.state ?? null, expected, `${state} ${said.type}/${said.result}`)
  }
})

test('D6 events without an offer say nothing', () => {
  const report: ForeignReport = { ...offered('idle'), update: { state: 'idle' } }
  assert.equal(
    readStatement(report, says([event(13, 1), event(3, 0, { errorCode: 1 })]), releases),
    null,
  )
})

test('D6 the version decides: it is committed when it runs what was offered, whatever events were lost', () => {
  for (const state of ['idle', 'downloading', 'restarting', 'failed'] as const) {
    const change = readStatement(
      offered(state),
      says([], { version: '2.0.0', bootId: 'b' }),
      releases,
    )
    assert.deepEqual(
      [change?.update.state, change?.running, change?.committedCounter],
      ['committed', two, 2],
    )
  }
})

test('D6 another boot of the old version after the update was installed has fallen back', () => {
  const change = readStatement(offered('restarting'), says([], { bootId: 'b' }), releases)
  assert.deepEqual([change?.update.state, change?.update.code], ['rolled_back', 'omaha_44'])
  assert.equal(readStatement(offered('restarting'), says([], { bootId: null }), releases), null)
  assert.equal(readStatement(offered('installing'), says([], { bootId: 'b' }), releases), null)
})

test('a version that nobody has signed: only what is newer by its number lies above the floor', () => {
  const floors = [
    ['0.9', 1],
    ['1.0.0.1', 2],
    ['1.5.0', 2],
    ['2.0', 3],
    ['2.0.0+nightly', 3],
    // A release candidate is followed by its release.
    ['1.0.0-rc.10', 1],
    ['2.0.0-rc.10', 2],
    ['20261129101500', 3],
    ['1.0.0.0.0.0.0.1', 2],
    ['9', 3],
    ['developer', 0],
  ] as const
  for (const [version, floor] of floors) {
    const change = readStatement(offered('idle'), says([], { version }), releases)
    assert.deepEqual(
      [change?.running, change?.unsignedVersion, change?.floor, change?.committedCounter],
      [null, version, floor, 0],
      version,
    )
  }
  assert.equal(readStatement(offered('idle'), says([], { version: '5' }), [])?.floor, 0)
})

test('D6 whatever a client says, in any order: what it runs is what it says it runs, and saying it again is no news', () => {
  const anyEvent = fc.record({
    type: fc.constantFrom(3, 13, 14, 800),
    result: fc.constantFrom(0, 1, 2, 9),
    errorCode: fc.constantFrom(0, 10, 44),
    previousVersion: fc.constantFrom(null, '1.0.0', '2.0.0'),
  })
  const statement = fc.record({
    version: fc.constantFrom('1.0.0', '2.0.0', '1.5.0'),
    bootId: fc.constantFrom('a', 'b', null),
    events: fc.array(anyEvent, { maxLength: 5 }),
  })
  fc.assert(
    fc.property(fc.array(statement, { maxLength: 12 }), (statements) => {
      let report = offered('idle')
      for (const said of statements) {
        const change = readStatement(report, said, releases)
        if (change !== null) report = changeReport(report, change)
        const running = releases.find(({ version }) => version === said.version) ?? null
        assert.deepEqual(report.running, running)
        assert.equal(report.unsignedVersion, running === null ? said.version : undefined)
        assert.equal(report.update.sha256, two.sha256)
        const silent = { ...said, events: [] }
        assert.equal(readStatement(report, silent, releases), null)
      }
    }),
    { numRuns: 500 },
  )
})
