/** `seaworthy completion SHELL`, and what its scripts ask while somebody types. */
import { Argument } from 'commander'
import type { Command } from 'commander'
import { listDevices } from '@seaworthy/api/devices'
import { listFleets } from '@seaworthy/api/fleets'
import { listRollouts } from '@seaworthy/api/rollouts'
import type { Shell, WordKind } from '../completion.ts'
import { formatCompletion, shells, wordKinds } from '../completion.ts'
import { wordsCommand } from '../completion-words.ts'
import type { Context } from '../context.ts'
import { withContext } from '../context.ts'
import { ExitCodeError } from '../failure.ts'
import { exitCodes } from '../exit-codes.ts'
import type { CliPorts } from '../ports.ts'
import type { Connection } from '../connection.ts'
import { withConnection } from '../connection.ts'

export function addCompletionCommand(program: Command, ports: CliPorts): void {
  program
    .command('completion')
    .description('print a completion script; its first line says where to put it')
    .addArgument(new Argument('<shell>', 'your shell').choices(shells))
    .action((shell: Shell) => ports.out.write(formatCompletion(program, shell)))
  program
    .command(wordsCommand, { hidden: true })
    .description('what completion scripts ask: names that the server knows')
    .addArgument(new Argument('<kind>', 'of what').choices(wordKinds))
    .action(withContext(ports, printWords))
}

/** A user waits no longer than this for a completion. */
const waitMsMax = 4000
const wordsMax = 100

/**
 * Prints one word per line, with its description behind a tab. It prints nothing where the server
 * cannot be asked.
 */
async function printWords(context: Context, kind: WordKind): Promise<void> {
  const { ports } = context
  const over = new AbortController()
  const answered = new AbortController()
  void ports.sleep(waitMsMax, answered.signal).then(
    () => over.abort(),
    () => {},
  )
  const signal = AbortSignal.any([ports.signal, over.signal])
  try {
    const words = await withConnection({ ...context, ports: { ...ports, signal } }, (connection) =>
      askWords(connection, kind),
    )
    for (const [word, text] of words) {
      // Shells expand what they are given, so words that could mean something to one of them are
      // left out.
      if (!/^[A-Za-z0-9._-]+$/.test(word)) continue
      ports.out.write(`${word}\t${text.replaceAll(/[^A-Za-z0-9 ._,@-]/g, '')}\n`)
    }
  } catch {
    // A user who presses Tab wants words or nothing, not a message in the middle of a line.
    throw new ExitCodeError(exitCodes.failed)
  } finally {
    answered.abort()
  }
}

async function askWords(
  { client }: Connection,
  kind: WordKind,
): Promise<(readonly [word: string, text: string])[]> {
  const query = { limit: wordsMax }
  switch (kind) {
    case 'fleet': {
      const { items } = await client.call(listFleets, { query })
      return items.map(({ name, product, channel }) => [name, `${product} ${channel}`])
    }
    case 'rollout': {
      const { items } = await client.call(listRollouts, { query })
      return items.map(({ id, fleet, version, state }) => [id, `${version} to ${fleet}, ${state}`])
    }
    case 'device': {
      const { items } = await client.call(listDevices, { query })
      return items.map(({ id, name, fleet }) => [id, `${name ?? ''} in ${fleet}`.trim()])
    }
  }
}
