/** Programs of the server that stand beside ours: they are started, never imported. */
import type { Command } from 'commander'
import { fileURLToPath } from 'node:url'
import type { UpOption } from '@seaworthy/api/up-options'
import { describeUpOption } from '@seaworthy/api/up-options'
import { CliError } from './failure.ts'
import { collect } from './options.ts'

/** The path that is found; `undefined` where no such file is installed. */
export function pathOf(find: () => string): string | undefined {
  try {
    return fileURLToPath(find())
  } catch {
    return undefined
  }
}

/** Throws `CliError` where the server's package is not installed. */
export function findProgram(find: () => string): string {
  const program = pathOf(find)
  if (program !== undefined) return program
  throw new CliError('failed', 'the server is not installed beside this command line', {
    wayOut: 'Run `seaworthy` of a checkout or of the installed packages: one file holds no server.',
  })
}

/** Gives the command the options of a program, as its table has them. */
export function addProgramOptions(command: Command, options: readonly UpOption[]): Command {
  for (const option of options) {
    const { name, value, isRepeatable } = option
    const text = describeUpOption(option)
    const flags = value === undefined ? `--${name}` : `--${name} <${value}>`
    if (isRepeatable === true) command.option(flags, text, collect)
    else command.option(flags, text)
  }
  return command
}

/** The options that were given, as the program takes them. */
export function handOn(
  command: Command,
  options: Readonly<Record<string, string | string[] | boolean>>,
): string[] {
  return command.options.flatMap((option) => {
    const value = options[option.attributeName()]
    // An option `--no-…` is a switch that is on unless it is given.
    if (option.negate) return value === false ? [option.long!] : []
    if (value === undefined || value === false) return []
    return value === true ? [option.long!] : [value].flat().flatMap((one) => [option.long!, one])
  })
}

/** `--json`, as it was given to the command line: the program then tells its failure so. */
export function jsonOf(command: Command): string[] {
  return command.optsWithGlobals()['json'] === true ? ['--json'] : []
}
