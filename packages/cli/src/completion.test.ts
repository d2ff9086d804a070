import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Command } from 'commander'
import { formatCompletion, shells } from './completion.ts'
import { createProgram } from './command-tree.ts'
import { runCommand, testPorts } from './testing/ports.ts'

test('every command and option of the tree is in every script', async () => {
  const program = await createProgram(testPorts(), 'all')
  for (const shell of shells) {
    const script = formatCompletion(program, shell)
    const visit = (command: Command) => {
      for (const option of command.options) {
        const name = shell === 'fish' ? `-l ${option.long!.slice(2)}` : option.long!
        assert.ok(script.includes(name), `${shell}: ${option.long}`)
      }
      for (const child of command.commands) {
        assert.ok(script.includes(child.name()), `${shell}: ${child.name()}`)
        visit(child)
      }
    }
    visit(program)
  }
})

test('an unknown shell is a usage error', async () => {
  const { exitCode, err } = await runCommand(['completion', 'tcsh'])
  assert.equal(exitCode, 2)
  assert.match(err, /bash, zsh, fish/)
})
