import { test } from 'node:test'
import type { Moment } from './kill-nine.fixture.ts'
import { openHarbour, surviveAll, surviveFirstStarts } from './kill-nine.fixture.ts'

/** One moment of each change; `kill-nine.long.test.ts` takes all of them. */
const moments: Readonly<Record<string, Moment>> = {
  'publishing a release': { number: 3, moment: 'after' },
  'changing the key of the server': { number: 2, moment: 'before' },
  'disabling a person': { number: 1, moment: 'after' },
}

test('O1 kill -9 of the server at a commit of its first start, of publishing, of a new key and of the end of a person: all or nothing, and it goes on', async (t) => {
  const harbour = await openHarbour()
  t.after(() => harbour.close())
  const tell = (line: string) => t.diagnostic(line)
  await surviveFirstStarts(harbour, [{ number: 4, moment: 'after' }], tell)
  await surviveAll(harbour, (story) => [moments[story]!], tell)
})
