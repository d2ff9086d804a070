/**
 * One command at a time changes a file: what another one has just written is read before it is
 * changed. The lock is one of the kernel on a file beside it, which ends with its holder.
 */
import { DatabaseSync } from 'node:sqlite'
import { CliError } from '../failure.ts'
import type { CliPorts } from '../ports.ts'

const triesMax = 600
const pauseMs = 50

export async function withFileLock<T>(
  { sleep, signal }: Pick<CliPorts, 'sleep' | 'signal'>,
  path: string,
  work: () => Promise<T>,
): Promise<T> {
  const lock = new DatabaseSync(`${path}.lock`, { timeout: 0 })
  try {
    for (let tries = 1; !isTaken(lock); tries++) {
      if (tries === triesMax) {
        throw new CliError('failed', `another command has been changing ${path} for long`, {
          wayOut: 'See which `seaworthy` command still runs, and end it.',
        })
      }
      await sleep(pauseMs, signal)
    }
    return await work()
  } finally {
    lock.close()
  }
}

/** Takes the lock where nobody has it. */
function isTaken(lock: DatabaseSync): boolean {
  try {
    lock.exec('begin exclusive')
    return true
  } catch (error) {
    // The number that SQLite gives to `busy`.
    if (error instanceof Error && 'errcode' in error && error.errcode === 5) return false
    throw error
  }
}
