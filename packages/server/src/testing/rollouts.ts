/** Devices that take updates as told, and policies to try: shared by the tests of rollouts. */
import type { DeviceReport } from '@seaworthy/api/device-self'
import { createFleet, setFleet } from '@seaworthy/api/fleets'
import { ProblemError } from '@seaworthy/api/problems'
import { showRollout } from '@seaworthy/api/rollouts'
import type { RolloutView } from '@seaworthy/api/rollouts'
import type { RolloutPolicy, Wave } from '@seaworthy/fleet/rollouts'
import { policyDefaults } from '@seaworthy/fleet/rollouts'
import { systemSleep } from '@seaworthy/std/time'
import type { Signer } from '@seaworthy/trust/keys'
import type { TestDevice } from './device.ts'
import { addDevice, report } from './device.ts'
import type { PushedRelease, TestClient } from './people.ts'
import { makeProvisioningKey, publishRelease, pushRelease } from './people.ts'

/** A wave whose gate opens as soon as all of its members are healthy. */
export function waveOf(members: Wave['members'], gate: Partial<Wave['gate']> = {}): Wave {
  return {
    members,
    needsApproval: false,
    gate: {
      bakeSeconds: 0,
      successPercentMin: 100,
      successOf: 'members',
      failurePercentMax: null,
      sampleMin: 1,
      ...gate,
    },
  }
}

/** A policy with one wave of everything, without limits. */
export function policyOf(changes: Partial<RolloutPolicy> = {}) {
  const policy: RolloutPolicy = {
    ...policyDefaults,
    waves: [waveOf({ kind: 'percent', percent: 100 })],
    timeoutSeconds: 3600,
    ...changes,
  }
  return structuredClone(policy) as RolloutView['policy']
}

export interface PublishedRelease extends PushedRelease {
  readonly counter: number
}

/**
 * Publishes versions one after another, with counters 1, 2, …; a version with `security` in its
 * name is a security release.
 */
export async function publishAll(
  client: TestClient,
  token: string,
  signers: readonly Signer[],
  versions: readonly string[],
): Promise<PublishedRelease[]> {
  const published: PublishedRelease[] = []
  for (const [index, version] of versions.entries()) {
    const release = await pushRelease(client, token, version)
    const security = version.includes('security')
    await publishRelease(client, release, signers, { security })
    published.push({ ...release, counter: index + 1 })
  }
  return published
}

/** Makes a fleet of `acme/stable` that follows rollouts, and its devices. */
export async function makeFleet(
  client: TestClient,
  origin: string,
  name: string,
  count: number,
): Promise<Installer[]> {
  await client.api.call(createFleet, {
    body: { name, product: 'acme', channel: 'stable', follow: 'rollouts' },
  })
  const key = await makeProvisioningKey(client, count, name)
  const installers: Installer[] = []
  for (let i = 0; i < count; i++) {
    installers.push(createInstaller(client, await addDevice(client, origin, key)))
  }
  return installers
}

/** Lets the fleet `shops` follow rollouts, and fills it. */
export async function fillFleet(
  client: TestClient,
  origin: string,
  count: number,
): Promise<TestDevice[]> {
  await client.api.call(setFleet, { params: { fleet: 'shops' }, body: { follow: 'rollouts' } })
  const key = await makeProvisioningKey(client, count)
  const devices: TestDevice[] = []
  for (let i = 0; i < count; i++) devices.push(await addDevice(client, origin, key))
  return devices
}

/**
 * A device that reports what it does, repeats that when nobody answered, and does what the test
 * says.
 */
export interface Installer {
  readonly device: TestDevice
  /** The SHA-256 of the release that the device runs. */
  readonly running: () => string | null
  /** The attempt that the last answer asked for. */
  readonly attempt: () => number | undefined
  /** Asks; answers the SHA-256 of what the device is told to run. */
  ask(): Promise<string | null>
  /** Reports that the device is at work on a release. */
  say(
    state: DeviceReport['update']['state'],
    release: PublishedRelease,
    code?: string,
  ): Promise<string | null>
  /** Commits a release and reports that. */
  commit(release: PublishedRelease): Promise<string | null>
  /** Repeats an earlier report, like a request that was under way for a long time. */
  repeat(
    sequence: number,
    state: DeviceReport['update']['state'],
    release: PublishedRelease,
  ): Promise<string | null>
  /** Asks, and carries out whatever the device is told until nothing is left. */
  follow(releases: readonly PublishedRelease[]): Promise<void>
}

export function createInstaller(client: TestClient, device: TestDevice): Installer {
  let sequence = 0
  let runs: PublishedRelease | null = null
  let update: DeviceReport['update'] = { state: 'idle' }
  let attempt: number | undefined
  let isUnheard = false

  const tell = async (hasChanged: boolean): Promise<string | null> => {
    const isSigned = hasChanged || isUnheard
    if (isSigned) sequence += 1
    isUnheard = isSigned
    const running =
      runs === null
        ? null
        : { product: 'acme', version: runs.version, sha256: runs.sha256, counter: runs.counter }
    const counter = runs?.counter ?? 0
    const changes = { sequence, running, committedCounter: counter, floor: 0, update }
    let answer: Awaited<ReturnType<typeof report>>
    try {
      answer = await report(client, device, changes, isSigned)
    } catch (error) {
      const code = error instanceof ProblemError ? error.problem.code : undefined
      // The server has not heard the last statement, or a later one first: it gets a new one, as
      // from an agent.
      if (!isSigned && code === 'report_signature_missing') return tell(true)
      if (code === 'report_sequence_reused') return tell(true)
      throw error
    }
    const { assignment } = answer
    isUnheard = false
    attempt = assignment?.attempt
    return assignment?.sha256 ?? null
  }
  const installer: Installer = {
    device,
    running: () => runs?.sha256 ?? null,
    attempt: () => attempt,
    ask: () => tell(false),
    async say(state, release, code) {
      update = { state, sha256: release.sha256, ...(code === undefined ? {} : { code }) }
      return tell(true)
    },
    async commit(release) {
      runs = release
      update = { state: 'committed', sha256: release.sha256 }
      return tell(true)
    },
    async repeat(old, state, release) {
      const changes = { sequence: old, running: null, update: { state, sha256: release.sha256 } }
      const { assignment } = await report(client, device, changes, true)
      return assignment?.sha256 ?? null
    },
    async follow(releases) {
      for (let told = await installer.ask(); told !== null && told !== runs?.sha256;) {
        const release = releases.find(({ sha256 }) => sha256 === told)
        if (release === undefined) throw new Error(`nobody published ${told}`)
        await installer.say('downloading', release)
        await installer.say('watching', release)
        told = await installer.commit(release)
      }
    },
  }
  return installer
}

/**
 * Reads the rollout again and again until it is as wanted. Rejects after `maxMs` with the last
 * view.
 */
export async function waitForRollout(
  client: TestClient,
  rolloutId: string,
  isWanted: (rollout: RolloutView) => boolean,
  maxMs = 120_000,
): Promise<RolloutView> {
  for (let waitedMs = 0; ; waitedMs += 50) {
    const rollout = await client.api.call(showRollout, { params: { rolloutId } })
    if (isWanted(rollout)) return rollout
    if (waitedMs >= maxMs) throw new Error(`not in time: ${JSON.stringify(rollout)}`)
    await systemSleep(50)
  }
}
