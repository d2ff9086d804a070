/** `seaworthy completion SHELL` */
import { Argument } from 'commander'
import type { Command } from 'commander'
import type { Shell } from '../completion.ts'
import { formatCompletion, shells } from '../completion.ts'
import type { CliPorts } from '../ports.ts'

export function addCompletionCommand(program: Command, ports: CliPorts): void {
  program
    .command('completion')
    .description('print a completion script; its first line says where to put it')
    .addArgument(new Argument('<shell>', 'your shell').choices(shells))
    .action((shell: Shell) => ports.out.write(formatCompletion(program, shell)))
}
