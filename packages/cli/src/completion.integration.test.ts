import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import { skipWithout } from '@seaworthy/std/testing/programs'
import { formatCompletion } from './completion.ts'
import { createProgram } from './command-tree.ts'
import { testPorts } from './testing/ports.ts'

const program = await createProgram(testPorts(), 'all')
const below = (name: string) =>
  program.commands
    .find((command) => command.name() === name)!
    .commands.map((command) => command.name())
    .join(' ')

/** Skips where the shell is not installed. */
function runShell(
  t: TestContext,
  shell: 'bash' | 'fish' | 'zsh',
  args: readonly string[],
  input: string,
): string | undefined {
  if (skipWithout(t, shell)) return undefined
  const run = spawnSync(shell, args, { input, encoding: 'utf8', timeout: 120_000 })
  assert.equal(run.status, 0, run.stderr)
  assert.equal(run.stderr, '')
  return run.stdout
}

/**
 * Puts a `seaworthy` on the path of a shell that knows two fleets and a rollout, as
 * `completion-words` prints them.
 */
const knowing = `seaworthy() { case "$1 $2" in
  "completion-words fleet") printf 'lab\\tweb stable\\nharbour\\tweb beta\\n' ;;
  "completion-words rollout") printf 'rollout_0\\t2.0 to lab, active\\n' ;;
esac; }`

test('bash loads its script and completes commands, options and values', (t) => {
  const complete = (...words: string[]) =>
    `COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _seaworthy; echo "\${COMPREPLY[@]}"`
  const out = runShell(
    t,
    'bash',
    ['--norc', '--noprofile'],
    [
      formatCompletion(program, 'bash'),
      complete('seaworthy', 'dev'),
      complete('seaworthy', '--server', 'device', 'device', ''),
      complete('seaworthy', 'device', 'list', '--fl'),
      complete('seaworthy', 'device', 'list', '--fleet', ''),
      complete('seaworthy', 'key', 'show', '/etc/passw'),
      knowing,
      complete('seaworthy', 'device', 'list', '--fleet', ''),
      complete('seaworthy', 'fleet', 'versions', 'har'),
      complete('seaworthy', 'rollout', 'watch', ''),
      complete('seaworthy', 'rollout', 'watch', '--js'),
    ].join('\n'),
  )
  if (out === undefined) return
  assert.deepEqual(out.split('\n').slice(0, 4), ['device', below('device'), '--fleet', ''])
  assert.match(out.split('\n')[4]!, /^\/etc\/passwd/)
  assert.deepEqual(out.split('\n').slice(5, 9), ['lab harbour', 'harbour', 'rollout_0', '--json'])
})

test('zsh loads its script and completes names that the server knows', (t) => {
  const script = formatCompletion(program, 'zsh')
  const complete = (...typed: string[]) =>
    `words=(${typed.map((word) => `'${word}'`).join(' ')}); CURRENT=${typed.length}; _seaworthy`
  const out = runShell(
    t,
    'zsh',
    ['-f'],
    [
      'autoload -U compinit; compinit -u -D',
      script,
      '(( $+functions[_seaworthy] )) || exit 1',
      '_describe() { print -r -- ${(j:|:)choices} }',
      knowing,
      complete('seaworthy', 'fleet', 'show', ''),
      complete('seaworthy', 'rollout', 'create', '--fleet', ''),
      complete('seaworthy', 'rollout', 'why', ''),
      '',
    ].join('\n'),
  )
  if (out === undefined) return
  const fleets = 'lab:web stable|harbour:web beta'
  assert.deepEqual(out.trim().split('\n'), [fleets, fleets, 'rollout_0:2.0 to lab, active'])
})

/** The script goes into a file, because it is longer than one argument may be. */
async function runFish(t: TestContext, lines: readonly string[]): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'seaworthy-fish-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'lines.fish')
  await writeFile(file, lines.join('\n'))
  return runShell(t, 'fish', ['--no-config', file], '')
}

test('fish loads its script and completes commands and options', async (t) => {
  const script = formatCompletion(program, 'fish')
  const lines = [
    script,
    "complete -C 'seaworthy device '",
    "complete -C 'seaworthy device list --fl'",
  ]
  const out = await runFish(t, lines)
  if (out === undefined) return
  assert.match(out, /^list\t/m)
  assert.match(out, /^--fleet\t/m)
  const known = [
    `function seaworthy; printf 'lab\\tweb stable\\n'; end`,
    script,
    "complete -C 'seaworthy fleet show '",
    "complete -C 'seaworthy device list --fleet '",
  ]
  const words = await runFish(t, known)
  assert.deepEqual(words?.trim().split('\n'), ['lab\tweb stable', 'lab\tweb stable'])
})
