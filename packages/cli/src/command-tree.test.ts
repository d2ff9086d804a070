import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Command } from 'commander'
import { commandGroups } from './command-groups.ts'
import { createProgram } from './command-tree.ts'
import { testPorts } from './testing/ports.ts'

const helpOf = (program: Command) => program.helpInformation()

test('a command that is not loaded is in the help as if it were', async () => {
  const whole = await createProgram(testPorts(), 'all')
  assert.equal(helpOf(await createProgram(testPorts(), [])), helpOf(whole))
  const names = commandGroups.flatMap(({ commands }) =>
    Object.keys(commands).map((term) => term.split(' ')[0]),
  )
  assert.deepEqual(
    names,
    whole.commands.map((command) => command.name()),
  )
})

test('a command that is given is whole, wherever it stands among the arguments', async () => {
  for (const args of [['fleet'], ['--server', 'harbour', 'fleet', 'list'], ['help', 'fleet']]) {
    const program = await createProgram(testPorts(), args)
    const childrenOf = (name: string) =>
      program.commands.find((command) => command.name() === name)!.commands.length
    assert.ok(childrenOf('fleet') > 3, args.join(' '))
    assert.equal(childrenOf('rollout'), 0)
  }
})
