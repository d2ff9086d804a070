/**
 * `seaworthy up`: runs the server in the foreground. Its options are the server's own; this passes
 * them on.
 */
import type { Command } from 'commander'
import { fileURLToPath } from 'node:url'
import { upOptions, upVariablesText } from '@seaworthy/api/up-options'
import { CliError, ExitCodeError } from '../failure.ts'
import { addHelpBelow } from '../help.ts'
import { collect } from '../options.ts'
import type { CliPorts } from '../ports.ts'

export function addUpCommand(program: Command, ports: CliPorts): void {
  const command = program.command('up').description('run the server on this machine')
  for (const option of upOptions) {
    const flags = 'value' in option ? `--${option.name} <${option.value}>` : `--${option.name}`
    if ('isRepeatable' in option) command.option(flags, option.text, collect)
    else command.option(flags, option.text)
  }
  addHelpBelow(command, upVariablesText).action(
    async (options: Record<string, string | string[] | boolean>) => up(ports, command, options),
  )
}

async function up(
  ports: CliPorts,
  command: Command,
  options: Record<string, string | string[] | boolean>,
): Promise<void> {
  const args = command.options.flatMap((option) => {
    const value = options[option.attributeName()]
    // An option `--no-…` is a switch that is on unless it is given.
    if (option.negate) return value === false ? [option.long!] : []
    if (value === undefined || value === false) return []
    return value === true ? [option.long!] : [value].flat().flatMap((one) => [option.long!, one])
  })
  const exitCode = await ports.runForeground(findServer(), args)
  if (exitCode !== 0) throw new ExitCodeError(exitCode)
}

/** A program beside ours, found by its package name; it is started, never imported. */
function findServer(): string {
  try {
    return fileURLToPath(import.meta.resolve('@seaworthy/server/main'))
  } catch (cause) {
    throw new CliError('failed', 'the server is not installed beside this command line', {
      cause,
      wayOut: 'Install the package @seaworthy/server, or run this from a checkout.',
    })
  }
}
