import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import { formatCompletion } from './completion.ts'
import { createProgram } from './command-tree.ts'
import { testPorts } from './testing/ports.ts'

const program = createProgram(testPorts())

/** Skips where the shell is not installed, unless the tests are strict. */
function runShell(
  t: TestContext,
  shell: string,
  args: readonly string[],
  input: string,
): string | undefined {
  const run = spawnSync(shell, args, { input, encoding: 'utf8', timeout: 20_000 })
  if (run.error !== undefined && 'code' in run.error && run.error.code === 'ENOENT') {
    if (process.env['SEAWORTHY_TEST_STRICT'] === '1') throw run.error
    t.skip(`needs ${shell} (apt install ${shell})`)
    return undefined
  }
  assert.equal(run.status, 0, run.stderr)
  assert.equal(run.stderr, '')
  return run.stdout
}

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
    ].join('\n'),
  )
  if (out === undefined) return
  assert.deepEqual(out.split('\n').slice(0, 4), ['device', 'list show set remove', '--fleet', ''])
  assert.match(out.split('\n')[4]!, /^\/etc\/passwd/)
})

test('zsh loads its script', (t) => {
  const script = formatCompletion(program, 'zsh')
  runShell(
    t,
    'zsh',
    ['-f'],
    `autoload -U compinit; compinit -u -D\n${script}\n(( $+functions[_seaworthy] )) || exit 1\n`,
  )
})

test('fish loads its script and completes commands and options', (t) => {
  const script = formatCompletion(program, 'fish')
  const lines = [
    script,
    "complete -C 'seaworthy device '",
    "complete -C 'seaworthy device list --fl'",
  ]
  const out = runShell(t, 'fish', ['--no-config', '-c', lines.join('\n')], '')
  if (out === undefined) return
  assert.match(out, /^list\t/m)
  assert.match(out, /^--fleet\t/m)
})
