import { test } from 'node:test'
import { everyMoment, openHarbour, surviveAll, surviveFirstStarts } from './kill-nine.fixture.ts'

test('O1 kill -9 of the server before and after every commit of its first start', async (t) => {
  const harbour = await openHarbour()
  t.after(() => harbour.close())
  await surviveFirstStarts(harbour, everyMoment(), (line) => t.diagnostic(line))
})

test('O1 kill -9 of the server before and after every commit of publishing, of a new key and of the end of a person', async (t) => {
  const harbour = await openHarbour()
  t.after(() => harbour.close())
  await surviveAll(harbour, everyMoment, (line) => t.diagnostic(line))
})
