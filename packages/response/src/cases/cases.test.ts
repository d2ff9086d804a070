import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { hourMs } from '@seaworthy/std/time'
import type { CaseEvent, CaseState, CaseTimes } from './index.ts'
import {
  caseEvents,
  clocksOf,
  firstCaseState,
  isKnowledge,
  listLegalEvents,
  moveCase,
} from './index.ts'

const after = (...events: readonly CaseEvent[]): CaseState =>
  events.reduce<CaseState>(moveCase, firstCaseState)

test('R2 a report is validated, accepted, fixed, published and closed, and its embargo ends by itself', () => {
  assert.deepEqual(
    after(
      'validate',
      'propose-embargo',
      'accept-embargo',
      'accept',
      'fix-ready',
      'public',
      'close',
    ),
    { report: 'closed', embargo: 'exited', knowledge: 'VFdPxa' },
  )
})

test('R2 what the model does not allow is refused, with what it allows', () => {
  const illegal: readonly (readonly CaseEvent[])[] = [
    ['accept'],
    ['close'],
    ['fix-deployed'],
    ['accept-embargo'],
    ['validate', 'invalidate'],
    ['public', 'propose-embargo'],
    ['attacks', 'propose-embargo'],
    ['public', 'public'],
    ['invalidate', 'propose-embargo', 'close'],
    ['invalidate', 'close', 'validate'],
  ]
  for (const events of illegal) {
    const state = after(...events.slice(0, -1))
    assert.throws(() => moveCase(state, events.at(-1)!), { code: 'case_move_illegal' })
  }
  assert.throws(() => moveCase(firstCaseState, 'close'), /it could be: validate, invalidate/)
})

test('R2 however events follow each other, a case stays in the 32 states of the model, and nothing is unlearned (property)', () => {
  const states = new Set<string>()
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...caseEvents), { maxLength: 14 }), (events) => {
      let state = firstCaseState
      for (const event of events) {
        if (!listLegalEvents(state).includes(event)) {
          assert.throws(() => moveCase(state, event), { code: 'case_move_illegal' })
          continue
        }
        const next = moveCase(state, event)
        assert.ok(isKnowledge(next.knowledge))
        for (const [i, letter] of Array.from(state.knowledge).entries()) {
          if (/[A-Z]/.test(letter)) assert.equal(next.knowledge[i], letter)
        }
        const isOut = /[PXA]/.test(next.knowledge)
        assert.ok(!isOut || next.embargo === 'none' || next.embargo === 'exited')
        state = next
        states.add(state.knowledge)
      }
    }),
  )
  assert.ok(states.size > 8)
})

const start = new Date('2026-03-01T00:00:00Z')
const later = (hours: number) => new Date(start.getTime() + hours * hourMs)
const times: CaseTimes = {
  ...{ reportedAt: start, acknowledgedAt: null, answeredAt: null, lastAnswerAt: null },
  ...{ embargoUntil: null, isEmbargoOn: false, closedAt: null },
}
const statesAt = (facts: Partial<CaseTimes>, now: Date) =>
  Object.fromEntries(clocksOf({ ...times, ...facts }, now).map(({ name, state }) => [name, state]))

test('R3 the clocks of a report warn before they break: 24 hours to acknowledge, 48 to answer', () => {
  assert.deepEqual(statesAt({}, later(1)), { acknowledge: 'running', answer: 'running' })
  assert.deepEqual(statesAt({}, later(18)), { acknowledge: 'soon', answer: 'running' })
  assert.deepEqual(statesAt({}, later(24)), { acknowledge: 'broken', answer: 'running' })
  assert.deepEqual(statesAt({}, later(48)), { acknowledge: 'broken', answer: 'broken' })
  const done = { acknowledgedAt: later(24), answeredAt: later(49), lastAnswerAt: later(49) }
  const weekAfter = 49 + 24 * 7
  assert.deepEqual(statesAt(done, later(50)), {
    ...{ acknowledge: 'met', answer: 'late', update: 'running' },
  })
  assert.equal(statesAt(done, later(weekAfter - 1))['update'], 'soon')
  assert.equal(statesAt(done, later(weekAfter))['update'], 'broken')
})

test('R3 a case that is closed owes nothing more, and what was broken before stays so', () => {
  assert.deepEqual(statesAt({ closedAt: later(30) }, later(900)), {
    acknowledge: 'broken',
    answer: 'stopped',
  })
})

test('R3 a flaw that nobody outside reported has the clock of its embargo only', () => {
  const own = { reportedAt: null, embargoUntil: later(100), isEmbargoOn: true }
  assert.deepEqual(statesAt(own, later(1)), { embargo: 'running' })
  assert.deepEqual(statesAt(own, later(30)), { embargo: 'soon' })
  assert.deepEqual(statesAt({ ...own, isEmbargoOn: false }, later(30)), {})
})
