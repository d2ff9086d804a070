import assert from 'node:assert/strict'
import { test } from 'node:test'
import { certificateStories, surviveReplacedPins } from './kill-nine-certificates.fixture.ts'
import type { Moment } from './kill-nine.fixture.ts'
import { coreStories, openHarbour, surviveAll, surviveFirstStarts } from './kill-nine.fixture.ts'

const stories = { ...coreStories, ...certificateStories }

/** One moment of each change; `kill-nine.long.test.ts` takes all of them. */
const moments: Readonly<Record<string, Moment>> = {
  'publishing a release': { number: 3, moment: 'after' },
  'changing the key of the server': { number: 2, moment: 'before' },
  'naming the server': { number: 1, moment: 'after' },
  'disabling a person': { number: 1, moment: 'after' },
}

test('O1 kill -9 of the server at a commit of its first start, of publishing, of a new key, of a name and of the end of a person: all or nothing, and it goes on', async (t) => {
  const harbour = await openHarbour()
  t.after(() => harbour.close())
  const tell = (line: string) => t.diagnostic(line)
  await surviveFirstStarts(harbour, [{ number: 4, moment: 'after' }], tell)
  await surviveAll(harbour, stories, (story) => [moments[story]!], tell)
})

test('O1 A6 kill -9 of the server while the key of its operator replaces its own: the one or the other, and none that nobody asked for', async (t) => {
  const harbour = await openHarbour()
  t.after(() => harbour.close())
  const moments = [{ number: 2, moment: 'after' }] as const
  const outcomes = await surviveReplacedPins(harbour, { moments, withFiles: false }, (line) =>
    t.diagnostic(line),
  )
  assert.equal(outcomes.kept + outcomes.replaced, 1, 'the server died')
})
