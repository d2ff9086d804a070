/** Runs the command line, and says how it ended. */
import type { Command } from 'commander'
import { TransportError } from '@seaworthy/std/http'
import { describeError } from '@seaworthy/std/log'
import { createProgram } from './command-tree.ts'
import type { Failure } from './failure.ts'
import type { ExitCode } from './exit-codes.ts'
import { fillWayOut } from './fill-way-out.ts'
import { describeFailure, ExitCodeError } from './failure.ts'
import { exitCodes } from './exit-codes.ts'
import { harmless } from './output/format.ts'
import { printableJson } from '@seaworthy/std/printable'
import { harmlessLine } from './output/harmless.ts'
import { createPaint } from './output/paint.ts'
import { commandPath, ParseEnd } from './parse-end.ts'
import type { CliPorts } from './ports.ts'

/** Runs the command line to its end. It never throws or exits; it returns the exit code. */
export async function runCli(args: readonly string[], ports: CliPorts): Promise<ExitCode> {
  const isJson = args
    .slice(0, args.includes('--') ? args.indexOf('--') : undefined)
    .includes('--json')
  const program = await createProgram(ports, args)
  let running = ''
  let begun: Command | undefined
  program.hook('preAction', (_program, action) => {
    running = commandPath(action)
    begun = action
  })
  try {
    await program.parseAsync(args, { from: 'user' })
    return exitCodes.done
  } catch (error) {
    if (error instanceof ParseEnd) {
      if (error.cause.exitCode === 0) return exitCodes.done
      running = error.command
      // Without a subcommand the help is there already, and says more than an error could.
      if (error.cause.code === 'commander.help' && !isJson) return exitCodes.usage
    }
    if (error instanceof ExitCodeError && (!isJson || error.cause === undefined)) {
      return error.exitCode
    }
    const failure = filled(withHelp(describeEnd(error, ports), running), begun)
    if (isJson) writeJson(ports, running, failure)
    else reportFailure(error, failure, { what: running, program, ports })
    return failure.exitCode
  }
}

function describeEnd(error: unknown, { signal }: CliPorts): Failure {
  if (error instanceof ParseEnd) return describeUsage(error)
  const isInterruption =
    error === signal.reason || (error instanceof TransportError && error.code === 'aborted')
  if (!signal.aborted || !isInterruption) return describeFailure(error)
  return { exitCode: exitCodes.failed, why: 'interrupted' }
}

/** Turns a message of commander into one sentence. */
function describeUsage({ command, cause: { code, message }, options }: ParseEnd): Failure {
  const text = message.replace(/^error: /, '').replaceAll('\n', ' ')
  if (code === 'commander.excessArguments' && options.length > 0) {
    return {
      exitCode: exitCodes.usage,
      why: text,
      wayOut: `Give names by options: ${options.slice(0, 8).join(', ')}. See \`seaworthy ${command} --help\`.`,
    }
  }
  return {
    exitCode: exitCodes.usage,
    why: code === 'commander.help' ? 'a subcommand is missing' : text,
  }
}

/** The help of a command is the way out of any mistake in how it was called. */
function withHelp(failure: Failure, command: string): Failure {
  if (failure.exitCode !== exitCodes.usage || failure.wayOut !== undefined) return failure
  const name = ['seaworthy', command, '--help'].filter(Boolean).join(' ')
  return { ...failure, wayOut: `See \`${name}\`.` }
}

/** A way out that names what the command that began was given. */
function filled(failure: Failure, begun: Command | undefined): Failure {
  if (failure.wayOut === undefined || begun === undefined) return failure
  const values = begun.processedArgs as readonly unknown[]
  const given = {
    noun: commandPath(begun).split(' ')[0]!,
    args: Object.fromEntries(begun.registeredArguments.map((one, i) => [one.name(), values[i]])),
    options: Object.fromEntries(
      begun.options.map((one) => [one.name(), begun.getOptionValue(one.attributeName())]),
    ),
  }
  return { ...failure, wayOut: fillWayOut(failure.wayOut, given) }
}

/** The meaning of each exit code, where no code says more. */
const codeOfExit: Readonly<Record<ExitCode, string>> = {
  0: 'done',
  1: 'failed',
  2: 'usage',
  3: 'refused',
  4: 'not_allowed',
  5: 'not_found',
  6: 'unreachable',
}

/** Scripts read one line, the last of the error stream. */
function writeJson(
  ports: CliPorts,
  command: string,
  { exitCode, code, why, wayOut }: Failure,
): void {
  const error = {
    command: command === '' ? 'seaworthy' : command,
    exitCode,
    code: code ?? codeOfExit[exitCode],
    message: why,
    wayOut,
  }
  ports.err.write(`${printableJson(JSON.stringify(error))}\n`)
}

function reportFailure(
  error: unknown,
  failure: Failure,
  { what, program, ports }: { what: string; program: Command; ports: CliPorts },
): void {
  const options = program.opts<{ verbose?: boolean; color?: boolean }>()
  const paint = createPaint({
    isTerminal: ports.err.isTerminal,
    wantsColour: options.color ?? true,
    noColor: ports.environment['NO_COLOR'],
  })
  const code = failure.code === undefined ? '' : ` (${harmless(failure.code)})`
  ports.err.write(
    `${paint.red(what === '' ? 'seaworthy:' : `seaworthy: ${what}:`)} ${harmless(failure.why)}${code}\n`,
  )
  if (failure.wayOut !== undefined) ports.err.write(`${harmlessLine(failure.wayOut)}\n`)
  if (options.verbose !== true) return
  for (let cause = describeError(error); ;) {
    ports.err.write(
      `${paint.dim(harmless(cause.stack ?? `${cause.name}: ${cause.message}`).replaceAll('\\u{a}', '\n'))}\n`,
    )
    if (cause.cause === undefined || typeof cause.cause === 'string') return
    cause = cause.cause
  }
}
