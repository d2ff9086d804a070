import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import { Readable } from 'node:stream'
import type { RolloutView, WhyView } from '@seaworthy/api/rollouts'
import { httpsTransport } from '@seaworthy/oci/transport'
import { utf8Decode, utf8Encode } from '@seaworthy/std/bytes'
import type { Transport } from '@seaworthy/std/http'
import { readBody } from '@seaworthy/std/http'
import { waitUntil } from '@seaworthy/std/testing'
import { programAt } from '@seaworthy/std/testing/own-programs'
import { lacks } from '@seaworthy/std/testing/programs'
import type { CliUser } from './testing/cli-user.ts'
import { createCliUser } from './testing/cli-user.ts'
import type { RegisteredDevice } from './testing/devices.ts'
import { registerDevices, rollbackReason } from './testing/devices.ts'
import type { TestedServer } from './testing/server.ts'
import { startServer } from './testing/server.ts'

/** Makes a release and publishes it with the keys given. */
async function release(user: CliUser, version: string, keys: readonly string[]): Promise<void> {
  const folder = user.file(`app-${version}`)
  await mkdir(folder)
  await writeFile(join(folder, 'seaworthy.json'), '{"start":["./app"]}')
  await writeFile(join(folder, 'app'), '#!/bin/sh\n', { mode: 0o755 })
  await writeFile(join(folder, 'version.txt'), version)
  const from = ['--platform', 'linux/amd64', '--from', folder]
  await user.ok('release', 'create', 'web', version, ...from)
  const signing = keys.flatMap((key) => ['--sign-with', key])
  await user.ok('publish', 'web', version, '--channel', 'stable', ...signing)
}

/**
 * A product whose channel needs the signatures of all of these keys, and a fleet that follows
 * rollouts.
 */
async function setUp(
  t: TestContext,
  { people, devicesCount }: { people: readonly string[]; devicesCount: number },
) {
  const server = await startServer(t)
  const users = await Promise.all(people.map((name) => createCliUser(t, name)))
  const ann = users[0]!
  await ann.ok('login', server.url, '--pin', server.pin, '--token', server.token)
  for (const user of users) await user.ok('key', 'create', user.file('key'))
  const keys = users.map((user) => user.file('key'))
  const threshold = ['--threshold', String(keys.length)]
  const named = (option: string) => keys.flatMap((key) => [option, key])
  await ann.ok('trust', 'init', ...named('--root-key'), ...threshold)
  await ann.ok('product', 'create', 'web', '--kind', 'bundle', ...named('--sign-with'))
  await ann.ok('channel', 'create', 'web', 'stable', ...named('--key'), ...threshold)
  const fleet = ['--product', 'web', '--channel', 'stable', '--poll', '1s', '--follow', 'rollouts']
  await ann.ok('fleet', 'create', 'lab', ...fleet)
  const uses = ['--uses', String(devicesCount)]
  const made = await ann.json<{ key: string }>(
    'provisioning-key',
    'create',
    '--fleet',
    'lab',
    ...uses,
  )
  const published: string[] = []
  const publish = async (version: string) => {
    published.push(version)
    await release(ann, version, keys)
  }
  const registered = await registerDevices(server, {
    provisioningKey: made.key,
    count: devicesCount,
    counterOf: (path) => published.indexOf(path.split('/')[2]!) + 1,
  })
  t.after(() => registered.close())
  return { server, users, ann, keys, publish, published, devices: registered.devices }
}

async function create(user: CliUser, version: string, ...options: string[]): Promise<RolloutView> {
  return user.json('rollout', 'create', '--fleet', 'lab', '--release', `web@${version}`, ...options)
}

async function untilWave(user: CliUser, { id }: RolloutView, number: number, state: string) {
  let view: RolloutView | undefined
  const say = async () => `wave ${number} is ${state}: ${await user.ok('rollout', 'show', id)}`
  await waitUntil(say, async () => {
    view = await user.json<RolloutView>('rollout', 'show', id)
    return view.waves[number - 1]?.state === state
  })
  return view!
}

/** Asks for every device, and returns those that were offered something. */
async function askAll(devices: readonly RegisteredDevice[]): Promise<RegisteredDevice[]> {
  const offered: RegisteredDevice[] = []
  for (const device of devices) if ((await device.ask()) !== null) offered.push(device)
  return offered
}

/** Brings every device to this version, by a rollout of one wave. */
async function bringAll(user: CliUser, version: string, devices: readonly RegisteredDevice[]) {
  const rollout = await create(
    user,
    version,
    '--waves',
    '100%',
    '--bake',
    '0',
    '--success-of',
    'members',
    '--success',
    '100%',
  )
  const watching = user.run('rollout', 'watch', rollout.id)
  await untilWave(user, rollout, 1, 'open')
  for (const device of await askAll(devices)) await device.commit()
  const { exitCode, out } = await watching
  assert.equal(exitCode, 0, out)
  return { rollout, out }
}

/**
 * `rollout watch` as a process of its own at a pseudo terminal; gives what it drew and how it
 * ended.
 */
function watchAtTerminal(t: TestContext, user: CliUser, id: string) {
  const missing = lacks('script')
  if (missing !== false) {
    t.diagnostic(missing)
    return undefined
  }
  const main = programAt(new URL('main.ts', import.meta.url))
  const parts = [
    process.execPath,
    main,
    '--config-dir',
    user.file('config'),
    'rollout',
    'watch',
    id,
  ]
  const command = `stty columns 80 rows 24; ${parts.map((part) => `'${part}'`).join(' ')}`
  const child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, TERM: 'xterm', NO_COLOR: '' },
  })
  let shown = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (shown += text))
  const ended = once(child, 'close').then(([exitCode]) => exitCode as number)
  t.after(() => child.kill('SIGKILL'))
  return { ended, shown: () => shown }
}

/**
 * The terminal's lines after everything was drawn: moves up, clears behind a line and below it;
 * colours show nothing.
 */
function screenOf(output: string): string[] {
  const lines: string[] = ['']
  let row = 0
  let column = 0
  for (const [piece, count, letter] of output.matchAll(
    // oxlint-disable-next-line no-control-regex -- what a terminal is steered with
    /\u001b\[(\d*)([A-Za-z])|\r|\n|[^\u001b\r\n]+/g,
  )) {
    if (piece === '\n') lines[++row] ??= ''
    else if (piece === '\r') column = 0
    else if (letter === 'A') row = Math.max(0, row - Number(count))
    else if (letter === 'K') lines[row] = lines[row]!.slice(0, column)
    else if (letter === 'J') lines.splice(row + 1)
    else if (letter === undefined) {
      lines[row] = lines[row]!.slice(0, column).padEnd(column) + piece
      column += piece.length
    }
  }
  return lines
}

test('D3 D5 a staged rollout: watched as lines and at a terminal, paused, explained, approved, finished', async (t) => {
  const { server, ann, publish, devices } = await setUp(t, { people: ['ann'], devicesCount: 12 })
  const [first] = devices as [RegisteredDevice]
  assert.match(await ann.ok('device', 'why', first.id), /code: +no_rollout/)
  await publish('1.0')
  const { out: lines } = await bringAll(ann, '1.0', devices)
  assert.match(lines, /^\d{4}-\d\d-\d\dT\S+ rollout rollout_\w+ active$/m)
  assert.match(lines, /wave 1: 12 of 12 healthy, 0 in flight, 0 failed, 12 offered/)
  assert.match(lines, /rollout rollout_\w+ finished/)
  assert.match(
    await ann.ok('fleet', 'show', 'lab'),
    /version: +what rollouts bring; 1\.0 for devices that join/,
  )

  await publish('2.0')
  const refused = await ann.fails(3, 'rollout', 'create', '--fleet', 'lab', '--release', 'web@1.0')
  assert.match(refused, /\(release_not_newer\)\n.*rollout back/)
  const policy = ['--waves', 'tag:canary=yes,50%,100%', '--approve-wave', '3', '--bake', '1s']
  const dry = await ann.ok(
    'rollout',
    'create',
    '--fleet',
    'lab',
    '--release',
    'web@2.0',
    ...policy,
    '--dry-run',
  )
  assert.match(
    dry,
    /2 {2}up to 50 % of the fleet, about 6 devices, at least one\n +3 {2}the whole fleet.*once a person/,
  )
  assert.match(dry, /\nWave 1: 0 devices of the fleet with the tag canary=yes: set it with/)
  const emergency = ['--fleet', 'lab', '--release', 'web@2.0', '--emergency', '--dry-run']
  assert.match(await ann.fails(3, 'rollout', 'create', ...emergency), /\(release_not_security\)/)
  assert.equal((await ann.json<RolloutView[]>('rollout', 'list', '--state', 'active')).length, 0)
  const [canary, ...others] = devices as [RegisteredDevice, ...RegisteredDevice[]]
  await ann.ok('device', 'set', canary.id, '--tag', 'canary=yes')
  const rollout = await create(ann, '2.0', ...policy)
  const terminal = watchAtTerminal(t, ann, rollout.id)
  const plain = ann.start('rollout', 'watch', rollout.id)
  const json = ann.start('--json', 'rollout', 'watch', rollout.id)
  await untilWave(ann, rollout, 1, 'open')

  const codeOf = async (device: RegisteredDevice) =>
    (await ann.json<WhyView>('rollout', 'why', rollout.id, device.id)).code
  assert.deepEqual(await askAll(devices), [canary])
  assert.equal(await codeOf(canary), 'offered')
  const later = await ann.ok('rollout', 'why', rollout.id, others[0]!.id)
  assert.match(
    later,
    /^not yet: .*\n\ncode: +wave_not_open\nrollout: +rollout_\w+\nwave: +[23]\nplace: +[\d.]+ %: waves by percentage take in the lowest first\n/,
  )
  // A device is named here as it is elsewhere, and where only its id counts, that is said.
  const unknown = ['rollout', 'why', rollout.id, 'nowhere'] as const
  assert.match(await ann.fails(5, ...unknown), /there is no device with the id or name nowhere/)
  await ann.ok('device', 'set', others[0]!.id, '--name', 'jetty')
  // The sentence counts on, and the earliest time moves; what stands between them stays.
  const factsOf = (answer: string) =>
    /\n\ncode[^]*?\nplace.*/.exec(answer)![0].replaceAll(/ +/g, ' ')
  assert.equal(factsOf(await ann.ok('rollout', 'why', rollout.id, 'jetty')), factsOf(later))
  assert.match(
    await ann.fails(2, 'variable', 'list', '--device', 'jetty'),
    /"jetty" is not the id of a device\n.*`seaworthy device list --text NAME`/,
  )
  assert.match(await ann.fails(2, 'secret', 'known-to', 'jetty'), /is not the id of a device/)
  await ann.ok('device', 'set', 'jetty', '--add-tag', 'berth=3', '--add-tag', 'side=west')
  await ann.ok('device', 'set', 'jetty', '--remove-tag', 'side')
  assert.match(await ann.ok('device', 'show', 'jetty'), /tags: +berth=3\n/)
  for (const state of ['downloading', 'installing', 'watching'] as const) {
    await canary.work(state)
    assert.equal(await codeOf(canary), state)
  }
  await ann.ok('rollout', 'pause', rollout.id, '--reason', 'lunch')
  await canary.commit()
  assert.equal(await codeOf(canary), 'committed')
  assert.equal(await codeOf(others[0]!), 'paused')
  assert.match(await ann.ok('rollout', 'show', rollout.id), /state: +paused: lunch \(by_person\)/)
  await waitUntil(
    'those who watch have seen it',
    () =>
      plain.said().includes('paused: lunch') &&
      json.said().includes('"paused"') &&
      terminal?.shown().includes('paused') !== false,
  )
  await server.restart(() =>
    waitUntil('those who watch miss the server', () => /; trying again/.test(plain.warned())),
  )
  assert.match(await ann.ok('rollout', 'resume', rollout.id), /state: +active/)

  await untilWave(ann, rollout, 2, 'open')
  const half = await askAll(others)
  assert.ok(half.length > 0 && half.length < others.length, `${half.length} of ${others.length}`)
  // Whoever watches stops at the first picture of a rollout that has stopped: the failure is last.
  for (const device of half.slice(1)) await device.commit()
  await half[0]!.rollBack('health_failed')
  assert.equal(await codeOf(half[0]!), 'attempts_used_up')
  const updates = await ann.ok('rollout', 'updates', rollout.id, '--state', 'rolled_back')
  assert.match(updates, new RegExp(`${half[0]!.id} +2 +1 +rolled_back +health_failed`))
  assert.ok(updates.includes('was not healthy once'), updates)
  const shown = await ann.ok('device', 'show', half[0]!.id)
  assert.ok(shown.includes(`health_failed: ${rollbackReason}`), shown)
  assert.match(shown, /it wrote last: +1 line\n {2}lost its valve\n/)
  assert.match(
    await ann.ok('rollout', 'show', rollout.id),
    new RegExp(`rolled_back +health_failed +1 +${half[0]!.id} +GET http`),
  )
  assert.match(
    await ann.ok('rollout', 'history', rollout.id),
    /1 failed update:\n.*\nrolled_back +health_failed +1/,
  )
  const steps = await ann.ok('device', 'updates', half[0]!.id)
  assert.match(
    steps,
    /^2\.0 {2}rollout_\w+ {2}wave 2: rolled_back \(health_failed\): GET .*: status 500\n.* 1 {2}offered\n/,
  )

  // One of few devices has failed, which is more than the gate lets pass.
  const stopped = await plain.ended
  assert.equal(stopped.exitCode, 3, stopped.out)
  for (const line of [
    /wave 1 \(tag canary=yes\): passed/,
    /paused: lunch \(by_person\)/,
    /wave 2: \d+ of \d+ healthy, \d+ in flight, 1 failed/,
    /failures: 1 rolled_back \(health_failed\)/,
    /paused: .*\(failure_gate\)/,
  ]) {
    assert.match(stopped.out, line)
  }
  const { out, exitCode } = await json.ended
  const changes = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { rollout: RolloutView; failures: object[] })
  assert.equal(exitCode, 3)
  assert.equal(changes.at(-1)!.rollout.stopCode, 'failure_gate')
  assert.deepEqual(changes.at(-1)!.failures, [
    {
      ...{ state: 'rolled_back', code: 'health_failed', count: 1 },
      ...{ reason: rollbackReason, deviceId: half[0]!.id },
    },
  ])
  if (terminal !== undefined) {
    assert.equal(await terminal.ended, 3, terminal.shown())
    const screen = screenOf(terminal.shown())
    assert.match(screen[0]!, /^web@2\.0 to lab {2}rollout_/)
    assert.match(screen[1]!, /^paused \(failure_gate\)/)
    assert.ok(
      screen.some((line) => /^ 1 passed +tag canary=yes #+ 1\/1$/.test(line)),
      screen.join('\n'),
    )
    assert.ok(
      screen.some((line) => /^ 2 open +50% +#+x+ +\d\/\d {2}1 failed$/.test(line)),
      screen.join('\n'),
    )
    assert.ok(screen.length < 24, `${screen.length} lines`)
    assert.ok(screen.every((line) => line.length < 80))
  }

  // A person accepts the failure, and the other devices meet the gate.
  await ann.ok('rollout', 'resume', rollout.id)
  await untilWave(ann, rollout, 3, 'awaiting_approval')
  assert.match(
    await ann.fails(3, 'rollout', 'approve', rollout.id, '--wave', '1'),
    /\(wave_needs_no_approval\)/,
  )
  assert.match(await ann.ok('rollout', 'approve', rollout.id, '--wave', '3'), /3 +100% .* token_/)
  await untilWave(ann, rollout, 3, 'open')
  for (const device of await askAll(others)) await device.commit()
  assert.equal((await ann.run('rollout', 'watch', rollout.id)).exitCode, 0)
  assert.match(
    await ann.ok('fleet', 'versions', 'lab'),
    /^12 devices, 12 of them not silent .*\nVERSION.*\n2\.0 +11 +91\.7 % +#+\.+/,
  )
  assert.match(
    await ann.ok('completion-words', 'rollout'),
    new RegExp(`^${rollout.id}\t2\\.0 to lab, finished\n`),
  )
  assert.match(
    await ann.fails(5, 'rollout', 'show', `rollout_${'0'.repeat(26)}`),
    /\(rollout_not_found\)/,
  )

  await publish('3.0')
  const unwanted = await create(ann, '3.0')
  assert.match(await ann.ok('rollout', 'abort', unwanted.id, '--reason', 'no'), /aborted: no/)
  assert.match(await ann.fails(3, 'rollout', 'resume', unwanted.id), /\(rollout_ended\)/)
  assert.equal((await ann.run('rollout', 'watch', unwanted.id)).exitCode, 3)
})

test('D4 the signed way back: one key proposes, another signs on its own machine, the same command goes on', async (t) => {
  const { server, users, ann, publish, published, devices } = await setUp(t, {
    people: ['ann', 'ben'],
    devicesCount: 4,
  })
  const ben = users[1]!
  await publish('1.0')
  await bringAll(ann, '1.0', devices)
  await publish('2.0')
  const { rollout: bad } = await bringAll(ann, '2.0', devices)
  assert.ok(devices.every(({ running }) => running?.version === '2.0'))

  const back = (...options: string[]) => ann.ok('rollout', 'back', bad.id, ...options)
  // A rehearsal asks the server, although the release is still to be signed.
  const follow = (how: string) => ann.ok('fleet', 'set', bad.fleet, '--follow', how)
  await follow('newest')
  const refused = await ann.fails(3, 'rollout', 'back', bad.id, '--dry-run')
  assert.match(refused, /follows the newest release/)
  await follow('rollouts')
  const plan = await back('--dry-run')
  assert.match(plan, /Nothing prevents it now/)
  assert.match(
    plan,
    /from web@2\.0 to the content of 1\.0, which the rollout rollout_\w+ brought before/,
  )
  assert.match(plan, /1\. .*web@1\.0-again, the same bytes.*\n2\. .*counter above 2.*\n3\. /)
  const begun = await back('--sign-with', ann.file('key'))
  assert.match(begun, /\+ release web\/stable\/1\.0-again\n.*\n +counter 3, floor 1/)
  assert.match(begun, /~ version\.txt/)
  const id = /seaworthy proposal sign (proposal_\w+) --key FILE/.exec(begun)?.[1]
  assert.ok(id, begun)
  assert.match(
    begun,
    new RegExp(`Then go on with the same command: seaworthy rollout back ${bad.id}`),
  )
  assert.equal((await ann.json<RolloutView[]>('rollout', 'list')).length, 2)
  const early = (version: string) => [
    ...['rollout', 'create', '--fleet', 'lab', '--release', `web@${version}`, '--waves', '100%'],
  ]
  assert.match(
    await ann.fails(3, ...early('1.0-again')),
    new RegExp(
      `1\\.0-again is not published on web\\.stable yet: ${id} .* waits for signatures\nSign it with`,
    ),
  )
  assert.match(
    await ann.fails(5, ...early('9.9')),
    /there is no release web 9\.9\n.*release list web/,
  )
  // The command runs again before anybody has signed: it finds the same proposal and makes no
  // second one.
  assert.match(await back(), new RegExp(id))
  assert.equal((await ann.json<object[]>('proposal', 'list', '--state', 'open')).length, 1)

  await signElsewhere(server, ann, ben, id)
  published.push('1.0-again')
  const done = await ann.json<{ release: string; rollout: RolloutView }>('rollout', 'back', bad.id)
  assert.equal(done.release, '1.0-again')
  assert.partialDeepStrictEqual(done.rollout, {
    version: '1.0-again',
    counter: 3,
    wayBackOf: bad.id,
  })
  assert.match(await back(), /The way back is already under way/)
  const watching = ann.run('rollout', 'watch', done.rollout.id)
  await untilWave(ann, done.rollout, 1, 'open')
  for (const device of await askAll(devices)) await device.commit()
  assert.equal((await watching).exitCode, 0, (await watching).out)
  assert.deepEqual(
    devices.map(({ running }) => [running?.version, running?.counter]),
    devices.map(() => ['1.0-again', 3]),
  )
  const [before, again] = await Promise.all(
    ['1.0', '1.0-again'].map((version) =>
      ann.json<{ platforms: object[]; digest: string }>('release', 'show', 'web', version),
    ),
  )
  assert.deepEqual(again!.platforms, before!.platforms)
  assert.notEqual(again!.digest, before!.digest)
  assert.match(await ann.ok('release', 'verify', 'web', '1.0-again'), /Genuine/)

  // The next bad release is rolled back to the same content, under a name that was not used yet.
  await publish('3.0')
  const worse = await create(ann, '3.0', '--waves', '100%')
  const both = users.flatMap((user) => ['--sign-with', user.file('key')])
  const next = await ann.json<{ release: string; rollout: RolloutView }>(
    ...['rollout', 'back', worse.id],
    ...both,
  )
  assert.deepEqual([next.release, next.rollout.counter], ['1.0-again.2', 5])
  assert.match(await ann.ok('rollout', 'show', worse.id), /state: +aborted: the way back/)
  const chosen = await ann.ok('rollout', 'back', next.rollout.id, '--to', '2.0', '--dry-run')
  assert.match(chosen, /content of 2\.0, as you said\n.*lists between them: 3\.0, 1\.0-again; --to/)
  await refuseLies(t, server, ann, { bad, worse })
})

/**
 * The lies of a server that was taken over about the bad release, told to have something else
 * signed.
 */
async function refuseLies(
  t: TestContext,
  server: TestedServer,
  ann: CliUser,
  { bad, worse }: { bad: RolloutView; worse: RolloutView },
) {
  const { token } = await ann.json<{ token: string }>('token', 'create', 'zoe', '--role', 'admin')
  const lies: [from: string, to: string][] = []
  const zoe = await createCliUser(t, 'zoe', {
    createTransport: (options) => {
      const { transport, close } = httpsTransport({ ...options, idleTimeoutMs: 120_000 })
      const lying: Transport = async (request) => {
        const response = await transport(request)
        if (!request.url.includes('/v1/rollouts')) return response
        const text = utf8Decode(await readBody(response, 64 * 1024 * 1024))
        const said = lies.reduce((changed, [from, to]) => changed.replaceAll(from, to), text)
        return { ...response, body: Readable.from([utf8Encode(said)]) }
      }
      return { transport: lying, close }
    },
  })
  await zoe.ok('login', server.url, '--pin', server.pin, '--token', token)
  assert.match(await zoe.ok('rollout', 'back', worse.id), /already under way/)
  lies.push(['"wayBackOf":"', '"wayBackOf":null,"x":"'])
  // What the server says of the plan depends on how far the way back is that she is not shown.
  const { out, err } = await zoe.run('rollout', 'back', worse.id, '--dry-run')
  assert.match(out + err, /a counter above 4/)
  lies.push([worse.sha256, bad.sha256])
  const refused = await zoe.fails(3, 'rollout', 'back', worse.id, '--dry-run')
  assert.match(refused, /describes 3\.0 otherwise than its channel signed it/)
}

/** The second signer has a token and a key, and nothing else of the first. */
async function signElsewhere(server: TestedServer, ann: CliUser, ben: CliUser, id: string) {
  const { token } = await ann.json<{ token: string }>('token', 'create', 'ben', '--role', 'admin')
  await ben.ok('login', server.url, '--pin', server.pin, '--token', token)
  const signed = await ben.ok('proposal', 'sign', id, '--key', ben.file('key'))
  assert.match(signed, /Published web 1\.0-again on stable\./)
}
