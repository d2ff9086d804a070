/**
 * Lines of the log file that a caller can cause, as often as it likes to ask. Each caller has an
 * allowance for each event; a line beyond it is counted and left out, and no line has more of what
 * the caller sent than people need to find it. Without both, one token with no rights fills a disk.
 */
import { cutText } from '@seaworthy/std/printable'
import type { Allowance } from '@seaworthy/std/allowance'
import type { Log, LogFields } from '@seaworthy/std/log'
import type { Clock } from '@seaworthy/std/time'
import { secondMs } from '@seaworthy/std/time'
import type { CallerLog } from '../app.ts'
import { evenShareOf } from './budgets.ts'
import { createSpendings } from './spendings.ts'

/** The caller of what anybody may ask for; all of them share one allowance. */
export const anyone = 'anyone'

/** Lines of one event and caller. */
const lines: Allowance = { burst: 60, everyMs: 10 * secondMs }
const textMax = 300

/** Every worker counts for itself what is its share of the lines. */
export function createCallerLog(deps: {
  readonly log: Log
  readonly clock: Clock
  readonly workersCount: number
  /** Counts lines that were left out. */
  readonly leftOut: { add(amount: number): void }
}): CallerLog {
  const { log, leftOut } = deps
  const spendings = createSpendings(deps.clock, evenShareOf(lines, deps.workersCount))
  const write =
    (level: 'warn' | 'error'): CallerLog['warn'] =>
    (caller, event, fields = {}) => {
      if (spendings.spend(`${event} ${caller}`).isAllowed) log[level](event, shorten(fields))
      else leftOut.add(1)
    }
  return { warn: write('warn'), error: write('error') }
}

function shorten(fields: LogFields): LogFields {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      typeof value === 'string' && value.length > textMax ? `${cutText(value, textMax)}…` : value,
    ]),
  )
}
