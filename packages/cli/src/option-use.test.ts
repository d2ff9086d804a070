import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Command } from 'commander'
import { createProgram } from './command-tree.ts'
import { CliError } from './failure.ts'
import { runCommand, testPorts } from './testing/ports.ts'

const root = `sha256:${'a'.repeat(64)}`
const id = `proposal_${'0'.repeat(26)}`

/** Options that a branch of a command does not use. Each was passed over once, or would be. */
const unused: readonly (readonly [args: string[], said: RegExp])[] = [
  [
    ['proposal', 'show', id, '--content', 'd'],
    /--content cannot be used with the id of a proposal\n/,
  ],
  [
    ['proposal', 'sign', id, '--key', 'k', '--content', 'd', '-o', 'f', '--root', root],
    /--content, --output cannot be used with the id of a proposal\n/,
  ],
  [
    ['proposal', 'sign', 'f', '--key', 'k', '--no-apply'],
    /--no-apply cannot be used with a file\n/,
  ],
  [
    ['login', 'https://x', '--token', 't', '--role', 'viewer', '--fleet', 'f', '--expires', '1d'],
    /--role, --fleet, --expires cannot be used with a token that is there already\n/,
  ],
  [
    ['trust', 'rotate', 'snapshot', '--new-online-key', '--add', 'k', '--threshold', '2'],
    /--add, --threshold cannot be used with --new-online-key.*\n/,
  ],
  [
    ['trust', 'rotate', 'snapshot', '--new-online-key', '--restart-counter', '3'],
    /--restart-counter cannot be used with --new-online-key.*\n/,
  ],
  [
    ['provisioning-key', 'create', '--fleet', 'f', '--force'],
    /--force has no effect without --agent-config\n/,
  ],
  [
    ['provisioning-key', 'create', '--fleet', 'f', '--passphrase-file', 'p'],
    /--passphrase-file has no effect without --sign-with\n/,
  ],
]

for (const [args, said] of unused) {
  test(`T11 an option that a branch does not use is refused before anything is done: ${args.join(' ')}`, async () => {
    const { exitCode, err } = await runCommand(args)
    assert.equal(exitCode, 2, err)
    assert.match(err, said)
  })
}

function* leaves(command: Command): Generator<Command> {
  if (command.commands.length === 0) yield command
  for (const child of command.commands) yield* leaves(child)
}

const pathOf = (command: Command): string[] =>
  command.parent === null ? [] : [...pathOf(command.parent), command.name()]

test('T11 walk: whatever command passes over an option that was typed ends with an error', async () => {
  const paths = [...leaves(await createProgram(testPorts(), 'all'))].map(pathOf)
  let walked = 0
  for (const path of paths) {
    for (let i = 0; ; i++) {
      // A program runs once.
      const program = await createProgram(testPorts(), 'all')
      const command = [...leaves(program)].find((leaf) => pathOf(leaf).join() === path.join())!
      const option = command.options[i]
      if (option === undefined) break
      for (let at: Command | null = command; at !== null; at = at.parent) {
        for (const one of at.options.filter(({ mandatory }) => mandatory))
          at.setOptionValueWithSource(one.attributeName(), 'x', 'default')
      }
      command.setOptionValueWithSource(option.attributeName(), 'x', 'cli')
      command.action(() => {})
      const args = [...path, ...command.registeredArguments.map(() => 'x')]
      await assert.rejects(program.parseAsync(args, { from: 'user' }), (error) => {
        assert.ok(error instanceof CliError, `${args.join(' ')}: ${String(error)}`)
        assert.match(error.message, new RegExp(`carried out without .*: ${option.long}$`))
        return true
      })
      walked++
    }
  }
  assert.ok(walked > 150, `walked ${walked} options`)
})

test('T11 walk: an option that the command reads is none of these', async () => {
  const program = await createProgram(testPorts(), 'all')
  const command = [...leaves(program)].find((leaf) => pathOf(leaf).join(' ') === 'release verify')!
  let seen: unknown
  command.action((_target, _version, options: { root?: string }) => {
    seen = options.root
  })
  await program.parseAsync(['release', 'verify', 'x', '--root', root], { from: 'user' })
  assert.equal(seen, root)
})
