import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ApiClient } from '@seaworthy/api/client'
import { ProblemError } from '@seaworthy/api/problems'
import type { RolloutView } from '@seaworthy/api/rollouts'
import { TransportError } from '@seaworthy/std/http'
import { ManualClock } from '@seaworthy/std/time'
import { makeRollout, makeWave } from '../../testing/rollouts.ts'
import { followRollout } from './follow.ts'

const start = makeRollout()
const withWave = (changes: Parameters<typeof makeWave>[2]): RolloutView => ({
  ...start,
  waves: start.waves.with(0, makeWave(1, 'open', changes)),
})

/**
 * Gives the answers one after the other, and the last one for ever. Time passes as soon as the code
 * sleeps.
 */
async function follow(answers: readonly (RolloutView | Error)[]) {
  const clock = new ManualClock(new Date('2026-05-04T10:00:00Z'))
  const seen: string[] = []
  const questions: string[] = []
  let asked = 0
  let rechecks = 0
  const call = (route: { name: string }) => {
    questions.push(`${clock.monotonicMs()} ${route.name}`)
    if (route.name === 'rollout.history') return Promise.resolve({ samples: [], failures: [] })
    const answer = answers[Math.min(asked++, answers.length - 1)]!
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer)
  }
  const ended = followRollout(
    {
      clock,
      signal: new AbortController().signal,
      sleep: (ms) => {
        clock.advance(ms)
        return Promise.resolve()
      },
    },
    {
      // Answers in the order of the table; the real server is in rollouts.integration.test.ts.
      client: { call } as unknown as ApiClient,
      recheck: () => Promise.resolve(rechecks++),
      rolloutId: start.id,
      show: {
        state: ({ view }, isChanged) => seen.push(`${isChanged ? '' : 'again '}${view.state}`),
        redraw: () => {},
        trouble: (why) => seen.push(why),
      },
    },
  )
  const outcome = await ended.catch((error: unknown) => error)
  return { outcome, seen, questions, rechecks, clock }
}

test('it ends when the rollout ends: finished, aborted, or paused because of failures', async () => {
  const end = async (changes: Partial<RolloutView>) =>
    (await follow([start, { ...start, ...changes }])).outcome
  assert.equal(await end({ state: 'finished' }), 'finished')
  assert.equal(await end({ state: 'aborted', stopCode: 'by_person' }), 'stopped')
  for (const stopCode of ['failure_gate', 'error_budget', 'safe_mode'] as const) {
    assert.equal(await end({ state: 'paused', stopCode }), 'stopped')
  }
})

test('a pause by a person is waited out', async () => {
  const paused: RolloutView = { ...start, state: 'paused', stopCode: 'by_person' }
  const { outcome, seen } = await follow([start, paused, paused, { ...start, state: 'finished' }])
  assert.equal(outcome, 'finished')
  assert.deepEqual(seen, ['active', 'paused', 'again paused', 'finished'])
})

test('it asks each second while something changes, and up to every five seconds while nothing does', async () => {
  const still = Array.from({ length: 20 }, () => start)
  const moved = withWave({ healthyCount: 1 })
  const { questions } = await follow([...still, moved, moved, { ...start, state: 'finished' }])
  const times = questions.map((line) => Number.parseInt(line, 10))
  const gaps = times.slice(1).map((at, i) => at - times[i]!)
  assert.equal(gaps[0], 1000)
  assert.equal(Math.max(...gaps), 5000)
  assert.equal(gaps[20], 1000)
})

test('a server that restarts is waited for, and its history compared before it is believed', async () => {
  const gone = new TransportError('unreachable', 'cannot be reached')
  const problem = { type: '', title: '', status: 503, code: 'unavailable', detail: 'not now' }
  const { outcome, seen, rechecks, clock } = await follow([
    start,
    gone,
    gone,
    new ProblemError(problem, 7),
    { ...start, state: 'finished' },
  ])
  assert.equal(outcome, 'finished')
  assert.deepEqual(seen, [
    'active',
    'cannot be reached',
    'cannot be reached',
    'not now',
    'finished',
  ])
  assert.equal(rechecks, 3)
  assert.equal(clock.monotonicMs(), 1000 + 500 + 1000 + 7000)
})

test('what is an answer ends it: no such rollout, another server, a server gone for good', async () => {
  const missing = { type: '', title: '', status: 404, code: 'rollout_not_found', detail: 'none' }
  const errors = [new ProblemError(missing), new TransportError('pin_mismatch', 'another server')]
  for (const error of errors) assert.equal((await follow([start, error])).outcome, error)
  const gone = new TransportError('unreachable', 'cannot be reached')
  // No state has been seen yet, so there is no reason to wait.
  assert.equal((await follow([gone])).outcome, gone)
  const { outcome, clock } = await follow([start, gone])
  assert.equal(outcome, gone)
  assert.ok(clock.monotonicMs() < 16 * 60_000)
})

test('codes of failures are asked for once for each further failure', async () => {
  const one = withWave({ failedCount: 1 })
  const { questions } = await follow([
    start,
    one,
    one,
    withWave({ failedCount: 2 }),
    { ...start, state: 'finished' },
  ])
  assert.equal(questions.filter((line) => line.endsWith('rollout.history')).length, 2)
})
