/**
 * An option that a command does not use is an error, never silence: who gave `--root` believes that
 * it was looked at. A branch says first which options go with it; whatever is left unread when a
 * command ends is refused all the same.
 */
import type { Command } from 'commander'
import { CliError } from './failure.ts'

/** The names of the options that somebody typed, as `opts` has them. */
function typedOptions(command: Command): string[] {
  return command.options
    .map((option) => option.attributeName())
    .filter((name) => command.getOptionValueSource(name) === 'cli')
}

/** The options as they are typed. */
function describeOptions(command: Command, names: readonly string[]): string {
  return command.options
    .filter((option) => names.includes(option.attributeName()))
    .map((option) => option.long ?? option.flags)
    .join(', ')
}

/** Refuses every option that was typed and does not go with `target`, before anything is done. */
export function takeOptions<Options extends object>(
  command: Command,
  target: string,
  names: readonly (keyof Options & string)[],
): void {
  const others = typedOptions(command).filter((name) => !names.some((one) => one === name))
  if (others.length === 0) return
  throw new CliError('usage', `${describeOptions(command, others)} cannot be used with ${target}`, {
    wayOut: 'Leave it out: it has no effect here.',
  })
}

/** Refuses `name` where the option that it belongs to was not given. */
export function requireTogether<Options extends object>(
  command: Command,
  name: keyof Options & string,
  needed: keyof Options & string,
): void {
  const typed = typedOptions(command)
  if (!typed.includes(name) || typed.includes(needed)) return
  throw new CliError(
    'usage',
    `${describeOptions(command, [name])} has no effect without ${describeOptions(command, [needed])}`,
    { wayOut: 'Give both, or neither.' },
  )
}

/** Notices which options of these commands are read, and refuses what was typed and never read. */
export interface OptionUse {
  /** Hands the options of a command out so that reading one is noticed. */
  watch(command: Command): void
  /** Throws where a command has ended and an option that was typed was not read. */
  requireRead(command: Command): void
}

export function createOptionUse(): OptionUse {
  const reads = new Map<Command, Set<string>>()
  return {
    watch(command) {
      const read = new Set<string>()
      reads.set(command, read)
      const opts = command.opts.bind(command)
      command.opts = <T extends object>() =>
        new Proxy(opts(), {
          get(target, name, receiver) {
            read.add(String(name))
            return Reflect.get(target, name, receiver) as unknown
          },
        }) as T
    },
    requireRead(command) {
      const unread = typedOptions(command).filter((name) => reads.get(command)?.has(name) !== true)
      if (unread.length === 0) return
      throw new CliError(
        'usage',
        `carried out without what was asked for: ${describeOptions(command, unread)}`,
        {
          wayOut: 'Look at what was done, and tell the makers of Seaworthy: the mistake is theirs.',
        },
      )
    },
  }
}
