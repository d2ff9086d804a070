/** D3: a release that has failed is left alone, until the server asks for a further attempt. */
import assert from 'node:assert/strict'
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

beforeEach(async () => {
  origin = await startTestOrigin(`${folder.path}/${++count}`)
  const { sha256: good } = await publish('1.0.0', 1)
  agent = await startInlineAgent(`${folder.path}/${count}/state`, origin, {
    isHealthy: (sha256) => sha256 === good,
  })
  await waitUntil('release 1 committed', () => agent.status().committedCounter === 1)
})
afterEach(async () => {
  await agent.stop()
  await origin.close()
})
after(() => folder.remove())

function publish(version: string, counter: number) {
  const app = writeTestApp(`${folder.path}/${count}/app-${version}`, version, 'healthy', {
    windowSeconds: 0.2,
  })
  return origin.release(version, app, { counter })
}

/** Signed statements that the release was rolled back: one for each attempt. */
const failuresCount = () =>
  new Set(
    origin.reports.flatMap(({ report, isSigned }) =>
      isSigned && report.update.state === 'rolled_back' ? [report.sequence] : [],
    ),
  ).size

const poll = async () => {
  const before = origin.reports.length
  agent.installer.pollNow()
  await waitUntil('a report', () => origin.reports.length > before)
}

test('D3 a release that failed is tried again for each further attempt the server asks for', async () => {
  await publish('2.0.0', 2)
  agent.installer.pollNow()
  await waitUntil('the first failure', () => failuresCount() === 1)
  await poll()
  await poll()
  assert.equal(failuresCount(), 1)
  origin.assignment!.attempt = 2
  agent.installer.pollNow()
  await waitUntil('the second failure', () => failuresCount() === 2)
  await poll()
  await poll()
  assert.equal(failuresCount(), 2)
  assert.equal(agent.status().committedCounter, 1)
})
