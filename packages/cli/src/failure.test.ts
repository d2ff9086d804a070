import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MalformedReplyError } from '@seaworthy/api/client'
import { ProblemError } from '@seaworthy/api/problems'
import { TransportError } from '@seaworthy/std/http'
import { Refusal, TrustError } from '@seaworthy/std/refusal'
import { createProgram } from './command-tree.ts'
import { endings } from './ways-out.ts'
import { CliError, describeFailure } from './failure.ts'
import { runCommand, testPorts } from './testing/ports.ts'

const problem = (status: number, code: string) =>
  new ProblemError({ type: 'about:blank', title: 'No', status, code, detail: 'why' })

test('every kind of failure ends in its documented exit code', () => {
  const cases: readonly (readonly [unknown, number])[] = [
    [new Error('bug'), 1],
    ['not even an error', 1],
    [new MalformedReplyError('odd'), 1],
    [problem(500, 'internal'), 1],
    [new CliError('usage', 'x'), 2],
    [problem(400, 'invalid_request'), 2],
    [new TrustError('rollback', 'x'), 3],
    [new Refusal('release_exists', 'x'), 3],
    [problem(409, 'proposal_outdated'), 3],
    [problem(422, 'signature_threshold'), 3],
    [new TransportError('pin_mismatch', 'x'), 3],
    [problem(401, 'unauthenticated'), 4],
    [problem(403, 'forbidden'), 4],
    [Object.assign(new Error('x'), { code: 'EACCES' }), 4],
    [problem(404, 'fleet_unknown'), 5],
    [Object.assign(new Error('x'), { code: 'ENOENT' }), 5],
    [new TransportError('unreachable', 'x'), 6],
    [new TransportError('timed_out', 'x'), 6],
    [problem(503, 'unavailable'), 6],
  ]
  for (const [error, exitCode] of cases) {
    assert.equal(describeFailure(error).exitCode, exitCode, String(error))
  }
})

test('an error is one line that says what and why, and a line with the way out', async () => {
  const { exitCode, out, err } = await runCommand([
    'device',
    'list',
    '--config-dir',
    '/nonexistent',
  ])
  assert.equal(exitCode, 2)
  assert.equal(out, '')
  assert.equal(
    err,
    'seaworthy: device list: not paired with a server\n' +
      'Run the `seaworthy login …` line that `seaworthy up` printed.\n',
  )
})

test('unknown commands and options are usage errors with a suggestion', async () => {
  const command = await runCommand(['devcie', 'list'])
  assert.equal(command.exitCode, 2)
  assert.equal(
    command.err,
    "seaworthy: unknown command 'devcie' (Did you mean device?)\nSee `seaworthy --help`.\n",
  )
  const option = await runCommand(['device', 'list', '--flet', 'x'])
  assert.equal(option.exitCode, 2)
  assert.match(option.err, /--fleet/)
  const missing = await runCommand(['fleet', 'create', 'f'])
  assert.equal(missing.exitCode, 2)
  assert.match(missing.err, /--product/)
  const surplus = await runCommand(['product', 'list', 'extra'])
  assert.equal(
    surplus.err,
    "seaworthy: product list: too many arguments for 'list'. Expected 0 arguments but got 1.\nSee `seaworthy product list --help`.\n",
  )
  const named = await runCommand(['rollout', 'list', 'harbour'])
  assert.match(
    named.err,
    /\nGive names by options: --fleet <name>.* See `seaworthy rollout list --help`\.\n$/,
  )
  const invited = await runCommand(['person', 'invite', 'Ada', '--role', 'viewer'])
  assert.match(invited.err, /\nGive names by options: .*--name <name>/)
  const bare = await runCommand(['--json', 'product'])
  assert.equal(
    (JSON.parse(bare.err.split('\n').at(-2)!) as { message: string }).message,
    'a subcommand is missing',
  )
})

test('help and version are no failures', async () => {
  const help = await runCommand(['--help'])
  assert.equal(help.exitCode, 0)
  assert.match(help.out, /Exit codes: 0 done, 1 failed, 2 usage/)
  assert.equal((await runCommand(['device', 'list', '--help'])).exitCode, 0)
  assert.equal((await runCommand(['--version'])).exitCode, 0)
})

test('with --json every error is one line of JSON with code and message, usage errors too', async () => {
  const errorOf = async (...args: string[]): Promise<Record<string, unknown>> => {
    const { exitCode, out, err } = await runCommand(args)
    assert.equal(out, '')
    assert.match(err, /^[^\n]*\n$/)
    return { ...(JSON.parse(err) as Record<string, unknown>), ended: exitCode }
  }
  assert.deepEqual(await errorOf('--json', 'device', 'list', '--config-dir', '/nonexistent'), {
    command: 'device list',
    exitCode: 2,
    code: 'usage',
    message: 'not paired with a server',
    wayOut: 'Run the `seaworthy login …` line that `seaworthy up` printed.',
    ended: 2,
  })
  const missing = await errorOf('key', 'show', '/nonexistent/key', '--json')
  assert.deepEqual([missing['code'], missing['ended']], ['ENOENT', 5])
  const usage = await errorOf('--json', 'device', 'list', '--flet', 'x')
  assert.deepEqual([usage['code'], usage['command'], usage['ended']], ['usage', 'device list', 2])
  assert.equal(usage['wayOut'], 'See `seaworthy device list --help`.')
  assert.match(String(usage['message']), /^unknown option '--flet'/)
  const short = await errorOf(
    '--json',
    'token',
    'create',
    'a',
    '--role',
    'builder',
    '--expires',
    '3s',
  )
  assert.match(String(short['message']), /--expires.*Not a duration from 1m to 366d\./)
})

test('a lifetime out of bounds is answered with the bounds, not with the path of a schema', async () => {
  const { exitCode, err } = await runCommand([
    ...['provisioning-key', 'create', '--fleet', 'f', '--expires', '3s'],
  ])
  assert.equal(exitCode, 2)
  assert.match(
    err,
    /--expires <duration>' argument '3s' is invalid\. Not a duration from 1m to 365d\./,
  )
})

test('every command that a way out names is there, with its options', async () => {
  const program = await createProgram(testPorts(), 'all')
  for (const [code, [, wayOut = '']] of Object.entries(endings)) {
    for (const [, line] of wayOut.matchAll(/`seaworthy ([^`]+)`/g)) {
      let command = program
      for (const word of line!.split(' ')) {
        const next = command.commands.find((one) => one.name() === word)
        if (next === undefined) break
        command = next
      }
      assert.equal(command.commands.length, 0, `${code}: ${line} names no command`)
      const known = [...program.options, ...command.options].flatMap(({ long, short }) => [
        long,
        short,
        '--help',
      ])
      for (const option of line!.match(/(?<= )--?[a-z-]+/g) ?? []) {
        assert.ok(known.includes(option), `${code}: ${line} has no ${option}`)
      }
    }
  }
})

test('what a server finds wrong with the form of a request names the thing as people call it', () => {
  const { why, wayOut } = describeFailure(
    new ProblemError({
      ...{ type: 'about:blank', title: 'No', status: 400, code: 'invalid_request' },
      detail: 'the path is not of the agreed form',
      issues: [{ path: 'path.rolloutId', message: 'an identifier rollout_…' }],
    }),
  )
  assert.equal(why, 'rollout id: expected an identifier rollout_…')
  assert.equal(wayOut, undefined)
})
