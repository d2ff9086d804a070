/**
 * Gives audit entries their places in the log. A database that contradicts what this host remembers
 * of the log gets no further signature until a person has looked.
 */
import { secondMs } from '@seaworthy/std/time'
import type { TreeHead } from '@seaworthy/trust/tlog'
import type { App } from '../app/app.ts'
import type { LogKeeper } from '../app/access/index.ts'
import { readCheckpoint, sequenceEntries } from '../app/access/index.ts'
import type { Task } from './leader.ts'
import type { LogMemory } from './audit-log-memory.ts'

const everyMs = 500
/** How long entries gather before the next checkpoint is signed. */
const gatherMs = 30
/** If the pause was longer, another worker may have led in the meantime. */
const pauseMaxMs = 5 * secondMs

export function createLogSequencer(
  app: Pick<App, 'clock' | 'db' | 'sleep'>,
  keeper: LogKeeper,
  memory: LogMemory,
): Task {
  let remembered: TreeHead | undefined
  let checkedAtMs = 0

  return {
    name: 'log-sequencer',
    everyMs,
    async run() {
      if (remembered === undefined || app.clock.monotonicMs() - checkedAtMs > pauseMaxMs) {
        remembered = undefined
        remembered = await memory.compare()
      }
      for (;;) {
        checkedAtMs = app.clock.monotonicMs()
        const head = await sequenceEntries(app.db, keeper, remembered, app.clock.now())
        if (head === undefined) break
        const { checkpoint, size } = await readCheckpoint(app.db.reader)
        if (size > remembered.size) {
          await memory.keep(checkpoint)
          remembered = head
        }
        if (!head.isMore) await app.sleep(gatherMs)
      }
    },
  }
}
