import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DeviceReport } from '@seaworthy/api/device-self'
import fc from 'fast-check'
import type { KnownRelease, OmahaEvent, OmahaStatement } from './news.ts'
import { readNews } from './news.ts'

const release = (version: string, counter: number): KnownRelease => ({
  product: 'os',
  version,
  sha256: String(counter).padStart(64, '0'),
  counter,
})
const [one, two] = [release('1.0.0', 1), release('2.0.0', 2)] as const
const releases = [one, two]
type State = DeviceReport['update']['state']

const offered = (state: State, running: KnownRelease | null = one): DeviceReport => ({
  sequence: 1,
  at: '2026-01-01T00:00:00Z',
  running,
  committedCounter: running?.counter ?? 0,
  floor: 0,
  update: { state, targetPath: 'os/stable/2.0.0', sha256: two.sha256 },
  metadata: {},
  timestampVerifiedAt: null,
  refusals: [],
  agentVersion: 'omaha',
  platform: 'linux/amd64',
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
    const news = readNews(offered(state), says([said]), releases)
    assert.equal(news?.update.state ?? null, expected, `${state} ${said.type}/${said.result}`)
  }
})

test('D6 events without an offer say nothing', () => {
  const report: DeviceReport = { ...offered('idle'), update: { state: 'idle' } }
  assert.equal(
    readNews(report, says([event(13, 1), event(3, 0, { errorCode: 1 })]), releases),
    null,
  )
})

test('D6 the version decides: it is committed when it runs what was offered, whatever events were lost', () => {
  for (const state of ['idle', 'downloading', 'restarting', 'failed'] as const) {
    const news = readNews(offered(state), says([], { version: '2.0.0', bootId: 'b' }), releases)
    assert.deepEqual(
      [news?.update.state, news?.running, news?.committedCounter],
      ['committed', two, 2],
    )
  }
})

test('D6 another boot of the old version after the update was installed has fallen back', () => {
  const news = readNews(offered('restarting'), says([], { bootId: 'b' }), releases)
  assert.deepEqual([news?.update.state, news?.update.code], ['rolled_back', 'omaha_44'])
  assert.equal(readNews(offered('restarting'), says([], { bootId: null }), releases), null)
  assert.equal(readNews(offered('installing'), says([], { bootId: 'b' }), releases), null)
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
    const news = readNews(offered('idle'), says([], { version }), releases)
    assert.deepEqual(
      [news?.running, news?.unsignedVersion, news?.floor, news?.committedCounter],
      [null, version, floor, 0],
      version,
    )
  }
  assert.equal(readNews(offered('idle'), says([], { version: '5' }), [])?.floor, 0)
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
      let report: Parameters<typeof readNews>[0] = offered('idle')
      for (const said of statements) {
        const news = readNews(report, said, releases)
        if (news !== null) {
          const { bootId, unsignedVersion, ...rest } = news
          const { unsignedVersion: _, ...before } = report
          report = {
            ...before,
            ...rest,
            ...(bootId === null ? {} : { bootId }),
            ...(unsignedVersion === null ? {} : { unsignedVersion }),
          }
        }
        const running = releases.find(({ version }) => version === said.version) ?? null
        assert.deepEqual(report.running, running)
        assert.equal(report.unsignedVersion, running === null ? said.version : undefined)
        assert.equal(report.update.sha256, two.sha256)
        const silent = { ...said, events: [] }
        assert.equal(readNews(report, silent, releases), null)
      }
    }),
    { numRuns: 500 },
  )
})
