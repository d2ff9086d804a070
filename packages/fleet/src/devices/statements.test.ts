import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Statement } from './statements.ts'
import { judgeSigned, judgeUnsigned, needsOlder, repeatableMax } from './statements.ts'

const sha256 = 'a'.repeat(64)

const say = (changes: Partial<Statement> = {}): Statement => ({
  sequence: 0,
  running: null,
  committedCounter: 0,
  floor: 0,
  update: { state: 'idle' },
  refusals: [],
  platform: 'linux/amd64',
  ...changes,
})

const running = { product: 'acme', version: '1.0.0', sha256, counter: 1 }
const refusal = { code: 'rollback', at: '2030-01-01T00:00:00Z', subject: 'timestamp' }
const failed = { state: 'failed', sha256, code: 'no_space', targetPath: 'acme/stable/2.0.0' }

const settled = say({
  sequence: 7,
  running,
  committedCounter: 1,
  floor: 1,
  update: { state: 'committed', sha256 },
  refusals: [refusal],
})

test('D8 attack: what a fetcher changes in a report without the key of its device is not taken', () => {
  const forged: Partial<Statement>[] = [
    { sequence: 6 },
    { sequence: 8 },
    { running: null },
    { running: { ...running, version: '2.0.0' } },
    { running: { ...running, sha256: 'b'.repeat(64) } },
    { running: { ...running, counter: 2 } },
    { running: { ...running, product: 'other' } },
    { committedCounter: 2 },
    { floor: 0 },
    { platform: 'linux/arm64' },
    { refusals: [refusal, { ...refusal, code: 'expired' }] },
    { refusals: [{ ...refusal, at: '2031-01-01T00:00:00Z' }] },
    { update: failed },
    { update: { ...failed, state: 'rolled_back' } },
    { update: { state: 'committed', sha256: 'b'.repeat(64) } },
    { update: { state: 'committed', sha256, code: 'unhealthy' } },
    { update: { state: 'installing', sha256, code: 'waiting_for_restart' } },
  ]
  for (const change of forged) {
    const { kind } = judgeUnsigned(say({ ...settled, ...change }), [settled])
    assert.equal(kind, 'signature_missing', JSON.stringify(change))
  }
})

test('D8 what a device repeats, its progress and the refusals that are over need no new signature', () => {
  const harmless: Partial<Statement>[] = [
    {},
    { refusals: [] },
    { update: { state: 'idle' } },
    ...['downloading', 'installing', 'restarting', 'watching'].map((state) => ({
      update: { state, sha256: 'b'.repeat(64), targetPath: 'acme/stable/2.0.0', percent: 40 },
    })),
  ]
  for (const change of harmless) {
    const judged = judgeUnsigned(say({ ...settled, ...change }), [settled])
    assert.deepEqual(judged, { kind: 'accepted', saidSequence: 7 }, JSON.stringify(change))
  }
  assert.equal(judgeUnsigned(say(), []).kind, 'accepted', 'before the first signature')
})

test('D8 attack: work that is told of a release on trial does not end the trial', () => {
  const trial = say({ sequence: 2, running, update: { state: 'watching', sha256 } })
  assert.equal(judgeUnsigned(trial, [trial]).kind, 'accepted')
  const ended = { ...trial, update: { state: 'idle' } }
  assert.equal(judgeUnsigned(ended, [trial]).kind, 'signature_missing')
})

test('D8 an agent that starts again in a trial repeats its old outcome, and that is no word on the present attempt', () => {
  const old = say({ sequence: 5, update: failed })
  const work = say({ sequence: 6, update: { state: 'downloading', sha256 } })
  const again = say({ sequence: 6, update: failed })
  assert.ok(needsOlder(again, work))
  assert.deepEqual(judgeUnsigned(again, [work, old]), { kind: 'accepted', saidSequence: 5 })
  const filled = Array.from({ length: repeatableMax }, () => work)
  assert.equal(judgeUnsigned(again, [...filled, old]).kind, 'signature_missing')
})

test('D8 attack: a signed report that is shown again does not take the place of a newer one', () => {
  assert.equal(judgeSigned(3, null).kind, 'accepted')
  assert.equal(judgeSigned(3, 3).kind, 'accepted')
  assert.equal(judgeSigned(4, 3).kind, 'accepted')
  assert.equal(judgeSigned(2, 3).kind, 'overtaken')
})

test('D8 attack: no unsigned report tells anything that counts but what was signed (property)', () => {
  const update = fc.record(
    {
      state: fc.constantFrom('idle', 'downloading', 'watching', 'committed', 'failed'),
      sha256: fc.constantFrom(sha256, 'b'.repeat(64)),
      code: fc.constantFrom('no_space', 'waiting_for_restart'),
    },
    { requiredKeys: ['state'], noNullPrototype: true },
  )
  const statement = fc.record({
    sequence: fc.nat(3),
    running: fc.constantFrom(null, running),
    committedCounter: fc.nat(1),
    floor: fc.nat(1),
    update,
    refusals: fc.subarray([refusal, { ...refusal, code: 'expired' }]),
    platform: fc.constantFrom('linux/amd64', 'linux/arm64'),
  })
  const history = fc.uniqueArray(statement, { selector: (one) => one.sequence, minLength: 1 })
  fc.assert(
    fc.property(history, statement, (unordered, report) => {
      const signed = unordered.toSorted((a, b) => b.sequence - a.sequence)
      const judged = judgeUnsigned(report, signed)
      if (judged.kind !== 'accepted') return
      const [newest] = signed
      const facts = ({ running: r, committedCounter, floor, platform, sequence }: Statement) =>
        JSON.stringify([r, committedCounter, floor, platform, sequence])
      assert.equal(facts(report), facts(newest!))
      const known = newest!.refusals.map((one) => JSON.stringify(one))
      assert.ok(report.refusals.every((one) => known.includes(JSON.stringify(one))))
      const { state, code } = report.update
      if (!['committed', 'failed'].includes(state) && code === undefined) return
      const said = signed.find(({ sequence }) => sequence === (judged.saidSequence as number))
      assert.deepEqual(said?.update, report.update)
    }),
    { numRuns: 2000 },
  )
})
