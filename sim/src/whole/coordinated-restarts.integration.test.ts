/** One slot, three devices: real server, real agents, real applications. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestAgent } from '@seaworthy/agent/testing'
import { setFleet } from '@seaworthy/api/fleets'
import { listRebootLocks } from '@seaworthy/api/reboot-locks'
import { createRollout } from '@seaworthy/api/rollouts'
import { policyOf, publishRelease, waveOf } from '@seaworthy/server/testing'
import { waitUntil } from '@seaworthy/std/testing'
import { systemSleep } from '@seaworthy/std/time'
import type { Installation } from './testing/installation.ts'
import { buildInstallation, readDevice } from './testing/installation.ts'

const params = { fleet: 'shops' }

async function countCommitted(agents: readonly TestAgent[], sha256: string): Promise<number> {
  const devices = await Promise.all(agents.map(readDevice))
  return devices.filter(({ state }) => state?.committed?.sha256 === sha256 && state.update === null)
    .length
}

async function holders(installation: Installation): Promise<(string | undefined)[]> {
  const { items } = await installation.client.api.call(listRebootLocks, { params })
  return items.map(({ device }) => device?.id)
}

test('V12 D13 devices of a coordinated fleet restart one after the other; power lost in a trial keeps the slot until the release is found healthy', async (t) => {
  const installation = await buildInstallation({ workers: 2 })
  try {
    const one = await installation.buildRelease('1.0.0')
    const two = await installation.buildRelease('2.0.0', { windowSeconds: 3 })
    await publishRelease(installation.client, one, installation.signers)
    const agents: TestAgent[] = []
    for (const name of ['a', 'b', 'c'])
      agents.push(await installation.addAgent(name, { pollSeconds: 1 }))
    for (const agent of agents) agent.start()
    await waitUntil(
      '1.0.0 everywhere',
      async () => (await countCommitted(agents, one.sha256)) === 3,
    )
    const reboot = { strategy: 'coordinated', slots: 1, ttlSeconds: null } as const
    await installation.client.api.call(setFleet, {
      params,
      body: { follow: 'rollouts', reboot, pollSeconds: 1 },
    })
    await publishRelease(installation.client, two, installation.signers)
    const policy = policyOf({ waves: [waveOf({ kind: 'percent', percent: 100 })] })
    await installation.client.api.call(createRollout, {
      body: { ...params, version: '2.0.0', policy },
    })
    for (const agent of agents) await agent.updateNow()

    let onTrialMax = 0
    let heldMax = 0
    let fallen: { agent: TestAgent; id: string } | undefined
    const look = async () => {
      const devices = await Promise.all(agents.map(readDevice))
      const onTrial = devices.flatMap(({ state }, i) =>
        state?.update?.phase === 'trial' ? [{ agent: agents[i]!, id: state.deviceId! }] : [],
      )
      onTrialMax = Math.max(onTrialMax, onTrial.length)
      const held = await holders(installation)
      heldMax = Math.max(heldMax, held.length)
      return { onTrial, held }
    }
    await waitUntil(
      async () => `2.0.0 everywhere\n${agents.map(({ log }) => log.slice(-5).join('')).join('\n')}`,
      async () => {
        const { onTrial, held } = await look()
        const [first] = onTrial
        if (fallen === undefined && first !== undefined && held[0] === first.id) {
          fallen = first
          first.agent.cutPower()
          // Nobody takes the slot of a device that is down in the middle of its restart.
          for (let i = 0; i < 10; i++) {
            await systemSleep(200)
            assert.deepEqual((await look()).held, [first.id])
          }
          first.agent.start()
        }
        return (await countCommitted(agents, two.sha256)) === 3
      },
    )
    assert.ok(fallen !== undefined, 'one lost its power in its trial')
    assert.equal(onTrialMax, 1)
    assert.equal(heldMax, 1)
    await waitUntil(
      'no slot is held any more',
      async () => (await holders(installation)).length === 0,
    )
    t.diagnostic(`on trial at once: ${onTrialMax}, slots held: ${heldMax}`)
  } finally {
    await installation.stop()
  }
})
