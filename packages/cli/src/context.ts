/**
 * The context that every command gets: the ports, the options that all commands know, and ways to
 * print.
 */
import { Command } from 'commander'
import { invariant } from '@seaworthy/std/refusal'
import { CliError } from './failure.ts'
import { formatFields, formatTable } from './output/table.ts'
import type { Column } from './output/table.ts'
import { printableJson } from '@seaworthy/std/printable'
import { harmlessLine } from './output/harmless.ts'
import { createPaint } from './output/paint.ts'
import type { Paint } from './output/paint.ts'
import { createProgress } from './output/progress.ts'
import type { Progress } from './output/progress.ts'
import type { CliPorts } from './ports.ts'

export interface GlobalOptions {
  json: boolean
  yes: boolean
  awaitApproval: boolean
  verbose: boolean
  color: boolean
  server?: string
  configDir?: string
}

export interface Context {
  ports: CliPorts
  options: GlobalOptions
  paint: Paint
  /** Prints a line on the output, unless `--json` is on. */
  say: (line: string) => void
  /**
   * Prints a line on the error stream: warnings, and whatever must not mix with a script's data.
   */
  warn: (line: string) => void
  /** Prints data, as JSON with `--json`, else as the lines that `text` makes. */
  show(value: unknown, text: () => readonly string[]): void
  /** Formats the rows as a table; where there are none, it is `whenEmpty` instead. */
  table<Row>(columns: readonly Column<Row>[], rows: readonly Row[], whenEmpty: string): string[]
  fields(fields: readonly (readonly [string, string | undefined])[]): string[]
  progress(title: string): Progress
  /**
   * Returns whether the user wants what the question offers; true where nobody is asked, or `--yes`
   * answers.
   */
  ask(question: string): Promise<boolean>
  /** Goes on only after a yes; without a terminal `--yes` is needed. */
  confirm(question: string): Promise<void>
}

export function createContext(ports: CliPorts, command: Command): Context {
  let program = command
  // The options of the command itself are for its action to read.
  while (program.parent !== null) program = program.parent
  const options = program.opts<Partial<GlobalOptions>>()
  const settings: GlobalOptions = {
    json: options.json ?? false,
    yes: options.yes ?? false,
    awaitApproval: options.awaitApproval ?? false,
    verbose: options.verbose ?? false,
    color: options.color ?? true,
    ...(options.server === undefined ? {} : { server: options.server }),
    ...(options.configDir === undefined ? {} : { configDir: options.configDir }),
  }
  const { out, err } = ports
  return {
    ports,
    options: settings,
    paint: createPaint({
      isTerminal: out.isTerminal,
      wantsColour: settings.color,
      noColor: ports.environment['NO_COLOR'],
    }),
    say(line) {
      if (!settings.json) out.write(`${harmlessLine(line)}\n`)
    },
    warn: (line) => err.write(`${harmlessLine(line)}\n`),
    show(value, text) {
      if (settings.json) out.write(`${printableJson(JSON.stringify(value, undefined, 2))}\n`)
      else for (const line of text()) out.write(`${harmlessLine(line)}\n`)
    },
    table: (columns, rows, whenEmpty) =>
      rows.length === 0
        ? [whenEmpty]
        : formatTable(columns, rows, out.isTerminal ? out.columns : undefined),
    fields: (fields) => formatFields(fields),
    progress: (title) =>
      createProgress({ title, screen: err, clock: ports.clock, isQuiet: settings.json }),
    async ask(question) {
      if (settings.yes || !ports.prompt.isInteractive) return true
      return await ports.prompt.askYesNo(harmlessLine(question))
    },
    async confirm(question) {
      if (settings.yes) return
      if (!ports.prompt.isInteractive) {
        throw new CliError('usage', `${question} Nobody is there to say yes.`, {
          wayOut: 'Look at what would be done, then repeat the command with --yes.',
        })
      }
      if (!(await ports.prompt.askYesNo(harmlessLine(question))))
        throw new CliError('failed', 'not confirmed; nothing was done', {
          wayOut: 'Answer y, or give --yes.',
        })
    },
  }
}

/**
 * Makes the action of a command: `run` gets the context, then what commander gives an action, which
 * are the arguments, the options and the command.
 */
export function withContext<Given extends readonly unknown[]>(
  ports: CliPorts,
  run: (context: Context, ...given: Given) => Promise<void> | void,
): (...given: Given) => Promise<void> {
  return async (...given) => {
    const command = given.at(-1)
    invariant(command instanceof Command, 'commander gives an action its command last')
    await run(createContext(ports, command), ...given)
  }
}
