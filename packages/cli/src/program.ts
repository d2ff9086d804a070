/** Runs the command line, and says how it ended. */
import { CommanderError } from 'commander'
import type { Command } from 'commander'
import { TransportError } from '@seaworthy/std/http'
import { describeError } from '@seaworthy/std/log'
import { createProgram } from './command-tree.ts'
import type { ExitCode } from './failure.ts'
import { describeFailure, ExitCodeError, exitCodes } from './failure.ts'
import { harmless } from './output/format.ts'
import { createPaint } from './output/paint.ts'
import type { CliPorts } from './ports.ts'

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
  const isInterruption =
    error === ports.signal.reason || (error instanceof TransportError && error.code === 'aborted')
  if (ports.signal.aborted && isInterruption) {
    ports.err.write(`seaworthy: ${what}: interrupted\n`)
    return
  }
  const code = failure.code === undefined ? '' : ` (${harmless(failure.code)})`
  ports.err.write(`${paint.red(`seaworthy: ${what}:`)} ${harmless(failure.why)}${code}\n`)
  if (failure.wayOut !== undefined) ports.err.write(`${failure.wayOut}\n`)
  if (options.verbose !== true) return
  for (let cause = describeError(error); ;) {
    ports.err.write(
      `${paint.dim(harmless(cause.stack ?? `${cause.name}: ${cause.message}`).replaceAll('\\u{a}', '\n'))}\n`,
    )
    if (cause.cause === undefined || typeof cause.cause === 'string') return
    cause = cause.cause
  }
}
