import assert from 'node:assert/strict'
import { test } from 'node:test'
import { expectGolden } from '../../tools/golden.ts'
import { listScenarios } from './scenario-files.ts'
import { runScript } from './script/run-script.ts'

const scenarios = listScenarios().filter(({ isPowerCut }) => !isPowerCut)

test('there are scenarios, and each says which capability it shows', () => {
  assert.ok(scenarios.length > 0)
  for (const { name, title } of scenarios) assert.match(title, /^(?:[TDVA]\d+ )+\S/, name)
})

for (const { name, title, text, golden } of scenarios) {
  test(`${title} (npm run sim -- ${name})`, async () => {
    expectGolden(golden, await runScript(text))
  })
}
