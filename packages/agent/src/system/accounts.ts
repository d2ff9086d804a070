/** Accounts of this machine, for giving up root. */
import { readFileSync } from 'node:fs'
import { Refusal } from '@seaworthy/std/refusal'
import type { ConfigRefusal } from '../refusals.ts'
import type { Account } from './processes.ts'

function findAccount(name: string): Account | undefined {
  for (const line of readFileSync('/etc/passwd', 'utf8').split('\n')) {
    const fields = line.split(':')
    if (fields[0] === name) return { uid: Number(fields[2]), gid: Number(fields[3]) }
  }
  return undefined
}

/**
 * Who a child process runs as. Only root can choose: an account that is named must exist, and where none is named, `preset` is
 * taken if the machine has it. `undefined` means: as the agent itself.
 */
export function chooseAccount(
  isRoot: boolean,
  named: string | undefined,
  preset: string | undefined,
  member: string,
): Account | undefined {
  if (!isRoot) return undefined
  if (named === undefined) return preset === undefined ? undefined : findAccount(preset)
  const account = findAccount(named)
  if (account !== undefined) return account
  throw new Refusal<ConfigRefusal>('config_malformed', `${member}: there is no account ${named}`)
}
