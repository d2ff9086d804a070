/** The token with which this machine is logged in to a server: one line in a file of its own. */
import { utf8Decode } from '@seaworthy/std/bytes'
import { signInAgain } from '../ways-out.ts'
import { CliError } from '../failure.ts'
import type { CliPorts } from '../ports.ts'
import { keptFile, readKept, requireKeepable, writeKept } from './kept-files.ts'

const fileIn = (folder: string) => keptFile(folder, 'token')

/** Throws `CliError` where this machine is not logged in to the server of that name. */
export async function readToken(folder: string, server: string): Promise<string> {
  const file = fileIn(folder)
  const bytes = await readKept(file)
  const token = bytes === undefined ? undefined : parseToken(bytes)
  if (token !== undefined) return token
  const why = bytes === undefined ? '' : `: ${file.path} holds no token`
  throw new CliError('notAllowed', `this machine is not logged in to ${server}${why}`, {
    wayOut: signInAgain,
  })
}

function parseToken(bytes: Uint8Array): string | undefined {
  try {
    const token = utf8Decode(bytes).trim()
    return /^[\x21-\x7e]{1,4096}$/.test(token) ? token : undefined
  } catch {
    return undefined
  }
}

export async function storeToken(
  folder: string,
  token: string,
  ports: Pick<CliPorts, 'random'>,
): Promise<void> {
  await writeKept(fileIn(folder), `${token}\n`, ports)
}

/** Throws where a token could not be stored: before a server makes one, or ends the one in use. */
export async function requireTokenPlace(
  folder: string,
  ports: Pick<CliPorts, 'sleep' | 'signal' | 'random'>,
): Promise<void> {
  await requireKeepable(ports, fileIn(folder))
}
