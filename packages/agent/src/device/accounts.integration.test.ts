import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
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
      timeout: 20_000,
    })
    assert.equal(status, 2, stderr)
    const sentence = `seaworthy-agent: ${what} lies in ${runDir}, which the process that talks to the network may write: name another runDir in ${configPath}\n`
    assert.equal(stderr, sentence)
    assert.ok(!existsSync(`${device.stateDir}/trust`), 'nothing was made, and no owner changed')
  }
})

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
