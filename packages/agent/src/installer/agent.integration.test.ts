import assert from 'node:assert/strict'
import {
  appendFileSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { after, before, test } from 'node:test'
import { waitUntil } from '@seaworthy/std/testing'
import type { TestAgent } from '../testing/test-agent.ts'
import { createTestAgent, makeTestFolder, writeTestApp } from '../testing/test-agent.ts'
import type { TestOrigin } from '../testing/test-origin.ts'
import { startTestOrigin } from '../testing/test-origin.ts'

const folder = makeTestFolder()
let origin: TestOrigin
let agent: TestAgent

before(async () => {
  origin = await startTestOrigin(folder.path)
  agent = await createTestAgent(`${folder.path}/device`, origin)
})

after(async () => {
  await agent.stop()
  agent.cutPower()
  await origin.close()
  folder.remove()
})

const version = (text: string) =>
  waitUntil(`${text} runs`, async () => (await agent.readVersion())?.startsWith(text) === true)
const lastSigned = () => origin.reports.findLast(({ isSigned }) => isSigned)?.report

test('V4 registers once, destroys the provisioning key, installs, starts and commits the assigned release', async () => {
  await origin.release('1.0.0', writeTestApp(`${folder.path}/app-1`, '1.0.0'))
  agent.start()
  await version('1.0.0')
  assert.equal(origin.registrations, 1)
  assert.ok(!readFileSync(agent.configPath, 'utf8').includes('provisioningKey'))
  await waitUntil('committed', () => lastSigned()?.update.state === 'committed')
  assert.equal(lastSigned()?.committedCounter, 1)
  assert.equal(statSync(`${agent.stateDir}/trust/device.key`).mode & 0o777, 0o600)
  const status = await agent.status()
  assert.deepEqual([status['committedCounter'], status['refusals']], [1, []])
})

test('V1 the application does not inherit the permission flags of the installer', async () => {
  assert.equal((await agent.readVersion())?.trim(), '1.0.0')
})

test('V1 updates, switches both links at once and keeps the release before', async () => {
  const before = readlinkSync(`${agent.stateDir}/products/gauge/current`)
  await origin.release('2.0.0', writeTestApp(`${folder.path}/app-2`, '2.0.0'))
  await agent.updateNow()
  await version('2.0.0')
  await waitUntil('committed', () => lastSigned()?.committedCounter === 2)
  assert.equal(readlinkSync(`${agent.stateDir}/products/gauge/previous`), before)
  assert.notEqual(readlinkSync(`${agent.stateDir}/products/gauge/current`), before)
})

for (const [behaviour, code, reason] of [
  [
    'unhealthy',
    'health_failed',
    /^GET http:\/\/127\.0\.0\.1:\d+\/health was not healthy once in 2 s: status 500$/,
  ],
  ['crashing', 'crash_loop', /^it ended 3 times, the last time with exit code 3$/],
  ['turns-bad', 'health_failed', /^GET .* failed 3 times in a row after .*: status 500$/],
] as const) {
  test(`V1 a release that is ${behaviour} is rolled back with ${code} and not tried again`, async () => {
    const bad = await origin.release(
      `bad-${behaviour}`,
      writeTestApp(`${folder.path}/${behaviour}`, 'bad', behaviour, {
        windowSeconds: behaviour === 'crashing' ? 30 : 2,
      }),
    )
    await agent.updateNow()
    await waitUntil(
      'rolled back',
      () => lastSigned()?.update.state === 'rolled_back' && lastSigned()?.update.code === code,
    )
    const failure = lastSigned()?.failure
    assert.deepEqual([failure?.sha256, failure?.code], [bad.sha256, code])
    assert.match(failure?.reason ?? '', reason)
    if (behaviour === 'crashing') {
      // A busy machine may start it a fourth time before the third end is acted on.
      assert.ok((failure?.output?.length ?? 0) >= 3, JSON.stringify(failure))
      assert.deepEqual([...new Set(failure?.output)], ['lost its valve'])
    } else assert.equal(failure?.output, undefined)
    await version('2.0.0')
    assert.equal(lastSigned()?.running?.version, '2.0.0')
    assert.equal(lastSigned()?.committedCounter, 2)
    const asked = origin.requests.length
    const reports = origin.reports.length
    await agent.updateNow()
    await waitUntil('polled again', () => origin.reports.length > reports)
    assert.ok(!origin.requests.slice(asked).some((request) => request.includes(bad.sha256)))
  })
}

test('V1 a release whose program cannot be executed says so in its report, and a report without a signature does not repeat it', async () => {
  const path = writeTestApp(`${folder.path}/stuck`, 'stuck', 'healthy', {
    extra: {
      'seaworthy.json': JSON.stringify({ start: ['./plain'] }),
      plain: 'no program',
    },
  })
  const { sha256 } = await origin.release('stuck', path)
  await agent.updateNow()
  await waitUntil('rolled back', () => lastSigned()?.failure?.sha256 === sha256)
  assert.deepEqual(lastSigned()?.failure, {
    sha256,
    code: 'start_failed',
    reason: 'EACCES ./plain: it cannot be executed',
  })
  const idle = () => origin.reports.findLast(({ isSigned }) => !isSigned)?.report
  await waitUntil('an idle report', async () => {
    await agent.updateNow()
    return idle()?.update.sha256 === sha256
  })
  assert.equal(idle()?.failure, undefined)
})

test('T7 fault: folders, links and huge files in the place of state that is there twice take nothing down', async () => {
  await agent.stop()
  const places = ['trust/device-state.0', 'trust/tuf.a', 'trust/identity', 'agent.lock'] as const
  for (const place of [...places, 'status.json']) {
    rmSync(`${agent.stateDir}/${place}`, { force: true })
  }
  truncateSync(`${agent.stateDir}/trust/anchor.json`, 10)
  mkdirSync(`${agent.stateDir}/trust/device-state.0/inside`, { recursive: true })
  writeFileSync(`${agent.stateDir}/trust/tuf.a`, '')
  truncateSync(`${agent.stateDir}/trust/tuf.a`, 400e6)
  symlinkSync('/dev/zero', `${agent.stateDir}/trust/identity`)
  mkdirSync(`${agent.stateDir}/agent.lock/inside`, { recursive: true })
  mkdirSync(`${agent.stateDir}/status.json`)
  await origin.release('2.1.0', writeTestApp(`${folder.path}/app-2-1`, '2.1.0'))
  agent.start()
  await waitUntil('2.1.0 runs', async () => {
    // The agent may not listen yet, and its first poll is far off.
    await agent.updateNow().catch(() => {})
    return (await agent.readVersion())?.startsWith('2.1.0') === true
  })
  await waitUntil('committed', () => lastSigned()?.running?.version === '2.1.0')
  await agent.stop()
  rmSync(`${agent.stateDir}/status.json`, { recursive: true })
  for (const place of places) {
    assert.ok(lstatSync(`${agent.stateDir}/${place}`).isFile(), `${place} was written again`)
  }
})

test('T7 fault: a device key that cannot be read keeps the release running, and what is wrong is told', async () => {
  const path = `${agent.stateDir}/trust/device.key`
  const key = readFileSync(path)
  appendFileSync(path, new Uint8Array(5000))
  agent.start()
  await version('2.1.0')
  await waitUntil('told', async () => {
    // An agent that is just starting does not answer yet.
    const status = await agent.status().catch(() => undefined)
    return status?.['lastError'] === 'state_unreadable'
  })
  await agent.stop()
  writeFileSync(path, key)
})

test('T7 truncated state: nothing is installed, the application goes on, and the server is told', async () => {
  await agent.stop()
  for (const file of ['device-state.0', 'device-state.1'])
    truncateSync(`${agent.stateDir}/trust/${file}`, 10)
  await origin.release('3.0.0', writeTestApp(`${folder.path}/app-3`, '3.0.0'))
  agent.start()
  await version('2.1.0')
  await waitUntil('told', () => lastSigned()?.refusals[0]?.code === 'state_unreadable')
  const status = await agent.status()
  assert.equal(status['lastError'], 'state_unreadable')
  assert.ok(!origin.requests.slice(-5).some((request) => request.includes('/v2/')))
  assert.equal((await agent.readVersion())?.trim(), '2.1.0')
})
