/**
 * One command at a time changes a file: what another one has just written is read before it is
 * changed. The lock is one of the kernel on a file beside it, which ends with its holder.
 */
import { lstatSync } from 'node:fs'
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
  const lockPath = `${path}.lock`
  const lock = openLock(lockPath)
  try {
    for (let tries = 1; !isTaken(lock, lockPath); tries++) {
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

function openLock(lockPath: string): DatabaseSync {
  const facts = lstatSync(lockPath, { throwIfNoEntry: false })
  if (facts !== undefined && !facts.isFile()) throw unusable(lockPath)
  try {
    return new DatabaseSync(lockPath, { timeout: 0 })
  } catch (cause) {
    throw unusable(lockPath, cause)
  }
}

/** It is never replaced here: another command may hold what would be removed. */
function unusable(lockPath: string, cause?: unknown): CliError {
  return new CliError('failed', `${lockPath} cannot be used as a lock`, {
    cause,
    wayOut:
      'Nothing is kept in it: remove it while no other `seaworthy` command runs, and see that you may write to its folder.',
  })
}

/** Takes the lock where nobody has it. */
function isTaken(lock: DatabaseSync, lockPath: string): boolean {
  try {
    lock.exec('begin exclusive')
    return true
  } catch (error) {
    // The number that SQLite gives to `busy`.
    if (error instanceof Error && 'errcode' in error && error.errcode === 5) return false
    throw unusable(lockPath, error)
  }
}
