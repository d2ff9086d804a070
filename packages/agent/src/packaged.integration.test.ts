import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { waitUntil } from '@seaworthy/std/testing'
import { buildAgent } from '../build/main.ts'
import { createTestAgent, makeTestFolder, writeTestApp } from './testing/test-agent.ts'
import { startTestOrigin } from './testing/test-origin.ts'

const folder = makeTestFolder()
after(() => folder.remove())

test('V1 the packaged agent is one file that runs a release with nothing but Node beside it, by paths from where it was started', async () => {
  const out = `${folder.path}/opt`
  const { file } = await buildAgent(`${folder.path}/build`)
  mkdirSync(out)
  copyFileSync(file, `${out}/seaworthy-agent.mjs`)
  const origin = await startTestOrigin(folder.path)
  const agent = await createTestAgent(`${folder.path}/device`, origin)
  await origin.release('1.0.0', writeTestApp(`${folder.path}/app`, '1.0.0'))
  const main = `${out}/seaworthy-agent.mjs`
  // The options are those of a person who stands beside the configuration.
  const options = ['--config', 'agent.json', '--state-dir', 'state']
  const cwd = `${folder.path}/device`
  const run = spawn(process.execPath, [main, 'run', ...options], {
    stdio: ['ignore', 'ignore', 'pipe'],
    cwd,
  })
  let log = ''
  run.stderr.on('data', (bytes: Buffer) => (log += bytes.toString()))
  try {
    await waitUntil(
      'it runs',
      async () => (await agent.readVersion())?.startsWith('1.0.0') === true,
    )
    // A state or a configuration beside the one file stays closed to the fetcher, whatever its
    // account.
    const fetcher = agent.processes().fetcher[0]!
    const readable = readFileSync(`/proc/${fetcher}/cmdline`, 'utf8')
      .split('\0')
      .flatMap((word) => /^--allow-fs-read=(.*)$/.exec(word)?.[1] ?? [])
    assert.deepEqual(readable, [main, `${agent.stateDir}/fetch`, `${agent.stateDir}/run`])
    await waitUntil('committed', async () => (await agent.status())['committedCounter'] === 1)
    assert.equal(origin.registrations, 1, 'one use of the provisioning key')
    assert.doesNotMatch(log, /DiskError/, 'nothing of it has to be started again')
    assert.ok(!readFileSync(agent.configPath, 'utf8').includes('provisioningKey'))
    const ask = { encoding: 'utf8', cwd } as const
    const shown = spawnSync(process.execPath, [main, 'status', ...options], ask)
    assert.equal(shown.status, 0)
    assert.match(shown.stdout, /release +1\.0\.0 \(counter 1/)
    const json = spawnSync(process.execPath, [main, 'status', '--json', ...options], ask)
    assert.equal((JSON.parse(json.stdout) as { isRunning: boolean }).isRunning, true)
  } finally {
    run.kill('SIGTERM')
    await new Promise((resolve) => run.once('exit', resolve))
    const { installer, fetcher, app } = agent.processes()
    assert.deepEqual(
      [installer, fetcher, app],
      [[], [], []],
      'an orderly end leaves nothing running',
    )
    const shown = spawnSync(process.execPath, [main, 'status', ...options], {
      encoding: 'utf8',
      cwd,
    })
    assert.equal(shown.status, 6)
    assert.match(shown.stdout, /not running/)
    agent.cutPower()
    await origin.close()
  }
})

test('V1 the one file says in one sentence that a Node is too old, before it loads anything', async () => {
  const { file } = await buildAgent(`${folder.path}/old-node`)
  const [start, rest] = readFileSync(file, 'utf8').split('"use strict"') as [string, string]
  assert.equal(start.match(/^import /gm)?.length, 2)
  assert.doesNotMatch(
    rest,
    /^import /m,
    'what an older Node lacks would end in a listing of the file',
  )
  const pretended = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '24.9.0' } })`
  const preload = `data:text/javascript,${encodeURIComponent(pretended)}`
  const run = spawnSync(process.execPath, ['--import', preload, file, 'run'], { encoding: 'utf8' })
  assert.equal(run.status, 2)
  assert.equal(
    run.stderr,
    `seaworthy-agent: needs Node 26 or newer, and this is Node 24.9.0 at ${process.execPath}: start this file with node_modules/node-linux-${process.arch}/bin/node of a Seaworthy checkout, or with one from nodejs.org\n`,
  )
})

/** Runs the program until it ends by itself, which must be at once. */
function runOnce(args: readonly string[], account: { uid?: number; gid?: number } = {}) {
  const main = new URL('main.ts', import.meta.url).pathname
  const options = { encoding: 'utf8', timeout: 120_000, cwd: '/', ...account } as const
  return spawnSync(process.execPath, [main, ...args], options)
}

test('V1 what starting over cannot heal ends with 2, one sentence, and no stack', async () => {
  const origin = await startTestOrigin(folder.path)
  const agent = await createTestAgent(`${folder.path}/faults`, origin, { user: undefined })
  const good = JSON.parse(readFileSync(agent.configPath, 'utf8')) as object
  const faults: [object, RegExp][] = [
    [{ root: 'short' }, /^seaworthy-agent: \/\S+\.json: root: expected .*\n$/],
    [
      { root: 'a'.repeat(64) },
      /^seaworthy-agent: root: the root file .* has the digest [0-9a-f]{64}: .*\n$/,
    ],
    [
      { rootInline: undefined, rootFile: folder.path },
      /^seaworthy-agent: rootFile: .* cannot be read.*\n$/,
    ],
    [
      { ca: '/nowhere/ca.pem' },
      /^seaworthy-agent: ca: \/nowhere\/ca\.pem cannot be read \(ENOENT\)\n$/,
    ],
  ]
  try {
    for (const [change, said] of faults) {
      writeFileSync(agent.configPath, JSON.stringify({ ...good, ...change }))
      const run = runOnce(['run', '--config', agent.configPath, '--state-dir', agent.stateDir])
      assert.equal(run.status, 2, run.stderr)
      assert.match(run.stderr, said)
    }
    assert.deepEqual(agent.processes(), { installer: [], fetcher: [], app: [] })
    const run = runOnce(['run', '--config', '/nowhere/agent.json'])
    assert.equal(run.status, 2)
    assert.match(
      run.stderr,
      /^seaworthy-agent: \/nowhere\/agent\.json cannot be read \(ENOENT\): .*\n$/,
    )
    writeFileSync(agent.configPath, '{ "root": ')
    const broken = runOnce(['status', '--config', agent.configPath])
    assert.match(
      broken.stderr,
      /^seaworthy-agent: \/\S+\.json: not a JSON file; .*--agent-config FILE.*\n$/,
    )
    writeFileSync(agent.configPath, '{}')
    const empty = runOnce(['status', '--config', agent.configPath])
    assert.match(empty.stderr, /: root, product, channel: missing; .*--agent-config FILE/)
    const file = ['--config', `${folder.path}/good.json`, '--state-dir', agent.configPath]
    writeFileSync(`${folder.path}/good.json`, JSON.stringify(good))
    const inFile = runOnce(['run', ...file])
    assert.equal(inFile.status, 2)
    assert.match(inFile.stderr, /cannot be used: (?!.*account).*; keep everything elsewhere/)
    const mistakes: [string[], string][] = [
      [['fly\u001b[2J'], 'there is no command "fly\\u{1b}[2J"'],
      [['run', '--confg', 'x'], 'there is no option "confg"'],
      [['status', '--config'], '--config needs a value'],
      [['status', '--json=yes'], '--json takes no value'],
      [['run', 'now'], 'run takes no "now"'],
    ]
    for (const [args, said] of mistakes) {
      const run = runOnce(args)
      assert.equal(run.status, 2)
      assert.equal(run.stderr, `seaworthy-agent: ${said}\nSee \`seaworthy-agent --help\`.\n`)
    }
    assert.equal(runOnce(['--help']).status, 0)
  } finally {
    await origin.close()
  }
})

test('V1 an ordinary user without --state-dir is told so once', async () => {
  const config = `${folder.path}/ordinary.json`
  writeFileSync(
    config,
    JSON.stringify({
      ...{ server: 'http://127.0.0.1:9', product: 'gauge', channel: 'stable' },
      // Only root may make this folder, whatever lies at the usual path on this machine.
      ...{ root: 'a'.repeat(64), stateDir: '/root-only-seaworthy' },
    }),
  )
  const isRoot = process.getuid?.() === 0
  if (isRoot) {
    const secret = `${folder.path}/secret.json`
    writeFileSync(secret, '{}', { mode: 0o600 })
    const asked = runOnce(['status', '--config', secret], { uid: 65_534, gid: 65_534 })
    assert.match(asked.stderr, /secret\.json cannot be read \(EACCES\): say it as root, or/)
  }
  const run = runOnce(['run', '--config', config], isRoot ? { uid: 65_534, gid: 65_534 } : {})
  assert.equal(run.status, 2)
  assert.equal(
    run.stderr,
    'seaworthy-agent: /root-only-seaworthy cannot be used by this account (EACCES): start the agent as root, or keep everything elsewhere with --state-dir DIR\n',
  )
})
