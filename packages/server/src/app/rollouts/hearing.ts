/**
 * Keeps when any device was last heard, so that an outage of the server makes no device silent.
 * Every worker notes it in memory and writes it to the database from time to time.
 */
import { hear } from '@seaworthy/fleet/rollouts'
import type { Db } from '../../db/connection.ts'
import { lockHearing, writeHearing } from '../../db/hearing.ts'
import type { HearingNotes } from '../app.ts'

export function createHearingNotes(db: Db): HearingNotes {
  let wasHeard = false
  return {
    note: () => {
      wasHeard = true
    },
    async store() {
      if (!wasHeard) return
      wasHeard = false
      try {
        await noteHearing(db)
      } catch (error) {
        wasHeard = true
        throw error
      }
    },
  }
}

/** Records in the database that some device was heard just now. */
async function noteHearing(db: Db): Promise<void> {
  await db.write(async (tx) => {
    const before = await lockHearing(tx)
    await writeHearing(tx, hear(before, await tx.now()))
  })
}
