import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runCommand } from '../testing/ports.ts'

/** Runs a command with a program that only notes how it was started, and ends as it is told. */
async function run(args: readonly string[], exits = 0) {
  const started: { file: string; args: readonly string[] }[] = []
  const result = await runCommand(args, {
    runForeground: async (file, given) => {
      started.push({ file, args: given })
      return exits
    },
  })
  return { ...result, started }
}

test('O4 `export` and `import` hand on what they were given, and end as their program ended', async () => {
  const places = ['--data-dir', 'D', '--database-url', 'U', '--blobs', 'B', '--log-level', 'warn']
  const exported = await run(['export', 'DIR', ...places])
  assert.equal(exported.exitCode, 0)
  assert.match(exported.started[0]!.file, /packages\/server\/src\/transfers\/main\.ts$/)
  assert.deepEqual(exported.started[0]!.args, ['export', 'DIR', ...places])
  const more = ['--sha256', 'X', ...places.slice(0, 6), '--master-key-file', 'K']
  const imported = await run(['--json', 'import', 'DIR', ...more], 3)
  assert.equal(imported.exitCode, 3)
  assert.deepEqual(imported.started[0]!.args, ['import', 'DIR', ...more, '--json'])
})

test('O4 `export` takes no digest and no master key, and both take one folder', async () => {
  for (const args of [
    ['export'],
    ['import'],
    ['export', 'DIR', '--sha256', 'X'],
    ['export', 'DIR', '--master-key-file', 'K'],
    ['import', 'DIR', 'OTHER'],
  ]) {
    const { exitCode, started } = await run(args)
    assert.deepEqual([exitCode, started], [2, []], args.join(' '))
  }
})
