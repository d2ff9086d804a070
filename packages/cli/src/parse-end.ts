/** How the parsing of a command line ends without its command. */
import type { Command, CommanderError } from 'commander'

/**
 * What ends the parsing of a command: help, the version, or a usage error, which the caller
 * reports.
 */
export class ParseEnd extends Error {
  override readonly name = 'ParseEnd'
  readonly command: string
  override readonly cause: CommanderError
  /** The options of the command that take a value. */
  readonly options: readonly string[]

  constructor(command: Command, cause: CommanderError) {
    super(cause.message, { cause })
    this.command = commandPath(command)
    this.cause = cause
    this.options = command.options.filter((one) => one.required).map(({ flags }) => flags)
  }
}

/** `proposal sign`, without the name of the program. */
export function commandPath(command: Command): string {
  const names: string[] = []
  for (let at: Command | null = command; at?.parent; at = at.parent) names.unshift(at.name())
  return names.join(' ')
}
