/**
 * Devices that said something new, told at most once a second by each worker, however many there
 * are: a note for each would be work for every worker and replica.
 */
import { secondMs } from '@seaworthy/std/time'
import type { Db } from '../../db/connection.ts'
import { formatNote } from '../../db/event-notes.ts'
import { notifyEvent } from '../../db/events.ts'
import type { App } from '../app.ts'
import { anyone } from '../worker/index.ts'

const everyMs = secondMs
/** How many of one second are named; pages read their lists anew in any case. */
const namedMax = 20

export type NoteHeard = (deviceIds: readonly string[]) => void

export function createHeardDevices(
  db: Pick<Db, 'write'>,
  { callerLog, sleep }: Pick<App, 'callerLog' | 'sleep'>,
): NoteHeard {
  let waiting = new Set<string>()
  let isRunning = false
  const run = async () => {
    isRunning = true
    try {
      while (waiting.size > 0) {
        const ids = waiting
        waiting = new Set()
        await db.write(async (tx) => {
          for (const id of ids) await notifyEvent(tx, formatNote({ noun: 'device', id }))
        })
        await sleep(everyMs)
      }
    } catch (error) {
      callerLog.warn(anyone, 'events.not-noted', { error })
    } finally {
      isRunning = false
    }
  }
  return (deviceIds) => {
    for (const id of deviceIds) if (waiting.size < namedMax) waiting.add(id)
    if (!isRunning) void run()
  }
}
