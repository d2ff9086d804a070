import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeKnown, findNearest } from './nearest.ts'

const known = ['start', 'health', 'stopSeconds', 'sandbox', 'variables']

for (const [name, nearest] of [
  ['helth', 'health'],
  ['strat', 'start'],
  ['Start', 'start'],
  ['stop_seconds', 'stopSeconds'],
  ['variable', 'variables'],
  ['run', undefined],
  ['', undefined],
  ['start'.repeat(100), undefined],
] as const) {
  test(`B10 by ${JSON.stringify(name.slice(0, 20))} somebody meant ${nearest ?? 'nothing that is known'}`, () => {
    assert.equal(findNearest(name, known), nearest)
  })
}

test('B10 where no name is near, all of them are named', () => {
  assert.equal(describeKnown('helth', known), 'did you mean "health"?')
  assert.equal(describeKnown('x', ['http', 'exec']), 'known are http, exec')
  assert.equal(describeKnown('x', []), 'none is known here')
})
