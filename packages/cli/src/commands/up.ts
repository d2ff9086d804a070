/**
 * `seaworthy up`: runs the server in the foreground. Its options are the server's own; this passes
 * them on.
 */
import type { Command } from 'commander'
import { parseListenAddress, upOptions, upVariablesText } from '@seaworthy/api/up-options'
import { quoted } from '@seaworthy/std/printable'
import { CliError, ExitCodeError } from '../failure.ts'
import type { ExitCode } from '../exit-codes.ts'
import { addHelpBelow } from '../help.ts'
import type { CliPorts } from '../ports.ts'
import { addProgramOptions, findProgram, handOn, jsonOf } from '../server-program.ts'
import { preparePages } from '../web-pages.ts'

export function addUpCommand(program: Command, ports: CliPorts): void {
  const command = program.command('up').description('run the server on this machine')
  addProgramOptions(command, upOptions)
  addHelpBelow(command, upVariablesText).action(
    async (options: Record<string, string | string[] | boolean>) => up(ports, command, options),
  )
}

async function up(
  ports: CliPorts,
  command: Command,
  options: Record<string, string | string[] | boolean>,
): Promise<void> {
  // The pages take a while to build: so options are checked first.
  for (const option of ['listen', 'httpListen'] as const) requireAddress(option, options[option])
  const args = handOn(command, options)
  const server = findProgram(() => import.meta.resolve('@seaworthy/server/main'))
  const isServedFrom = options['webFolder'] ?? ports.environment['SEAWORTHY_WEB_FOLDER']
  if (isServedFrom === undefined && options['printConfig'] !== true) {
    const folder = await preparePages(ports)
    if (folder !== undefined) args.push('--web-folder', folder)
  }
  const exitCode = await ports.runForeground(server, [...args, ...jsonOf(command)])
  if (exitCode !== 0) throw new ExitCodeError(exitCode as ExitCode)
}

function requireAddress(option: 'listen' | 'httpListen', given: unknown): void {
  if (typeof given !== 'string' || parseListenAddress(given) !== undefined) return
  const name = option === 'listen' ? '--listen' : '--http-listen'
  throw new CliError('usage', `${name}: ${quoted(given)} is not of the form HOST:PORT`, {
    wayOut: 'For example 0.0.0.0:443 or [::]:443; port 0 takes a free one.',
  })
}
