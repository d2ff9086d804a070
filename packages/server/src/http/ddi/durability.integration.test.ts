/**
 * Workers that die between what a client said and what follows from it (O1): nothing acknowledged
 * is lost.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { claimPort } from '@seaworthy/std/testing/ports'
import { showDevice } from '@seaworthy/api/devices'
import { setFleet } from '@seaworthy/api/fleets'
import { createRollout, showRollout } from '@seaworthy/api/rollouts'
import { systemSleep } from '@seaworthy/std/time'
import type { AddedController } from '../../testing/controllers.ts'
import { addController, said } from '../../testing/controllers.ts'
import type { TestClient, TestServer } from '../../testing/index.ts'
import {
  createTestClient,
  policyOf,
  publishOsImage,
  pushOsImage,
  setUpTrust,
  shortAnswerMs,
  startTestServer,
  waitForRollout,
} from '../../testing/index.ts'

const devicesCount = 24

let server: TestServer
let client: TestClient
/** What devices ask with while workers die. */
let insistent: TestClient

before(async () => {
  // The server has a port of its own: a free port would be free again when no worker is left.
  server = await startTestServer({ workers: 2, port: await claimPort() })
  client = createTestClient(server)
  insistent = createTestClient(server, { answerMs: shortAnswerMs })
  const { signers } = await setUpTrust(client)
  const files = { 'firmware.swu': randomBytes(1000) }
  await publishOsImage(client, await pushOsImage(client, server.adminToken, '1.0', files), signers)
})
after(async () => {
  client.close()
  insistent.close()
  await server.stop()
})

/** Repeats the request until a worker answers. */
async function insist(unit: AddedController, method: string, path: string, body?: object) {
  let last = ''
  for (let i = 0; i < 400; i++) {
    try {
      const reply = await unit.send(method, path, body)
      if (reply.status < 500) return reply
      last = `${reply.status} ${reply.text}`
    } catch (error) {
      last = String(error)
      // The worker died while it answered: the client asks again, as real ones do.
    }
    await systemSleep(100)
  }
  throw new Error(`nobody answers: ${last}`)
}

test('O1 D7 kill -9 of workers while devices report loses nothing that was acknowledged', async () => {
  const body = { follow: 'rollouts' as const, pollSeconds: 1 }
  await client.api.call(setFleet, { params: { fleet: 'shops' }, body })
  const units: AddedController[] = []
  for (let i = 0; i < devicesCount; i++) units.push(await addController(insistent, `unit-${i}`))
  const { id: rolloutId } = await client.api.call(createRollout, {
    body: { fleet: 'shops', version: '1.0', policy: policyOf() },
  })
  let isOver = false
  const killing = (async () => {
    // Workers are not killed more often than they come up again.
    for (let kills = 0; kills < 4 && !isOver; kills++) {
      await systemSleep(300)
      const pids = await server.workerPids()
      const pid = pids[kills % Math.max(1, pids.length)]
      if (pid !== undefined) process.kill(pid, 'SIGKILL')
      await systemSleep(1200)
    }
  })()
  const acknowledged = new Set<string>()
  const install = async (unit: AddedController) => {
    let action: string | undefined
    for (let i = 0; i < 200 && action === undefined; i++) {
      const { body: base } = await insist(unit, 'GET', '')
      action = /deploymentBase\/(\d+)\?/.exec(base._links.deploymentBase?.href ?? '')?.[1]
      if (action === undefined) await systemSleep(100)
    }
    assert.ok(action, `${unit.id} was offered nothing`)
    for (const words of [
      ['download', 'none'],
      ['proceeding', 'none'],
      ['closed', 'success'],
    ] as const) {
      const path = `/deploymentBase/${action}/feedback`
      const { status } = await insist(unit, 'POST', path, said(words[0], words[1]))
      // 410 means that the first request was heard, and only its answer was lost.
      assert.ok(status === 200 || (status === 410 && words[0] === 'closed'), String(status))
    }
    acknowledged.add(unit.deviceId)
  }
  try {
    await Promise.all(units.map((unit) => install(unit)))
  } finally {
    isOver = true
    await killing
  }
  assert.equal(acknowledged.size, devicesCount)
  // What was said and not settled is settled at the next poll.
  for (const unit of units) assert.equal((await insist(unit, 'GET', '')).status, 200)
  await waitForRollout(client, rolloutId, ({ state }) => state === 'finished')
  const rollout = await client.api.call(showRollout, { params: { rolloutId } })
  const [wave] = rollout.waves
  assert.deepEqual(
    [rollout.state, wave?.healthyCount, wave?.inFlightCount, wave?.failedCount],
    ['finished', devicesCount, 0, 0],
  )
  for (const deviceId of acknowledged) {
    const { running } = await client.api.call(showDevice, { params: { deviceId } })
    assert.equal(running?.version, '1.0')
  }
})
