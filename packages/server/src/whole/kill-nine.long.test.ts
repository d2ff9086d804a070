import assert from 'node:assert/strict'
import { test } from 'node:test'
import { certificateStories, surviveReplacedPins } from './kill-nine-certificates.fixture.ts'
import {
  coreStories,
  everyMoment,
  openHarbour,
  surviveAll,
  surviveFirstStarts,
} from './kill-nine.fixture.ts'

test('O1 kill -9 of the server before and after every commit of its first start', async (t) => {
  const harbour = await openHarbour()
  t.after(() => harbour.close())
  await surviveFirstStarts(harbour, everyMoment(), (line) => t.diagnostic(line))
})

test('O1 kill -9 of the server before and after every commit of publishing, of a new key, of a name and of the end of a person', async (t) => {
  const harbour = await openHarbour()
  t.after(() => harbour.close())
  await surviveAll(harbour, { ...coreStories, ...certificateStories }, everyMoment, (line) =>
    t.diagnostic(line),
  )
})

test('O1 A6 kill -9 of the server before and after every commit of a start that replaces the pin', async (t) => {
  const harbour = await openHarbour()
  t.after(() => harbour.close())
  const { kept, replaced } = await surviveReplacedPins(
    harbour,
    { moments: everyMoment(), withFiles: true },
    (line) => t.diagnostic(line),
  )
  assert.ok(kept > 0 && replaced > 0, `kept ${kept} times, replaced ${replaced} times`)
})
