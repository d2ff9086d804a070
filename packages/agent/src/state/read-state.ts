/**
 * Files that the device keeps about itself. One that is there and cannot be read, because it is too
 * long, a folder, a link, or on a failing disk, is damaged like one of another content.
 */
import { TrustError } from '@seaworthy/std/refusal'
import type { Disk } from '../ports.ts'
import { DiskError } from '../ports.ts'
import type { StateFault } from '../refusals.ts'

/** `undefined` where there is none. Throws `TrustError<'state_unreadable'>`. */
export async function readStateFile(
  disk: Disk,
  path: string,
  bytesMax: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    return await disk.read(path, bytesMax)
  } catch (cause) {
    if (!(cause instanceof DiskError)) throw cause
    throw stateUnreadable(cause.message, cause)
  }
}

/** `what` names the file and what is wrong with it. */
export function stateUnreadable(what: string, cause?: unknown): TrustError<StateFault> {
  return new TrustError<StateFault>(
    'state_unreadable',
    `${what}. What runs goes on, and nothing is installed: restore the file from a backup of this device, or set the device up anew`,
    { cause },
  )
}

export function isStateUnreadable(error: unknown): error is TrustError<StateFault> {
  return error instanceof TrustError && error.code === ('state_unreadable' satisfies StateFault)
}
