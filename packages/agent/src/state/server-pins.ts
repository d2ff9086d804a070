/**
 * The pins of the server that the device keeps. The configuration names one; the server announces
 * the next one before it changes its key, and the device keeps both until it has.
 */
import { utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import type { HeardPins, Pins } from '@seaworthy/std/pins'
import { formatKeptPins, keepPins, keptPinsBytesMax, parseKeptPins } from '@seaworthy/std/pins'
import type { Disk } from '../ports.ts'
import type { Layout } from './layout.ts'
import { replaceFile } from './replace-file.ts'

export interface ServerPins {
  /** `undefined` where the server is not known by a pin. */
  readonly kept: Pins | undefined
  /** Keeps what an answer said, durably before it resolves. Answers whether that was news. */
  hear(heard: HeardPins): Promise<boolean>
}

export async function openServerPins(
  disk: Disk,
  layout: Layout,
  configured: string | undefined,
): Promise<ServerPins> {
  const path = `${layout.trust}/server-pins`
  const bytes = configured === undefined ? undefined : await disk.read(path, keptPinsBytesMax)
  let kept: Pins | undefined
  if (configured !== undefined) {
    kept = bytes === undefined ? [configured] : parseKeptPins(configured, utf8Decode(bytes))
  }
  return {
    get kept() {
      return kept
    },
    async hear(heard) {
      if (configured === undefined || kept === undefined) return false
      const next = keepPins(kept, heard)
      if (next === kept) return false
      await replaceFile(disk, path, utf8Encode(formatKeptPins(configured, next)))
      kept = next
      return true
    },
  }
}
