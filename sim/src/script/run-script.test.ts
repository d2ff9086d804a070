import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runScript, ScenarioError } from './run-script.ts'

const life = `channel app stable
publish app stable 1.0.0
add device d1 app stable
device d1 on
cut power d1 at write 20 keep=7
publish app stable 1.1.0
device d1 poll
device d1 on
wait 2h
expect d1 runs 1.1.0`

test('the same seed tells the same story, and other seeds come to the same end', async () => {
  const story = await runScript(life, { seed: 5 })
  assert.match(story, /the power is cut at write 20/)
  assert.equal(await runScript(life, { seed: 5 }), story)
  for (const seed of [6, 7, 8]) await runScript(life, { seed })
})

test('an expectation that does not hold fails with its line and its seed', async () => {
  await assert.rejects(
    runScript('seed 3\nchannel app stable\nexpect server knows 2 devices'),
    (error) => {
      assert.ok(error instanceof ScenarioError)
      assert.equal(error.seed, 3)
      assert.match(error.message, /^line 3, "expect server knows 2 devices": .*expected 2, found 0/)
      return true
    },
  )
})

test('a script is read strictly', async () => {
  for (const [script, reason] of [
    ['fly away', /there is no command fly/],
    ['channel app', /channel is missing/],
    ['channel app stable more', /more means nothing here/],
    ['wait long', /a duration such as/],
    ['device d9 on', /there is no device d9/],
    ['attacker does magic', /there is no attack magic/],
    ['attacker assigns app/stable/1.0.0', /only the server assigns/],
    ['channel app stable color=red', /color means nothing here/],
  ] as const) {
    await assert.rejects(runScript(script), reason, script)
  }
})
