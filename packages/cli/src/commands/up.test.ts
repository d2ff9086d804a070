import assert from 'node:assert/strict'
import { test } from 'node:test'
import { upOptions } from '@seaworthy/api/up-options'
import { runCommand } from '../testing/ports.ts'

/** Runs `up` with programs that only note how they were started. */
async function runUp(args: readonly string[], buildExitCode = 0) {
  const started: { file: string; args: readonly string[] }[] = []
  const result = await runCommand(['up', ...args], {
    runForeground: async (file, given) => {
      started.push({ file, args: given })
      return file.endsWith('packages/web/build/main.ts') ? buildExitCode : 0
    },
  })
  return { ...result, started }
}

test('`up` knows every option of the server and hands each on as it was given', async () => {
  const valueOf = ({ name, value }: { name: string; value: string }) =>
    value === 'host:port' ? '127.0.0.1:0' : `value of ${name}`
  const given = upOptions.flatMap((option) =>
    'value' in option ? [`--${option.name}`, valueOf(option)] : [`--${option.name}`],
  )
  const twice = [...given, '--name', 'second.example']
  const { exitCode, err, started } = await runUp(twice)
  assert.deepEqual([exitCode, err, started.length], [0, '', 1])
  const pairs = (args: readonly string[]) =>
    args
      .join(' ')
      .split(/ (?=--)/)
      .toSorted()
  assert.deepEqual(pairs(started[0]!.args), pairs(twice))
  const help = (await runCommand(['up', '--help'])).out
  for (const { name } of upOptions) assert.match(help, new RegExp(`^ +--${name} `, 'm'))
})

test('`up` has the pages built before the server starts, and hands on where they are', async () => {
  const { exitCode, started } = await runUp([])
  assert.equal(exitCode, 0)
  const [build, server] = started
  assert.match(build!.file, /packages\/web\/build\/main\.ts$/)
  assert.match(server!.file, /packages\/server\/src\/main\.ts$/)
  const [option, folder, ...others] = server!.args
  assert.equal(option, '--web-folder')
  assert.match(folder!, /packages\/web\/dist\/current$/)
  assert.deepEqual(others, [], 'what was not given is not handed on')
})

test('`--json` is handed on to the server, which then tells a failure as one line for scripts', async () => {
  assert.equal((await runUp(['--json'])).started.at(-1)!.args.at(-1), '--json')
  assert.ok(!(await runUp([])).started.at(-1)!.args.includes('--json'))
})

test('pages that cannot be built are said so, with the way out, and no server starts without them', async () => {
  const { exitCode, err, started } = await runUp([], 1)
  assert.deepEqual([exitCode, started.length], [1, 1])
  assert.match(err, /pages that browsers get could not be built/)
  assert.match(err, /npm ci.*--web-folder/)
})
