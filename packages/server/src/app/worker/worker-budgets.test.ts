import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { jsonLog } from '@seaworthy/std/log'
import { ManualClock, minuteMs, secondMs } from '@seaworthy/std/time'
import { createTestBudgets } from '../../testing/budgets.ts'
import type { BudgetName } from './budgets.ts'
import { budgetNames, sharesOf } from './budgets.ts'
import { createBudgets, createCallerLog } from './index.ts'

interface Step {
  readonly budget: BudgetName
  readonly who: string
  readonly worker: number
  readonly times: number
  readonly restMs: number
}

const step: fc.Arbitrary<Step> = fc.record({
  budget: fc.constantFrom<BudgetName>(...budgetNames),
  who: fc.constantFrom('owner', 'stranger'),
  worker: fc.nat(7),
  times: fc.integer({ min: 1, max: 400 }),
  restMs: fc.oneof(fc.constant(0), fc.nat(2000), fc.nat(20 * minuteMs)),
})
const few = fc.record({
  workersCount: fc.integer({ min: 1, max: 8 }),
  // A caller keeps to one budget, so that it is reached.
  steps: fc
    .tuple(fc.constantFrom<BudgetName>(...budgetNames), fc.array(step, { maxLength: 40 }))
    .map(([budget, steps]) => steps.map((one) => ({ ...one, budget }))),
})

/** Takes the steps, and answers how often each was allowed, and when. */
async function walk(workersCount: number, steps: readonly Step[]) {
  const clock = new ManualClock(new Date('2030-01-01T00:00:00Z'))
  const workers = createTestBudgets(clock, workersCount)
  const taken: (Step & { readonly atMs: number; readonly allowed: number })[] = []
  for (const one of steps) {
    const { budget, who, worker, times, restMs } = one
    let allowed = 0
    for (let n = 0; n < times; n++) {
      const spending = await workers[worker % workersCount]!.spend(budget, who)
      if (spending.isAllowed) allowed++
      else assert.ok(spending.waitMs > 0)
    }
    taken.push({ ...one, atMs: clock.monotonicMs(), allowed })
    clock.advance(restMs)
  }
  return taken
}

test('A9 attack: whatever a caller sends to which worker, over no time is it given more than its budget (property)', async () => {
  await fc.assert(
    fc.asyncProperty(few, async ({ workersCount, steps }) => {
      const taken = await walk(workersCount, steps)
      for (const who of ['owner', 'stranger']) {
        const own = taken.filter((one) => one.who === who)
        for (const [i, first] of own.entries()) {
          let given = 0
          for (const { atMs, allowed } of own.slice(i)) {
            given += allowed
            const { burst, everyMs } = sharesOf(first.budget, 1).whole
            const most = burst + (atMs - first.atMs) / everyMs
            assert.ok(given <= most, `${given} of ${most} of ${first.budget}`)
          }
        }
      }
    }),
    { interruptAfterTimeLimit: minuteMs },
  )
})

test('A9 attack: no stranger spends of an owner’s budget, whichever worker both ask (property)', async () => {
  await fc.assert(
    fc.asyncProperty(few, async ({ workersCount, steps }) => {
      const owners = (list: readonly Step[]) => list.filter(({ who }) => who === 'owner')
      // Without the stranger, time passes all the same.
      const alone = steps.map((one) => (one.who === 'owner' ? one : { ...one, times: 0 }))
      assert.deepEqual(
        owners(await walk(workersCount, steps)),
        owners(await walk(workersCount, alone)),
      )
    }),
    { interruptAfterTimeLimit: minuteMs },
  )
})

test('A9 a caller whose requests all come to one worker gets at least half of its budget at once, and of a rare kind all of it', async () => {
  for (const budget of budgetNames) {
    for (const workersCount of [1, 2, 8, 64]) {
      const [one] = createTestBudgets(
        new ManualClock(new Date('2030-01-01T00:00:00Z')),
        workersCount,
      )
      const { burst } = sharesOf(budget, 1).whole
      let given = 0
      while (given < burst && (await one.spend(budget, 'device')).isAllowed) given++
      const isSplit = sharesOf(budget, workersCount).worker !== undefined
      assert.ok(given >= (isSplit ? burst / 2 : burst), `${budget}: ${given} of ${burst}`)
    }
  }
})

test('A9 what was right is given back, and several tries are spent together or not at all', async () => {
  const clock = new ManualClock(new Date('2030-01-01T00:00:00Z'))
  const [one, other] = createTestBudgets(clock, 2)
  const ofAccount = { budget: 'sign-in-account', who: 'ann' } as const
  const ofNetwork = { budget: 'sign-in-network', who: '192.0.2.1' } as const
  for (let n = 0; n < 10; n++) assert.ok((await one.take([ofAccount])).isAllowed)
  const refused = await other!.take([ofNetwork, ofAccount])
  assert.deepEqual(refused, { isAllowed: false, waitMs: 10 * minuteMs })
  one.giveBack([ofAccount])
  assert.ok((await other!.take([ofNetwork, ofAccount])).isAllowed)
  for (let n = 1; n < 30; n++) assert.ok((await one.take([ofNetwork])).isAllowed, `${n}`)
  assert.ok(!(await one.take([ofNetwork])).isAllowed)
})

test('A9 O4 a flood of one caller is counted whole, asked of the bank once a second, and logged once a minute', async () => {
  const clock = new ManualClock(new Date('2030-01-01T00:00:00Z'))
  const lines: string[] = []
  let asked = 0
  const counts = new Map<string, number>()
  const budgets = createBudgets({
    clock,
    workersCount: 2,
    callerLog: createCallerLog({
      ...{ clock, workersCount: 2, leftOut: { add: () => undefined } },
      log: jsonLog({ write: (line) => lines.push(line), clock, level: 'info' }),
    }),
    bank: {
      async take() {
        asked++
        return { isAllowed: false, waitMs: 5 * minuteMs }
      },
      giveBack: () => undefined,
    },
    limited: { add: (n, budget) => void counts.set(budget, (counts.get(budget) ?? 0) + n) },
  })
  for (let second = 0; second < 120; second++) {
    for (let n = 0; n < 50; n++) {
      const spending = await budgets.spend('messages', 'device_a')
      assert.ok(!spending.isAllowed && spending.waitMs > 0)
    }
    clock.advance(secondMs)
  }
  assert.deepEqual(Object.fromEntries(counts), { messages: 6000 })
  assert.equal(asked, 120)
  assert.equal(lines.length, 2)
  assert.match(lines[0]!, /"budget\.spent".*"messages".*120.*"device_a"/)
})
