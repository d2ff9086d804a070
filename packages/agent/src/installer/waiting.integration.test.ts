/**
 * V12: a device that must wait for permission to restart gets ready, waits, asks again, and is
 * bound by the signed rules to the end.
 */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { after, afterEach, beforeEach, test } from 'node:test'
import { waitUntil } from '@seaworthy/std/testing'
import type { InlineAgent } from '../testing/inline-agent.ts'
import { startInlineAgent } from '../testing/inline-agent.ts'
import { makeTestFolder, writeTestApp } from '../testing/test-agent.ts'
import type { TestOrigin } from '../testing/test-origin.ts'
import { startTestOrigin } from '../testing/test-origin.ts'

const folder = makeTestFolder()
let origin: TestOrigin
let agent: InlineAgent
let count = 0
let one: string

const app = (version: string) =>
  writeTestApp(`${folder.path}/${count}/app-${version}`, version, 'healthy', { windowSeconds: 0.3 })
const start = async () => {
  agent = await startInlineAgent(`${folder.path}/${count}/state`, origin)
}
const lastUpdate = () => origin.reports.at(-1)?.report.update
const isWaitingFor = (sha256: string) => {
  const update = lastUpdate()
  return update?.code === 'waiting_for_restart' && update.sha256 === sha256
}
const poll = async () => {
  const before = origin.reports.length
  agent.installer.pollNow()
  await waitUntil('a report', () => origin.reports.length > before)
}
const runs = (sha256: string) =>
  waitUntil(`${sha256} runs`, () => agent.running.size === 1 && agent.running.has(sha256))

beforeEach(async () => {
  origin = await startTestOrigin(`${folder.path}/${++count}`)
  ;({ sha256: one } = await origin.release('1.0.0', app('1.0.0'), { counter: 1 }))
  await start()
  await waitUntil('release 1 committed', () => agent.status().committedCounter === 1)
})
afterEach(async () => {
  await agent.stop()
  await origin.close()
})
after(() => folder.remove())

async function getReady(version: string, counter: number): Promise<string> {
  const { sha256 } = await origin.release(version, app(version), { counter })
  origin.assignment!.mayRestart = false
  agent.installer.pollNow()
  await waitUntil('it says that it waits', () => isWaitingFor(sha256))
  return sha256
}

test('V12 without leave the release is ready beside the running one; with leave it is started', async () => {
  const two = await getReady('2.0.0', 2)
  await poll()
  assert.deepEqual([...agent.running], [one])
  assert.deepEqual(readdirSync(agent.layout.releases).toSorted(), [one, two].toSorted())
  origin.assignment!.mayRestart = true
  agent.installer.pollNow()
  await runs(two)
  await waitUntil('committed', () => agent.status().committedCounter === 2)
})

test('V12 D8 a device signs that it waits: the server gives leave by its signature alone', async () => {
  await getReady('2.0.0', 2)
  const waits = origin.reports.find(({ report }) => report.update.code === 'waiting_for_restart')
  assert.ok(waits?.isSigned)
})

test('V12 it asks for leave as soon as it is ready: one poll is enough where leave is given at once', async () => {
  const { sha256 } = await origin.release('2.0.0', app('2.0.0'), { counter: 2 })
  const { targetPath } = origin.assignment!
  origin.assignment = {
    targetPath,
    sha256,
    get mayRestart() {
      return isWaitingFor(sha256)
    },
  }
  agent.installer.pollNow()
  await runs(sha256)
  await waitUntil('committed', () => agent.status().committedCounter === 2)
})

test('V12 an older server that says nothing about restarts holds nobody up', async () => {
  const { sha256 } = await origin.release('2.0.0', app('2.0.0'), { counter: 2 })
  agent.installer.pollNow()
  await runs(sha256)
})

test('V12 restarted while it waits: ready still, nothing fetched again; a server that is gone starts nothing', async () => {
  const two = await getReady('2.0.0', 2)
  await agent.stop()
  const requests = origin.requests.length
  origin.intercept = (request, response) => {
    if (!request.url!.startsWith('/v1/')) return false
    response.destroy()
    return true
  }
  await start()
  await waitUntil('it has tried', () => agent.status().lastError !== null)
  assert.deepEqual([...agent.running], [one])
  origin.intercept = undefined
  agent.installer.pollNow()
  await waitUntil('it waits', () => isWaitingFor(two))
  assert.deepEqual([...agent.running], [one])
  assert.ok(!origin.requests.slice(requests).some((request) => request.includes('/blobs/')))
  origin.assignment!.mayRestart = true
  agent.installer.pollNow()
  await runs(two)
})

test('V12 what is no longer assigned is not started, whatever leave there was; a newer one takes its place', async () => {
  const two = await getReady('2.0.0', 2)
  origin.assignment = null
  await poll()
  await waitUntil(
    'it says so no more',
    () => agent.status()['update'] !== undefined && !isWaiting(),
  )
  await poll()
  assert.notEqual(lastUpdate()?.code, 'waiting_for_restart')
  assert.deepEqual([...agent.running], [one])
  const three = await getReady('3.0.0', 3)
  await waitUntil('the other one is gone', () => {
    return !readdirSync(agent.layout.releases).includes(two)
  })
  origin.assignment!.mayRestart = true
  agent.installer.pollNow()
  await runs(three)
})

const isWaiting = () =>
  (agent.status()['update'] as { code?: string }).code === 'waiting_for_restart'

test('V12 T7 permission to restart is no leave to break the signed rules: they are asked again at the start', async () => {
  const two = await getReady('2.0.0', 2)
  origin.assignment = { targetPath: 'gauge/stable/2.0.0', sha256: 'f'.repeat(64), mayRestart: true }
  agent.installer.pollNow()
  await waitUntil('refused', () =>
    agent.status().refusals.some(({ code }) => code === 'wrong_hash'),
  )
  assert.deepEqual([...agent.running], [one])
  // A newer release runs first (assigned by another way); then the one that was ready is older than
  // what has committed.
  const { sha256: three } = await origin.release('3.0.0', app('3.0.0'), { counter: 3 })
  agent.installer.pollNow()
  await runs(three)
  await waitUntil('committed', () => agent.status().committedCounter === 3)
  origin.assignment = { targetPath: 'gauge/stable/2.0.0', sha256: two, mayRestart: true }
  agent.installer.pollNow()
  await waitUntil('refused', () =>
    agent.status().refusals.some(({ code }) => code === 'counter_below_committed'),
  )
  assert.deepEqual([...agent.running], [three])
})
