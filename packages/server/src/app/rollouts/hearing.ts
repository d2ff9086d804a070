/**
 * Keeps when devices were heard, for the question who is silent. Every worker notes in memory, and
 * tells the database.
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

/** Some device was heard just now. */
async function noteHearing(db: Db): Promise<void> {
  await db.write(async (tx) => {
    const before = await lockHearing(tx)
    await writeHearing(tx, hear(before, await tx.now()))
  })
}
