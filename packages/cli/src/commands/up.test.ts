import assert from 'node:assert/strict'
import { test } from 'node:test'
import { upOptions } from '@seaworthy/api/up-options'
import { runCommand } from '../testing/ports.ts'

test('`up` knows every option of the server and hands each on as it was given', async () => {
  const given = upOptions.flatMap((option) =>
    'value' in option ? [`--${option.name}`, `value of ${option.name}`] : [`--${option.name}`],
  )
  const twice = [...given, '--name', 'second.example']
  let passed: readonly string[] | undefined
  const { exitCode, err } = await runCommand(['up', ...twice], {
    runForeground: async (_file, args) => {
      passed = args
      return 0
    },
  })
  assert.deepEqual([exitCode, err], [0, ''])
  const pairs = (args: readonly string[]) =>
    args
      .join(' ')
      .split(/ (?=--)/)
      .toSorted()
  assert.deepEqual(pairs(passed!), pairs(twice))
  await runCommand(['up'], {
    runForeground: async (_file, args) => {
      passed = args
      return 0
    },
  })
  assert.deepEqual(passed, [], 'what was not given is not handed on')
  const help = (await runCommand(['up', '--help'])).out
  for (const { name } of upOptions) assert.match(help, new RegExp(`^ +--${name} `, 'm'))
})
