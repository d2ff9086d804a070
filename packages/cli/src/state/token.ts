/** The token with which this machine is logged in to a server: one line in a file of its own. */
import { join } from 'node:path'
import { utf8Decode } from '@seaworthy/std/bytes'
import type { Random } from '@seaworthy/std/random'
import { signInAgain } from '../ways-out.ts'
import { CliError } from '../failure.ts'
import { readIfThere, writeDurably } from './files.ts'

const tokenBytesMax = 4096

function tokenPath(folder: string): string {
  return join(folder, 'token')
}

/** Throws `CliError` where this machine is not logged in to the server of that name. */
export async function readToken(folder: string, server: string): Promise<string> {
  const bytes = await readIfThere(tokenPath(folder), tokenBytesMax)
  const token = bytes === undefined ? '' : utf8Decode(bytes).trim()
  if (!/^[\x21-\x7e]{1,4096}$/.test(token)) {
    throw new CliError('notAllowed', `this machine is not logged in to ${server}`, {
      wayOut: signInAgain,
    })
  }
  return token
}

export async function storeToken(
  folder: string,
  token: string,
  ports: { readonly random: Random },
): Promise<void> {
  await writeDurably(tokenPath(folder), `${token}\n`, { random: ports.random })
}
