/** What a thief of all files of a server finds. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { base64Encode, hexEncode, utf8Encode } from '@seaworthy/std/bytes'
import type { TestedServer } from './server.ts'

async function* filesBelow(folder: string): AsyncGenerator<string> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* filesBelow(path)
    else if (entry.isFile()) yield path
  }
}

/** Names of files of the server, its database included, that hold one of the texts. */
export async function grepServer(
  server: TestedServer,
  texts: readonly string[],
): Promise<string[]> {
  const found: string[] = []
  for await (const path of filesBelow(server.folder)) {
    // A file of the running database may be gone by now.
    const bytes = await readFile(path).catch(() => undefined)
    if (bytes !== undefined && texts.some((text) => bytes.includes(text))) found.push(path)
  }
  if (texts.some((text) => server.log().includes(text))) found.push('the log')
  return found
}

/** Processes of this machine whose arguments hold one of the texts. */
export async function grepArguments(texts: readonly string[]): Promise<string[]> {
  const found: string[] = []
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    // A process may have ended by now.
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    if (texts.some((text) => line.includes(text))) found.push(line.replaceAll('\0', ' '))
  }
  return found
}

/** A secret in clear, or nearly so. */
export const formsOf = (text: string) => [
  text,
  base64Encode(utf8Encode(text)),
  hexEncode(utf8Encode(text)),
]
