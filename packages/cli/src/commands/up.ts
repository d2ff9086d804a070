/**
 * `seaworthy up`: runs the server in the foreground. Its options are the server's own; this passes
 * them on.
 */
import type { Command } from 'commander'
import { dirname, join } from 'node:path'
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
  const server = findServer()
  if (options['webFolder'] === undefined) {
    const folder = await preparePages(ports)
    if (folder !== undefined) args.push('--web-folder', folder)
  }
  const exitCode = await ports.runForeground(server, args)
  if (exitCode !== 0) throw new ExitCodeError(exitCode)
}

/**
 * The folder of the pages for browsers. In a checkout they are built first, if they are missing or
 * older than their sources; a package carries them built. `undefined` where neither is installed:
 * the server then serves no pages.
 */
async function preparePages(ports: CliPorts): Promise<string | undefined> {
  const program = pathOf(() => import.meta.resolve('@seaworthy/web/build'))
  if (program === undefined) {
    const packed = pathOf(() => import.meta.resolve('@seaworthy/web/pages'))
    return packed && dirname(packed)
  }
  const exitCode = await ports.runForeground(program, [])
  if (exitCode !== 0) {
    throw new CliError('failed', 'the pages that browsers get could not be built', {
      wayOut:
        'Run “npm ci” in the checkout and try again, or name pages built elsewhere with --web-folder.',
    })
  }
  return join(dirname(dirname(program)), 'dist/current')
}

/** The path that is found; `undefined` where no such file is installed. */
function pathOf(find: () => string): string | undefined {
  try {
    return fileURLToPath(find())
  } catch {
    return undefined
  }
}

/** A program beside ours, found by its package name; it is started, never imported. */
function findServer(): string {
  const server = pathOf(() => import.meta.resolve('@seaworthy/server/main'))
  if (server !== undefined) return server
  throw new CliError('failed', 'the server is not installed beside this command line', {
    wayOut: 'Install the package @seaworthy/server, or run this from a checkout.',
  })
}
