/**
 * How help is laid out: within the width of the terminal, down to 60 columns, the texts below the
 * options too.
 */
import { maxOf } from '@seaworthy/std/numbers'
import type { Command } from 'commander'
import { Help } from 'commander'

/**
 * The share of a line that names of options and commands may take before their descriptions move
 * below them.
 */
const namesShareMax = 0.4
const indent = 2
const gap = 2

export class FittingHelp extends Help {
  override showGlobalOptions = false
  override sortSubcommands = false
  override minWidthToWrap = 20

  override padWidth(command: Command, helper: Help): number {
    const most = Math.floor((this.helpWidth ?? 80) * namesShareMax)
    return Math.min(super.padWidth(command, helper), most)
  }

  override formatItem(term: string, namesWidth: number, description: string, helper: Help): string {
    const width = this.helpWidth ?? 80
    const margin = indent + namesWidth + gap
    const longest = maxOf(description.split(/\s+/).map((word) => this.displayWidth(word)))
    // An address that is longer than its column gets the whole line.
    const below = longest > width - margin ? indent + gap + gap : margin
    const text = helper
      .boxWrap(description, width - below)
      .replaceAll('\n', `\n${' '.repeat(below)}`)
    if (description === '') return `${' '.repeat(indent)}${term}`
    if (this.displayWidth(term) <= namesWidth && below === margin) {
      return `${' '.repeat(indent)}${term.padEnd(namesWidth)}${' '.repeat(gap)}${text}`
    }
    return `${' '.repeat(indent)}${term}\n${' '.repeat(below)}${text}`
  }
}

/** Text below the options. Each of its lines is a paragraph, broken to the width at hand. */
export function addHelpBelow(command: Command, text: string): Command {
  return command.addHelpText('after', ({ error }) => {
    const output = command.configureOutput()
    const width = (error ? output.getErrHelpWidth?.() : output.getOutHelpWidth?.()) ?? 80
    return `\n${new FittingHelp().boxWrap(text, width)}`
  })
}
