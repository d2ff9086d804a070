/**
 * Restart slots from the command line; the client of FleetLock is curl with the address that the
 * command prints.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import type { RebootLockView } from '@seaworthy/api/reboot-locks'
import { skipWithout } from '@seaworthy/std/testing/programs'
import { createCliUser } from './testing/cli-user.ts'
import { startServer } from './testing/server.ts'

const run = promisify(execFile)

test('D13 slots are seen, taken away with a reason, and taken by FleetLock clients with the printed address', async (t) => {
  if (skipWithout(t, 'curl')) return
  const server = await startServer(t)
  const ann = await createCliUser(t, 'ann')
  await ann.ok('login', server.url, '--pin', server.pin, '--token', server.token)
  await ann.ok('key', 'create', ann.file('key'))
  await ann.ok('trust', 'init', '--root-key', ann.file('key'), '--threshold', '1')
  await ann.ok('product', 'create', 'web', '--kind', 'os-image', '--sign-with', ann.file('key'))
  await ann.ok('channel', 'create', 'web', 'stable', '--key', ann.file('key'), '--threshold', '1')
  const fleet = ['--product', 'web', '--channel', 'stable']
  await ann.ok('fleet', 'create', 'lab', ...fleet, '--reboot', 'coordinated:slots=1')
  assert.match(await ann.ok('reboot-lock', 'list', '--fleet', 'lab'), /0 of 1 slots taken/)

  const printed = await ann.ok('reboot-lock', 'key', 'create', '--fleet', 'lab')
  const address = /https:\/\/fleetlock:\S+\/fleetlock\//.exec(printed)?.[0]
  assert.ok(address !== undefined, printed)
  const ask = async (wish: string, id: string) => {
    const body = JSON.stringify({ client_params: { id, group: 'lab' } })
    const { stdout } = await run('curl', [
      ...['--silent', '--insecure', '--request', 'POST', '--write-out', '%{http_code}'],
      ...['--header', 'fleet-lock-protocol: true', '--data', body, `${address}v1/${wish}`],
    ])
    return stdout.slice(-3)
  }
  assert.equal(await ask('pre-reboot', 'one'), '200')
  assert.equal(await ask('pre-reboot', 'two'), '423')
  const table = await ann.ok('reboot-lock', 'list', '--fleet', 'lab')
  assert.match(table, /1 of 1 slots taken\n[^\n]*HOLDER/)
  assert.match(table, /\bone\b/)
  const { locks } = await ann.json<{ locks: RebootLockView[] }>(
    'reboot-lock',
    'list',
    '--fleet',
    'lab',
  )
  const id = locks[0]!.id
  await ann.fails(2, 'reboot-lock', 'release', id)
  await ann.ok('reboot-lock', 'release', id, '--reason', 'it was scrapped')
  await ann.fails(5, 'reboot-lock', 'release', id, '--reason', 'again')
  assert.equal(await ask('pre-reboot', 'two'), '200')
  assert.equal(await ask('steady-state', 'two'), '200')

  const [key] = await ann.json<{ id: string }[]>('reboot-lock', 'key', 'list', '--fleet', 'lab')
  await ann.ok('reboot-lock', 'key', 'revoke', key!.id)
  assert.equal(await ask('pre-reboot', 'two'), '401')
  assert.match(
    await ann.ok('product', 'set-omaha-app', 'web', '{E96281A6-D1AF-4BDE-9A0A-97B76E56DC57}'),
    /\{e96281a6-d1af-4bde-9a0a-97b76e56dc57\}/,
  )
})
