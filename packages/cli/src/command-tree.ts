/**
 * The tree of commands. Built from the ports, so that help, completion and tests see the same one
 * as users, each command from its module when it is needed.
 */
import { Command } from 'commander'
import type { CommandGroup } from './command-groups.ts'
import { commandGroups } from './command-groups.ts'
import { wordsCommand } from './completion-words.ts'
import { addHelpBelow, FittingHelp } from './help.ts'
import { createOptionUse } from './option-use.ts'
import type { OptionUse } from './option-use.ts'
import { ParseEnd } from './parse-end.ts'
import type { CliPorts } from './ports.ts'

const exitText = `Exit codes: 0 done, 1 failed, 2 usage, 3 refused by a policy or verification, 4 not allowed, 5 not found, 6 unreachable.
With --json, the last line of the error stream is an object with command, exitCode, code, message and wayOut.`

/**
 * The program for these arguments. Commands whose names are not among them are there with their
 * descriptions alone; with `all`, or where completion walks the tree, every command is whole.
 */
export async function createProgram(
  ports: CliPorts,
  args: readonly string[] | 'all',
): Promise<Command> {
  const isWhole = args === 'all' || args[0] === 'completion' || args[0] === wordsCommand
  const given = new Set(args)
  const isGiven = ({ commands }: CommandGroup) =>
    isWhole || Object.keys(commands).some((term) => given.has(nameOf(term)))
  const program = new Command('seaworthy')
    .description(
      'Ships software to fleets of Linux machines without trusting the servers in the middle.',
    )
    .option('--json', 'print data as JSON, and an error as one line of JSON')
    .option('--server <name>', 'the paired server to talk to (default: the one of the last login)')
    .option(
      '--config-dir <dir>',
      'where pairing, trust and log state are kept; SEAWORTHY_CONFIG in the environment says the same (default: ~/.config/seaworthy)',
    )
    .option('--await-approval', 'wait where another person must approve first, then go on')
    .option('--yes', 'do not ask for confirmation')
    .option('--no-color', 'no colours (NO_COLOR in the environment does the same)')
    .option('--verbose', 'show the causes of an error')
    .version('0.1.0', '--version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .showSuggestionAfterError()
  addHelpBelow(program, exitText)
  for (const group of commandGroups) {
    if (isGiven(group)) (await group.load())(program, ports)
    else addNames(program, group)
  }
  const use = createOptionUse()
  shape(program, { ports, use })
  program.hook('postAction', (_program, action) => use.requireRead(action))
  return program
}

function addNames(program: Command, { commands }: CommandGroup): void {
  for (const [term, description] of Object.entries(commands)) {
    const named = program.command(term.replace(optionsMark, ''), { hidden: description === null })
    named.description(description ?? '')
    // It stands for the options that the command has.
    if (term.includes(optionsMark)) named.option('--any')
  }
}

const optionsMark = ' [options]'

function nameOf(term: string): string {
  return term.split(' ')[0]!
}

/**
 * Every command below behaves alike: it does not exit or print by itself, and keeps to the width of
 * the terminal.
 */
function shape(command: Command, { ports, use }: { ports: CliPorts; use: OptionUse }): void {
  use.watch(command)
  command
    .exitOverride((error) => {
      throw new ParseEnd(command, error)
    })
    .configureOutput({
      writeOut: (text) => ports.out.write(text),
      writeErr: (text) => ports.err.write(text),
      getOutHelpWidth: () => (ports.out.isTerminal ? ports.out.columns : 100),
      getErrHelpWidth: () => (ports.err.isTerminal ? ports.err.columns : 100),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
      outputError: () => {},
    })
  command.createHelp = () => new FittingHelp()
  for (const child of command.commands) shape(child, { ports, use })
}
