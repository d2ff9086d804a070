import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { after, before, test } from 'node:test'
import { waitUntil } from '@seaworthy/std/testing'
import type { TestAgent } from '../testing/test-agent.ts'
import { createTestAgent, makeTestFolder, writeTestApp } from '../testing/test-agent.ts'
import type { TestOrigin } from '../testing/test-origin.ts'
import { startTestOrigin } from '../testing/test-origin.ts'

const skip = process.getuid?.() === 0 ? false : 'needs root'
const folder = makeTestFolder()
let origin: TestOrigin
let agent: TestAgent

before(async () => {
  origin = await startTestOrigin(folder.path)
  agent = await createTestAgent(`${folder.path}/device`, origin, {
    user: 'nobody',
    fetchUser: 'daemon',
  })
})
after(async () => {
  await agent.stop()
  agent.cutPower()
  await origin.close()
  folder.remove()
})

/** User and supplementary groups of a process. */
function accountOf(pid: number) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const read = (name: string) =>
    new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(status)![1]!.trim().split(/\s+/)
  return { uid: Number(read('Uid')[0]), groups: read('Groups').filter((group) => group !== '') }
}

test(
  'V3 started as root, fetcher and application each run as an account of their own, without its groups',
  { skip },
  async () => {
    await origin.release('1.0.0', writeTestApp(`${folder.path}/app`, '1.0.0'))
    agent.start()
    await waitUntil('committed', () => origin.reports.at(-1)?.report.committedCounter === 1)
    const { installer, fetcher, app } = agent.processes()
    assert.equal(accountOf(installer[0]!).uid, 0)
    assert.deepEqual(accountOf(fetcher[0]!), { uid: 1, groups: [] })
    assert.deepEqual(accountOf(app[0]!), { uid: 65_534, groups: [] })
    const trust = statSync(`${agent.stateDir}/trust`)
    assert.deepEqual([trust.uid, trust.mode & 0o777], [0, 0o700])
  },
)

test(
  'V3 T7 on a machine without accounts for it nothing but the installer runs as root, and a configured root is the one exception',
  { skip },
  async () => {
    const fresh = await startTestOrigin(`${folder.path}/fresh-origin`)
    await fresh.release('1.0.0', writeTestApp(`${folder.path}/fresh-app`, '1.0.0'))
    // The configuration names no `user`.
    const device = await createTestAgent(`${folder.path}/fresh`, fresh, { user: undefined })
    try {
      device.start()
      await waitUntil('committed', () => fresh.reports.at(-1)?.report.committedCounter === 1)
      const { installer, fetcher, app } = device.processes()
      assert.equal(accountOf(installer[0]!).uid, 0)
      assert.deepEqual(accountOf(fetcher[0]!), { uid: 65_521, groups: [] })
      assert.deepEqual(accountOf(app[0]!), { uid: 65_522, groups: [] })
      await device.stop()
      const config = JSON.parse(readFileSync(device.configPath, 'utf8')) as object
      writeFileSync(device.configPath, JSON.stringify({ ...config, user: 'root' }))
      device.start()
      // Its status comes through the fetcher's socket: a fetcher that answers there has given up
      // root before.
      await waitUntil('the application runs again', async () => {
        const status = await device.status().catch(() => undefined)
        return status?.['application'] instanceof Object && device.processes().app.length > 0
      })
      assert.equal(accountOf(device.processes().app[0]!).uid, 0)
      assert.equal(accountOf(device.processes().fetcher[0]!).uid, 65_521)
    } finally {
      await device.stop()
      device.cutPower()
      await fresh.close()
    }
  },
)

test(
  'V3 a folder that the fetcher cannot reach is said in one sentence, at once',
  { skip },
  async () => {
    const closed = `${folder.path}/closed`
    const device = await createTestAgent(closed, origin)
    chmodSync(closed, 0o700)
    const main = new URL('../main.ts', import.meta.url).pathname
    const args = ['run', '--config', device.configPath, '--state-dir', device.stateDir]
    const { status, stderr } = spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' })
    assert.equal(status, 2)
    assert.match(
      stderr,
      /^seaworthy-agent: \S+\/fetch is closed to .+\(chmod o\+x\), or choose another --state-dir\n$/,
    )
  },
)

test('V3 T7 attack: a state or configuration in a folder that the fetcher may write is refused in one sentence, at once', async () => {
  const device = await createTestAgent(`${folder.path}/exposed`, origin)
  const main = new URL('../main.ts', import.meta.url).pathname
  const configPath = `${folder.path}/exposed/agent.json`
  const config = JSON.parse(readFileSync(device.configPath, 'utf8')) as object
  for (const [runDir, what] of [
    [device.stateDir, `the state ${device.stateDir}/trust`],
    [`${folder.path}/exposed`, `the state ${device.stateDir}/trust`],
    [`${device.stateDir}/trust`, `the state ${device.stateDir}/trust`],
  ]) {
    writeFileSync(configPath, JSON.stringify({ ...config, stateDir: device.stateDir, runDir }))
    const { status, stderr } = spawnSync(process.execPath, [main, 'run', '--config', configPath], {
      encoding: 'utf8',
      timeout: 120_000,
    })
    assert.equal(status, 2, stderr)
    const sentence = `seaworthy-agent: ${what} lies in ${runDir}, which the process that talks to the network may write: name another runDir in ${configPath}\n`
    assert.equal(stderr, sentence)
    assert.ok(!existsSync(`${device.stateDir}/trust`), 'nothing was made, and no owner changed')
  }
})

/** The agent's folders as another account, or the owner by a slip, has left them before a start. */
interface Prepared {
  /** Members of the configuration, beside those that every test agent has. */
  config?: Record<string, unknown>
  /** The place that the agent says first, and what it says of it. */
  said: readonly [path: string, fault: string]
  /** A folder that must stay root's. */
  untouched?: string
}

function makeOf(uid: number, path: string): string {
  mkdirSync(path, { recursive: true })
  chownSync(path, uid, uid)
  return path
}

const stolenFolders: Record<string, (home: string, configPath: string) => Prepared> = {
  ...Object.fromEntries(
    (
      [
        ['the fetcher’s', 1, 'daemon', ['', '/trust', '/incoming', '/products', '/products/gauge']],
        ['the application’s', 65_534, 'nobody', ['', '/products/gauge/releases']],
      ] as const
    ).flatMap(([whose, uid, name, belows]) => [
      ...belows.map((below): [string, (home: string) => Prepared] => [
        `state${below} is ${whose}`,
        (home) => ({ said: [makeOf(uid, `${home}/state${below}`), `belongs to ${name}`] }),
      ]),
      [
        `the state lies in a folder of ${whose}`,
        (home: string) => {
          const above = makeOf(uid, `${home}/home`)
          const stateDir = `${above}/state`
          const fault = `, on the way to the state ${stateDir}, belongs to ${name}`
          return { config: { stateDir, runDir: `${home}/run` }, said: [above, fault] }
        },
      ] as const,
      [
        `the configuration is ${whose}`,
        (_home: string, configPath: string) => {
          chownSync(configPath, uid, uid)
          return { said: [configPath, `belongs to ${name}`] }
        },
      ] as const,
    ]),
  ),
  'a stored release is the fetcher’s': (home) => ({
    said: [
      makeOf(1, `${home}/state/products/gauge/releases/${'a'.repeat(64)}`),
      'belongs to daemon',
    ],
  }),
  'everybody may write the state': (home) => {
    mkdirSync(`${home}/state`)
    chmodSync(`${home}/state`, 0o777)
    return { said: [`${home}/state`, 'may be written by others than root (mode 0777)'] }
  },
  'the state is reached through a link of the fetcher’s in a folder like /tmp': (home) => {
    const [shared, rootsOwn] = [`${home}/tmp`, `${home}/etc`]
    mkdirSync(rootsOwn)
    mkdirSync(shared)
    chmodSync(shared, 0o1777)
    symlinkSync(rootsOwn, `${shared}/state`)
    lchownSync(`${shared}/state`, 1, 1)
    const said = [`${shared}/state`, 'belongs to daemon'] as const
    return {
      config: { stateDir: `${shared}/state`, runDir: `${home}/run` },
      said,
      untouched: rootsOwn,
    }
  },
  'fetch is a link to a folder of root’s': (home) => {
    mkdirSync(`${home}/state`)
    mkdirSync(`${home}/etc`)
    symlinkSync(`${home}/etc`, `${home}/state/fetch`)
    return { said: [`${home}/state/fetch`, 'is a symbolic link'], untouched: `${home}/etc` }
  },
  'the application’s data is a link to a folder of root’s': (home) => {
    const product = `${home}/state/products/gauge`
    mkdirSync(product, { recursive: true })
    mkdirSync(`${home}/etc`)
    symlinkSync(`${home}/etc`, `${product}/data`)
    return { said: [`${product}/data`, 'is a symbolic link'], untouched: `${home}/etc` }
  },
  'the runDir lies in the fetcher’s home and is a link to a folder of root’s': (home) => {
    const above = makeOf(1, `${home}/home`)
    mkdirSync(`${home}/etc`)
    symlinkSync(`${home}/etc`, `${above}/run`)
    const said = [above, `, on the way to the runDir ${above}/run, belongs to daemon`] as const
    return { config: { runDir: `${above}/run` }, said, untouched: `${home}/etc` }
  },
  'the runDir is a folder of root’s that holds other things': (home) => {
    mkdirSync(`${home}/etc`)
    writeFileSync(`${home}/etc/passwd`, '')
    const said = [`${home}/etc`, `holds "passwd", which is not the agent's`] as const
    return { config: { runDir: `${home}/etc` }, said, untouched: `${home}/etc` }
  },
  'the runDir would lie in a folder like /tmp': (home) => {
    mkdirSync(`${home}/tmp`)
    chmodSync(`${home}/tmp`, 0o1777)
    const fault = `, on the way to the runDir ${home}/tmp/run, may be written by others than root (mode 1777)`
    return { config: { runDir: `${home}/tmp/run` }, said: [`${home}/tmp`, fault] }
  },
  'a certificate that root reads for the fetcher is the fetcher’s': (home) => {
    writeFileSync(`${home}/ca.pem`, '')
    chownSync(`${home}/ca.pem`, 1, 1)
    return { config: { ca: `${home}/ca.pem` }, said: [`${home}/ca.pem`, 'belongs to daemon'] }
  },
}

test('V3 T7 attack: root uses no folder that an account can replace', { skip }, async (t) => {
  let count = 0
  for (const [name, prepare] of Object.entries(stolenFolders)) {
    await t.test(name, async () => {
      const home = `${folder.path}/stolen-${++count}`
      const device = await createTestAgent(home, origin, { user: 'nobody', fetchUser: 'daemon' })
      const config = JSON.parse(readFileSync(device.configPath, 'utf8')) as object
      const { config: members, said, untouched } = prepare(home, device.configPath)
      const places = { stateDir: device.stateDir, runDir: `${device.stateDir}/run` }
      writeFileSync(device.configPath, JSON.stringify({ ...config, ...places, ...members }))
      const before = untouched === undefined ? undefined : lstatSync(untouched)
      const main = new URL('../main.ts', import.meta.url).pathname
      let stderr = ''
      const run = spawn(process.execPath, [main, 'run', '--config', device.configPath], {
        stdio: ['ignore', 'ignore', 'pipe'],
        detached: true,
      })
      run.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString()))
      const ended = new Promise((resolve) => run.once('close', resolve))
      try {
        // An agent that goes on writes its log.
        await waitUntil('it ends', () => run.exitCode !== null || stderr.includes('{'))
      } finally {
        if (run.exitCode === null) process.kill(-run.pid!, 'SIGKILL')
        device.cutPower()
      }
      const status = await ended
      const [place, fault] = said
      assert.ok(stderr.startsWith(`seaworthy-agent: ${place}`), stderr)
      assert.ok(stderr.includes(fault), stderr)
      assert.match(stderr, /^[^\n]+(?:choose|name|move)[^\n]+\n$/, 'one sentence with a way out')
      assert.equal(status, 2)
      if (before !== undefined) {
        const { uid, gid, mode } = lstatSync(untouched!)
        assert.deepEqual([uid, gid, mode], [before.uid, before.gid, before.mode])
      }
    })
  }
})

test(
  'V3 T7 attack: a status that the fetcher made up reaches no terminal raw, and makes nothing crash',
  { skip },
  async () => {
    await waitUntil('the socket answers', async () => (await agent.status()) !== undefined)
    const socket = `${agent.stateDir}/run/agent.sock`
    const lie = { deviceId: '\u009b2J\u202edlo\u2028\u007f', committed: 5, isRunning: 'no' }
    const script = `const fs = require('fs'); fs.rmSync(process.argv[1]); require('net')
      .createServer((s) => s.end(JSON.stringify(${JSON.stringify(lie)}) + '\\n'))
      .listen(process.argv[1], () => console.log('listening'))`
    const impostor = spawn(process.execPath, ['-e', script, socket], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    try {
      await new Promise((resolve) => impostor.stdout.once('data', resolve))
      const main = new URL('../main.ts', import.meta.url).pathname
      const options = ['--config', agent.configPath, '--state-dir', agent.stateDir]
      const ask = (...words: string[]) =>
        spawnSync(process.execPath, [main, 'status', ...words, ...options], { encoding: 'utf8' })
      const json = ask('--json')
      assert.doesNotMatch(json.stdout.trimEnd(), /[\p{C}\p{Zl}\p{Zp}]/u)
      assert.deepEqual(JSON.parse(json.stdout), { ...lie, isRunning: true })
      const text = ask()
      assert.deepEqual([text.status, text.stderr], [0, ''])
      assert.match(text.stdout, /^agent +running, but its answer is not the status of an agent/)
      // A link in the fetcher's folder leads the command to nobody else's socket.
      renameSync(socket, `${socket}.other`)
      symlinkSync(`${socket}.other`, socket)
      assert.match(ask().stdout, /^agent +not running\n/)
    } finally {
      impostor.kill()
      await agent.stop()
      agent.start()
    }
    await waitUntil('the fetcher serves its own socket again', async () => {
      const status = await agent.status().catch(() => undefined)
      return status?.['application'] instanceof Object
    })
  },
)

test(
  'V1 an application of another account is taken over after kill -9 of the installer',
  { skip },
  async () => {
    const old = agent.processes()
    for (const pid of old.installer) process.kill(pid, 'SIGKILL')
    await waitUntil('a new installer with an application', async () => {
      const { installer } = agent.processes()
      if (installer[0] === undefined || installer[0] === old.installer[0]) return false
      const status = await agent.status().catch(() => undefined)
      return status?.['application'] instanceof Object
    })
    assert.deepEqual(agent.processes().app, old.app)
  },
)
