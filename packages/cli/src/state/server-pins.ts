/**
 * The pins of a server that this command line keeps. The pairing names one; the server announces
 * the next one before it changes its key, and both are kept until it has.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { utf8Decode } from '@seaworthy/std/bytes'
import type { HeardPins, Pins } from '@seaworthy/std/pins'
import { formatKeptPins, keepPins, keptPinsBytesMax, parseKeptPins } from '@seaworthy/std/pins'
import type { Random } from '@seaworthy/std/random'
import { readIfThere, writeDurably } from './files.ts'

const pathIn = (folder: string) => join(folder, 'pins')

export async function readServerPins(folder: string, configured: string): Promise<Pins> {
  const bytes = await readIfThere(pathIn(folder), keptPinsBytesMax)
  return bytes === undefined ? [configured] : parseKeptPins(configured, utf8Decode(bytes))
}

/**
 * Keeps what an answer said, and answers all that is kept. The file is read again, because another
 * command may have heard more meanwhile.
 */
export async function hearServerPins(
  folder: string,
  configured: string,
  heard: HeardPins,
  random: Random,
): Promise<Pins> {
  const kept = await readServerPins(folder, configured)
  const next = keepPins(kept, heard)
  if (next !== kept)
    await writeDurably(pathIn(folder), formatKeptPins(configured, next), { random })
  return next
}

/** Somebody pairs again: only the pin that they give counts. */
export async function forgetServerPins(folder: string): Promise<void> {
  await rm(pathIn(folder), { force: true })
}
