/**
 * One agent, many updates, and `kill -9` at random moments; after each, the whole device is looked
 * at.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import type { Random } from '@seaworthy/std/random'
import { randomBelow } from '@seaworthy/std/random'
import { waitUntil } from '@seaworthy/std/testing'
import { createTestAgent, killHard, makeTestFolder, writeTestApp } from './test-agent.ts'
import { startTestOrigin } from './test-origin.ts'

export interface CrashFigures {
  updates: number
  rolledBack: number
  /** Updates that had to wait for permission to restart, and lost their power meanwhile. */
  waited: number
  kills: Record<string, number>
}

const victims = ['installer', 'fetcher', 'app', 'everything'] as const

export async function updateUnderFire(updates: number, random: Random): Promise<CrashFigures> {
  const folder = makeTestFolder()
  const origin = await startTestOrigin(folder.path)
  const agent = await createTestAgent(`${folder.path}/device`, origin, { pollSeconds: 1 })
  origin.pollSeconds = 1
  const kills: Record<string, number> = { installer: 0, fetcher: 0, app: 0, everything: 0 }
  const digests = new Map<string, string>()
  let committed = 0
  let rolledBack = 0
  let waited = 0
  const reported = () => origin.reports.at(-1)?.report.committedCounter ?? 0
  /** An application killed in its trial has failed, as far as anybody can tell. */
  const isRolledBack = (version: string) => {
    const { state, targetPath } = origin.reports.at(-1)?.report.update ?? {}
    return state === 'rolled_back' && targetPath === `gauge/stable/${version}`
  }
  const checkDevice = () => {
    const product = `${agent.stateDir}/products/gauge`
    const current = readlinkSync(`${product}/current`).split('/').at(-1)!
    const version = digests.get(current)
    assert.ok(version !== undefined, 'current is a release that was published')
    const files = readdirSync(`${product}/releases/${current}`).toSorted()
    assert.deepEqual(files, ['app.mjs', 'filler.txt', 'seaworthy.json'], 'it is whole')
    assert.ok(readFileSync(`${product}/current/app.mjs`, 'utf8').includes(JSON.stringify(version)))
    assert.ok(reported() >= committed, `the counter went back from ${committed} to ${reported()}`)
    committed = reported()
  }
  /**
   * The device gets ready, loses its power, is ready still without fetching anything again, and
   * only then may restart.
   */
  const waitAndFall = async (i: number, sha256: string, layer: string) => {
    const isWaiting = (since: number) =>
      origin.reports.slice(since).some(({ report: { update } }) => {
        const isReady = update.state === 'installing' && update.code === 'waiting_for_restart'
        return isReady && update.sha256 === sha256
      })
    await waitUntil(`update ${i} is ready`, () => isWaiting(0))
    agent.cutPower()
    const [reportsBefore, requestsBefore] = [origin.reports.length, origin.requests.length]
    agent.start()
    await waitUntil(`update ${i} is ready still`, () => isWaiting(reportsBefore))
    assert.ok(!origin.requests.slice(requestsBefore).some((request) => request.includes(layer)))
    assert.ok(reported() < i, 'nothing was started without leave')
    checkDevice()
    origin.assignment!.mayRestart = true
    waited++
  }
  try {
    agent.start()
    for (let i = 1; i <= updates; i++) {
      const version = `${i}.0.0`
      const app = writeTestApp(`${folder.path}/app-${i}`, version, 'healthy', {
        windowSeconds: 1.5,
        extra: { 'filler.txt': random.bytes(60_000).toHex().repeat(20) },
      })
      const { sha256, layer } = await origin.release(version, app)
      digests.set(sha256, version)
      const mustWait = i > 1 && random.fraction() < 0.5
      if (mustWait) origin.assignment!.mayRestart = false
      const victim = victims[i === 1 ? 0 : randomBelow(random, victims.length)]!
      await new Promise((resolve) => setTimeout(resolve, random.fraction() * 2500))
      kills[victim]!++
      const found = agent.processes()
      if (victim === 'everything') {
        agent.cutPower()
        agent.start()
      } else for (const pid of found[victim]) killHard(pid)
      if (committed > 0) checkDevice()
      if (mustWait) await waitAndFall(i, sha256, layer.digest)
      await waitUntil(
        async () =>
          `update ${i} after killing ${victim}; ${JSON.stringify(await agent.status().catch(String))}; ${origin.requests.slice(-8).join()}; ${JSON.stringify(agent.processes())}\n${agent.log.slice(-12).join('')}`,
        () => reported() >= i || (victim === 'app' && isRolledBack(version)),
      )
      checkDevice()
      if (reported() < i) {
        rolledBack++
        continue
      }
      await waitUntil(
        'it answers',
        async () => (await agent.readVersion())?.startsWith(version) === true,
      )
      assert.equal(agent.processes().app.length, 1, 'exactly one application runs')
    }
    const signed = origin.reports
      .filter(({ isSigned }) => isSigned)
      .map(({ report }) => report.sequence)
    const distinct = [...new Set(signed)].toSorted((a, b) => a - b)
    assert.deepEqual(
      distinct,
      Array.from({ length: distinct.length }, (_all, i) => i + 1),
      'no report was lost',
    )
    return { updates, rolledBack, waited, kills }
  } finally {
    await agent.stop()
    agent.cutPower()
    await origin.close()
    folder.remove()
  }
}
