import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DdiAction, Execution, Feedback, Result } from './ddi-feedback.ts'
import {
  applyCancelFeedback,
  applyFeedback,
  applyInstalled,
  executions,
  isCancelOverdue,
} from './ddi-feedback.ts'

const at = new Date('2026-11-22T00:00:00Z')
const now = new Date('2026-11-22T01:00:00Z')
const action: DdiAction = {
  product: 'acme',
  version: '2.0',
  sha256: 'a'.repeat(64),
  counter: 2,
  state: 'running',
  isCancelRejected: false,
  cancelAskedAt: null,
  statusesCount: 3,
  messages: ['before'],
  changedAt: at,
  closedAt: null,
}
const say = (execution: Execution, finished: Result = 'none', more: Partial<Feedback> = {}) => ({
  execution,
  finished,
  percent: null,
  code: null,
  details: [],
  ...more,
})

test('each word of a client does what the table says', () => {
  const table: readonly [Execution, Result, DdiAction['state'], string | null][] = [
    ['download', 'none', 'running', 'downloading'],
    ['downloaded', 'success', 'running', 'downloading'],
    ['proceeding', 'none', 'running', 'installing'],
    // An error on the way does not end the action: the client says so itself when it gives up.
    ['proceeding', 'failure', 'running', 'installing'],
    ['resumed', 'none', 'running', 'installing'],
    ['scheduled', 'none', 'running', null],
    ['rejected', 'none', 'running', null],
    ['canceled', 'none', 'running', null],
    ['closed', 'success', 'finished', 'committed'],
    ['closed', 'none', 'finished', 'committed'],
    ['closed', 'failure', 'failed', 'failed'],
  ]
  assert.equal(new Set(table.map(([execution]) => execution)).size, executions.length)
  for (const [execution, finished, state, update] of table) {
    const effect = applyFeedback(action, say(execution, finished), now)
    const name = `${execution} ${finished}`
    assert.equal(effect.action.state, state, name)
    assert.equal(effect.action.closedAt, state === 'running' ? null : now, name)
    assert.equal(effect.change?.update.state ?? null, update, name)
    assert.equal(effect.change?.running?.sha256, update === 'committed' ? action.sha256 : undefined)
    assert.equal(effect.action.statusesCount, 4)
  }
})

test('a wish to cancel ends when the client says so, and not by anything else', () => {
  const canceling: DdiAction = { ...action, state: 'canceling', cancelAskedAt: at }
  const table: readonly [Execution, Result, DdiAction['state'], string | null][] = [
    ['closed', 'success', 'canceled', 'idle'],
    ['closed', 'none', 'canceled', 'idle'],
    ['closed', 'failure', 'failed', 'failed'],
    ['rejected', 'success', 'running', null],
    ['proceeding', 'none', 'canceling', null],
    ['canceled', 'success', 'canceled', 'idle'],
    ['canceled', 'none', 'canceled', 'idle'],
    ['scheduled', 'none', 'canceling', null],
  ]
  for (const [execution, finished, state, update] of table) {
    const effect = applyCancelFeedback(canceling, say(execution, finished), now)
    assert.equal(effect.action.state, state, execution)
    assert.equal(effect.change?.update.state ?? null, update, execution)
    assert.equal(effect.change?.running, undefined)
    assert.equal(effect.action.isCancelRejected, execution === 'rejected')
    const waitsSince = { canceling: at, running: now, canceled: null, failed: null, finished: null }
    assert.equal(effect.action.cancelAskedAt, waitsSince[state], execution)
  }
})

test('D7 fault: a client that says on the deployment that it cancelled has answered the wish to cancel', () => {
  const canceling: DdiAction = { ...action, state: 'canceling', cancelAskedAt: at }
  const { action: after, change } = applyFeedback(canceling, say('canceled'), now)
  assert.deepEqual([after.state, after.closedAt, change?.update.state], ['canceled', now, 'idle'])
})

test('D7 a wish to cancel has three polls and at least a quarter of an hour to be answered', () => {
  const minutesOn = (minutes: number) => new Date(at.getTime() + minutes * 60_000)
  const isOverdue = (pollSeconds: number, minutes: number) =>
    isCancelOverdue({ cancelAskedAt: at }, { pollSeconds }, minutesOn(minutes))
  assert.deepEqual([isOverdue(60, 14.9), isOverdue(60, 15)], [false, true])
  assert.deepEqual([isOverdue(3600, 179), isOverdue(3600, 180)], [false, true])
  assert.equal(isCancelOverdue({ cancelAskedAt: null }, { pollSeconds: 1 }, minutesOn(1e6)), false)
})

test('D7 fault: a client that would not cancel keeps its action only while it says how that goes', () => {
  const rejected = applyCancelFeedback(
    { ...action, state: 'canceling', cancelAskedAt: at },
    say('rejected'),
    at,
  ).action
  const isOverdue = (of: DdiAction, minutes: number) =>
    isCancelOverdue(of, { pollSeconds: 60 }, new Date(at.getTime() + minutes * 60_000))
  assert.deepEqual([isOverdue(rejected, 14.9), isOverdue(rejected, 15)], [false, true])
  // An hour later it is still at work.
  const working = applyFeedback(rejected, say('proceeding'), now).action
  assert.deepEqual([isOverdue(working, 74.9), isOverdue(working, 75)], [false, true])
  // Nobody asked this client to cancel, so it has all the time of its update.
  assert.equal(isOverdue(applyFeedback(action, say('proceeding'), at).action, 1e6), false)
})

test('messages are kept newest first, cut, and not for ever', () => {
  const details = ['one', 'x'.repeat(1000)]
  const { messages } = applyFeedback(action, say('proceeding', 'none', { details }), now).action
  assert.deepEqual(messages, ['x'.repeat(512), 'one', 'before'])
  const many = Array.from({ length: 50 }, (_, i) => `message ${i}`)
  const flooded = applyFeedback(action, say('proceeding', 'none', { details: many }), now).action
  assert.equal(flooded.messages.length, 20)
  assert.equal(flooded.messages[0], 'message 49')
})

test('D7 fault: no message is cut within a character, whatever a client says last', () => {
  for (let length = 505; length <= 515; length += 1) {
    const details = [`${'x'.repeat(length)}😀`]
    const [kept] = applyFeedback(action, say('closed', 'success', { details }), now).action.messages
    assert.ok(kept!.isWellFormed() && details[0]!.startsWith(kept!), String(length))
    assert.ok(kept!.length <= 512 && kept!.length >= Math.min(length, 511), String(length))
  }
})

test('a code of the client becomes a code of ours', () => {
  const code = (value: number | null) =>
    applyFeedback(action, say('closed', 'failure', { code: value }), now).change?.update.code
  assert.equal(code(12), 'ddi_12')
  assert.equal(code(-3), 'ddi_-3')
  assert.equal(code(null), 'ddi_failure')
})

test('D7 attack: a client that names another release as installed does not make its failure forgotten', () => {
  const running = { product: 'acme', version: '1.0', sha256: 'a'.repeat(64), counter: 1 }
  for (const state of ['failed', 'rolled_back'] as const) {
    const other = { state, sha256: 'b'.repeat(64), code: 'ddi_1' }
    assert.deepEqual(applyInstalled(other, running), { update: other, running })
    // It runs the very release now: that it failed before says nothing any more.
    const same = { ...other, sha256: running.sha256 }
    assert.deepEqual(applyInstalled(same, running).update, { state: 'idle' })
  }
  const busy = { state: 'installing', sha256: 'b'.repeat(64) } as const
  assert.deepEqual(applyInstalled(busy, running).update, { state: 'idle' })
})
