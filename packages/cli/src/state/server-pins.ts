/**
 * The pins of a server that this command line keeps. The pairing names one; the server announces
 * the next one before it changes its key, and both are kept until it has.
 */
import { rm } from 'node:fs/promises'
import { utf8Decode } from '@seaworthy/std/bytes'
import type { HeardPins, Pins } from '@seaworthy/std/pins'
import { formatKeptPins, keepPins, parseKeptPins } from '@seaworthy/std/pins'
import type { CliPorts } from '../ports.ts'
import { changeKept, keptFile, parseKept, readKept } from './kept-files.ts'

const fileIn = (folder: string) => keptFile(folder, 'pins')

export async function readServerPins(folder: string, configured: string): Promise<Pins> {
  return await parsePins(folder, configured, await readKept(fileIn(folder)))
}

async function parsePins(
  folder: string,
  configured: string,
  bytes: Uint8Array<ArrayBuffer> | undefined,
): Promise<Pins> {
  if (bytes === undefined) return [configured]
  return await parseKept(fileIn(folder), bytes, (text) =>
    parseKeptPins(configured, utf8Decode(text)),
  )
}

/**
 * Keeps what an answer said, and answers all that is kept. The file is read again, because another
 * command may have heard more meanwhile.
 */
export async function hearServerPins(
  folder: string,
  configured: string,
  heard: HeardPins,
  ports: Pick<CliPorts, 'sleep' | 'signal' | 'random'>,
): Promise<Pins> {
  let next: Pins = [configured]
  await changeKept(ports, fileIn(folder), async (bytes) => {
    const kept = await parsePins(folder, configured, bytes)
    next = keepPins(kept, heard)
    return next === kept ? undefined : formatKeptPins(configured, next)
  })
  return next
}

/** Somebody pairs again: only the pin that they give counts. */
export async function forgetServerPins(folder: string): Promise<void> {
  await rm(fileIn(folder).path, { recursive: true, force: true })
}
