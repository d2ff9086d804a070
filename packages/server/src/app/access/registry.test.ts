import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dayMs, hourMs, ManualClock, minuteMs } from '@seaworthy/std/time'
import type { Actor } from './actors.ts'
import { createTestBudgets } from '../../testing/budgets.ts'
import { spendRegistryChange } from './registry.ts'

/** The token with this id, of a line that began with another. */
const tokenOf = (id: string, line: string) =>
  ({ kind: 'token', id, token: { id, line } }) as unknown as Actor

test('T9 attack: a builder’s token that moves a tag for ever changes a bounded number of things, however often it is traded', async () => {
  const clock = new ManualClock(new Date('2026-11-22T00:00:00Z'))
  const [budgets] = createTestBudgets(clock)
  const mayChange = async (token: Actor) =>
    (await spendRegistryChange({ budgets }, token)).isAllowed
  let count = 0
  for (const begun = clock.monotonicMs(); clock.monotonicMs() < begun + dayMs;) {
    const token = tokenOf(`token_${Math.floor(clock.monotonicMs() / hourMs)}`, 'token_0')
    if (await mayChange(token)) count++
    clock.advance(500)
  }
  assert.ok(count <= 5000 + dayMs / 3000, `${count} in a day`)
  assert.ok(await mayChange(tokenOf('token_x', 'token_x')), 'another one is not braked')
})

test('B10 a registry that is copied at once, and a day of a build a minute with twenty manifests each, are not braked', async () => {
  const clock = new ManualClock(new Date('2026-11-22T00:00:00Z'))
  const [budgets] = createTestBudgets(clock)
  const mayChange = async (token: Actor) =>
    (await spendRegistryChange({ budgets }, token)).isAllowed
  const builder = tokenOf('token_1', 'token_1')
  for (let n = 0; n < 5000; n++) assert.ok(await mayChange(builder))
  clock.advance(5 * hourMs)
  for (let minutes = 0; minutes < 24 * 60; minutes++) {
    for (let n = 0; n < 20; n++) assert.ok(await mayChange(builder), `minute ${minutes}`)
    clock.advance(minuteMs)
  }
})
