import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import { test } from 'node:test'
import type { People } from './people.ts'
import { rollOut } from './rollouts.ts'
import type { Story } from './scene.ts'

test('D4 a rollout of the demo that cannot be watched fails where somebody waits for it, and not before', async () => {
  const owner = {
    seaworthy: async () => '{"id":"rollout_a"}',
    follow: async () => 'exit code 1',
  }
  const story = { stage: { tell() {} } } as unknown as Story
  const { finished } = await rollOut(story, { owner } as unknown as People, 'web@2.0', [])
  // A rejection that nobody handles by then ends the process, and this test with it.
  await setImmediate()
  await assert.rejects(finished, /could not be watched \(exit code 1\)/)
})
