import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { secondMs } from '@seaworthy/std/time'
import { budgetNames, sharesOf } from './budgets.ts'

test('A9 the table in docs/OPERATIONS.md names every budget with its numbers', () => {
  const text = readFileSync(new URL('../../../../../docs/OPERATIONS.md', import.meta.url), 'utf8')
  for (const name of budgetNames) {
    const { burst, everyMs } = sharesOf(name, 1).whole
    const row = text.split('\n').find((line) => line.startsWith(`| \`${name}\` |`))
    assert.ok(row?.includes(` | ${burst} | ${everyMs / secondMs} s | `), name)
  }
})

test('A9 the shares of the workers and of the bank add up to each budget, however many workers there are', () => {
  for (const name of budgetNames) {
    for (let count = 1; count <= 128; count++) {
      const { whole, worker, bank } = sharesOf(name, count)
      const perMs = (worker === undefined ? 0 : count / worker.everyMs) + 1 / bank.everyMs
      assert.equal((worker?.burst ?? 0) * count + bank.burst, whole.burst)
      assert.ok(Math.abs(perMs * whole.everyMs - 1) < 1e-9, `${name} ${count}`)
    }
  }
})
