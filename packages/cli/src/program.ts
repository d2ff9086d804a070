/** The tree of commands. Built from the ports, so that help, completion and tests see the same one as users. */
import { Command, CommanderError } from 'commander'
import { TransportError } from '@seaworthy/std/http'
import { describeError } from '@seaworthy/std/log'
import { addChannelCommands } from './commands/channels.ts'
import { addCompletionCommand } from './commands/completion.ts'
import { addDemoCommand } from './commands/demo/demo.ts'
import { addDeviceCommands } from './commands/devices.ts'
import { addFleetCommands } from './commands/fleets.ts'
import { addKeyCommands } from './commands/keys.ts'
import { addLogCommands } from './commands/log.ts'
import { addLoginCommands } from './commands/login.ts'
import { addProductCommands } from './commands/products.ts'
import { addProposalCommands } from './commands/proposals.ts'
import { addProvisioningKeyCommands } from './commands/provisioning-keys.ts'
import { addPublishCommands, addReleaseCommands } from './commands/releases/index.ts'
import { addTokenCommands } from './commands/tokens.ts'
import { addTrustCommands } from './commands/trust.ts'
import { addTufCommands } from './commands/tuf.ts'
import { addUpCommand } from './commands/up.ts'
import type { ExitCode } from './failure.ts'
import { describeFailure, ExitCodeError, exitCodes } from './failure.ts'
import { harmless } from './output/format.ts'
import { createPaint } from './output/paint.ts'
import type { CliPorts } from './ports.ts'

/** Each of these adds its commands to the program, in the order of `--help`. */
const additions: readonly ((program: Command, ports: CliPorts) => void)[] = [
  addUpCommand,
  addDemoCommand,
  addLoginCommands,
  addKeyCommands,
  addTrustCommands,
  addProductCommands,
  addChannelCommands,
  addReleaseCommands,
  addPublishCommands,
  addProposalCommands,
  addFleetCommands,
  addProvisioningKeyCommands,
  addDeviceCommands,
  addTokenCommands,
  addLogCommands,
  addTufCommands,
  addCompletionCommand,
]

const exitText = `
Exit codes: 0 done, 1 failed, 2 usage, 3 refused by a policy or verification, 4 not allowed, 5 not found, 6 unreachable.`

export function createProgram(ports: CliPorts): Command {
  const program = new Command('seaworthy')
    .description(
      'Ships software to fleets of Linux machines without trusting the servers in the middle.',
    )
    .option('--json', 'print data as JSON')
    .option('--server <name>', 'the paired server to talk to (default: the one of the last login)')
    .option(
      '--config-dir <dir>',
      'where pairing, trust and log state are kept (default: $SEAWORTHY_CONFIG)',
    )
    .option('--yes', 'do not ask for confirmation')
    .option('--no-color', 'no colours (NO_COLOR in the environment does the same)')
    .option('--verbose', 'show the causes of an error')
    .version('0.1.0', '--version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .addHelpText('after', exitText)
    .showSuggestionAfterError()
  for (const add of additions) add(program, ports)
  settle(program, ports)
  return program
}

/** The same ways for every command below: no exit, no own printing, the width of the terminal. */
function settle(command: Command, ports: CliPorts): void {
  command
    .exitOverride()
    .configureOutput({
      writeOut: (text) => ports.out.write(text),
      writeErr: (text) => ports.err.write(text),
      getOutHelpWidth: () => (ports.out.isTerminal ? ports.out.columns : 100),
      getErrHelpWidth: () => (ports.err.isTerminal ? ports.err.columns : 100),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
      outputError: (text, write) => write(text.replace(/^error: /, 'seaworthy: usage: ')),
    })
    .configureHelp({ showGlobalOptions: false, sortSubcommands: false })
  for (const child of command.commands) settle(child, ports)
}

/** Runs the command line to its end. Never throws, never exits; gives the exit code. */
export async function runCli(args: readonly string[], ports: CliPorts): Promise<ExitCode> {
  const program = createProgram(ports)
  let running = 'start'
  program.hook('preAction', (_program, action) => {
    running = commandPath(action)
  })
  try {
    await program.parseAsync(args, { from: 'user' })
    return exitCodes.done
  } catch (error) {
    if (error instanceof CommanderError)
      return error.exitCode === 0 ? exitCodes.done : exitCodes.usage
    if (error instanceof ExitCodeError) return error.exitCode as ExitCode
    reportFailure(error, running, program, ports)
    return describeFailure(error).exitCode
  }
}

/** `proposal sign`, without the name of the program. */
function commandPath(command: Command): string {
  const names: string[] = []
  for (let at: Command | null = command; at?.parent; at = at.parent) names.unshift(at.name())
  return names.join(' ')
}

function reportFailure(error: unknown, what: string, program: Command, ports: CliPorts): void {
  const options = program.opts<{ verbose?: boolean; color?: boolean }>()
  const failure = describeFailure(error)
  const paint = createPaint({
    isTerminal: ports.err.isTerminal,
    wantsColour: options.color ?? true,
    noColor: ports.environment['NO_COLOR'],
  })
  if (ports.signal.aborted && error instanceof TransportError && error.code === 'aborted') {
    ports.err.write(`seaworthy: ${what}: interrupted\n`)
    return
  }
  const code = failure.code === undefined ? '' : ` (${harmless(failure.code)})`
  ports.err.write(`${paint.red(`seaworthy: ${what}:`)} ${harmless(failure.why)}${code}\n`)
  if (failure.wayOut !== undefined) ports.err.write(`${failure.wayOut}\n`)
  if (options.verbose !== true) return
  for (let cause = describeError(error); ;) {
    ports.err.write(
      `${paint.dim(harmless(cause.stack ?? `${cause.name}: ${cause.message}`).replaceAll('\\u000a', '\n'))}\n`,
    )
    if (cause.cause === undefined || typeof cause.cause === 'string') return
    cause = cause.cause
  }
}
