import { test } from 'node:test'
import type { Command } from 'commander'
import { expectGolden } from '../../../tools/golden.ts'
import { createProgram } from './command-tree.ts'
import { testPorts } from './testing/ports.ts'

test('the help of every command is the reviewed one', async () => {
  const pages: string[] = []
  const visit = (command: Command, path: string) => {
    pages.push(`===== ${path} --help\n${command.helpInformation()}`)
    for (const child of command.commands) visit(child, `${path} ${child.name()}`)
  }
  const program = await createProgram(testPorts(), 'all')
  visit(program, program.name())
  expectGolden(new URL('cli.golden.txt', import.meta.url), `${pages.join('\n')}`)
})
