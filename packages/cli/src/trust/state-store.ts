/**
 * The trust state of one server: the newest metadata that this machine has verified of it. If two
 * commands run at once, the one that finds the state changed under it begins again, so that neither
 * takes back what the other has verified.
 */
import { hash } from 'node:crypto'
import { join } from 'node:path'
import type { StateSlot, StateStore } from '@seaworthy/trust/tuf'
import { isTrustError, trustError } from '@seaworthy/trust/tuf'
import type { Context } from '../context.ts'
import { CliError } from '../failure.ts'
import { withFileLock } from '../state/file-lock.ts'
import type { KeptFile } from '../state/kept-files.ts'
import { DamagedFileError, keptFile, readKept, writeKept } from '../state/kept-files.ts'

/** Another command has changed the state since it was read. */
class OvertakenError extends Error {}

const triesMax = 20

/** The two generations of trust state of one server. */
export function trustStore(folder: string, { ports }: Pick<Context, 'ports'>): StateStore {
  const fileOf = (slot: StateSlot) => keptFile(folder, `trust/state-${slot}`)
  const seen = new Map<StateSlot, string>()
  return {
    async read(slot) {
      try {
        const bytes = await readKept(fileOf(slot))
        seen.set(slot, digestOf(bytes))
        return bytes
      } catch (error) {
        if (!(error instanceof DamagedFileError)) throw error
        seen.set(slot, damaged)
        throw trustError('state_unreadable', error.message, { cause: error })
      }
    },
    write: (slot, bytes) =>
      withFileLock(ports, join(folder, 'trust', 'state'), async () => {
        for (const [other, digest] of seen) {
          if ((await findDigest(fileOf(other))) !== digest) throw new OvertakenError()
        }
        await writeKept(fileOf(slot), bytes, ports)
        seen.set(slot, digestOf(bytes))
      }),
  }
}

const damaged = 'damaged'

function digestOf(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? 'absent' : hash('sha256', bytes, 'hex')
}

async function findDigest(file: KeptFile): Promise<string> {
  try {
    return digestOf(await readKept(file))
  } catch (error) {
    if (error instanceof DamagedFileError) return damaged
    throw error
  }
}

/**
 * Runs what reads and writes the trust state, again from its beginning while other commands have
 * changed it meanwhile. An unreadable state is named by its files.
 */
export async function usingTrustState<T>(folder: string, work: () => Promise<T>): Promise<T> {
  for (let tries = 1; tries <= triesMax; tries++) {
    try {
      return await work()
    } catch (error) {
      if (error instanceof OvertakenError) continue
      if (!isTrustError(error, 'state_unreadable')) throw error
      const { path } = keptFile(folder, 'trust/state-a')
      throw trustError('state_unreadable', `${path} and state-b beside it: ${error.message}`, {
        cause: error,
      })
    }
  }
  throw new CliError('failed', `other commands keep changing ${join(folder, 'trust')}`, {
    wayOut: 'See which `seaworthy` commands still run, and run this one again.',
  })
}
