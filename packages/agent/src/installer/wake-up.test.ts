import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '@seaworthy/std/time'
import { createPacedWake } from './wake-up.ts'

test('V8 attack: a server names other variables whenever some were taken: the agent polls with a pause', async () => {
  const clock = new ManualClock(new Date(0))
  const sleeps: (() => void)[] = []
  const waits: number[] = []
  const sleep = (ms: number) => {
    waits.push(ms)
    return new Promise<void>((resolve) => sleeps.push(resolve))
  }
  let polls = 0
  const pollSoon = createPacedWake({ clock, sleep }, () => polls++, new AbortController().signal)
  for (let i = 0; i < 100; i++) pollSoon()
  assert.deepEqual([polls, waits], [1, [5000]], 'the first is at once')
  clock.advance(1)
  for (let i = 0; i < 100; i++) pollSoon()
  assert.deepEqual([polls, waits], [1, [5000]])
  clock.advance(4999)
  sleeps.shift()!()
  await Promise.resolve()
  assert.equal(polls, 2)
  pollSoon()
  assert.deepEqual([polls, waits], [2, [5000, 5000]])
  clock.advance(60_000)
  pollSoon()
  assert.equal(polls, 3, 'whoever was quiet is heard at once')
})
