/**
 * The whole world of a scenario: one seed, one repository with all its keys, an honest server,
 * mirrors, devices, and the story of what happened. Everything that acts does so through the ports
 * made here.
 */
import type { LogFields } from '@seaworthy/std/log'
import type { Random } from '@seaworthy/std/random'
import { seededRandom } from '@seaworthy/std/random'
import { hourMs, parseInstant } from '@seaworthy/std/time'
import { channelRole, releasePath } from '@seaworthy/trust/tuf'
import { createRepositorySimulator } from '@seaworthy/trust/testing'
import type { RepositorySimulator } from '@seaworthy/trust/testing'
import type { DeviceSetup, SimDevice } from './device.ts'
import { createSimDevice, provision } from './device.ts'
import type { SimDisk } from './disk.ts'
import { createSimDisk } from './disk.ts'
import { runPlatformInline } from './inline-platform.ts'
import type { SimNetwork } from './network.ts'
import { createSimNetwork } from './network.ts'
import type { Behaviour, WorldRelease } from './releases.ts'
import { buildRelease } from './releases.ts'
import type { SimServer } from './server.ts'
import { createSimServer } from './server.ts'
import type { ArtifactStore } from './artifacts.ts'
import { addToArtifacts, answerFromArtifacts, copyArtifacts, notFound } from './artifacts.ts'
import type { WorldTime } from './time.ts'
import { createWorldTime } from './time.ts'

/**
 * A release that the keys of a channel have signed; only this list says what may run there.
 */
export interface SignedRelease {
  product: string
  channel: string
  version: string
  counter: number
  floor: number
  built: WorldRelease
}

export interface PublishOptions {
  product: string
  channel: string
  version: string
  behaviour?: Behaviour
  counter?: number
  floor?: number
  platform?: string
  ballastBytes?: number
  /** Version of a release built before, whose content is signed again. */
  contentOf?: string
}

export interface World {
  readonly seed: number
  readonly random: Random
  readonly time: WorldTime
  readonly network: SimNetwork
  readonly repository: RepositorySimulator
  readonly server: SimServer
  /** The artifact store of the honest. */
  readonly artifacts: ArtifactStore
  readonly mirrors: ReadonlyMap<string, { artifacts: ArtifactStore }>
  readonly devices: ReadonlyMap<string, SimDevice>
  readonly signed: SignedRelease[]
  /** Called with every line of the story. */
  tell: (line: string) => void
  /** Builds, signs with the channel's threshold, and puts the release into the artifact store. */
  publish(options: PublishOptions): Promise<SignedRelease>
  build(options: PublishOptions): Promise<WorldRelease>
  addChannel(product: string, channel: string): Promise<void>
  /** The server's hourly duty: a new snapshot and timestamp. */
  renewOnline(): Promise<void>
  /**
   * A copy of the artifact store under an origin of its own; `isLive` follows what is published
   * later.
   */
  addMirror(name: string, isLive: boolean): { artifacts: ArtifactStore }
  addDevice(options: {
    name: string
    product: string
    channel: string
    mirrors?: readonly string[]
    isMirrorOnly?: boolean
  }): Promise<SimDevice>
  /** A machine on a given disk, of which only `tell` hears. */
  openDevice(setup: DeviceSetup, disk: SimDisk, tell: (line: string) => void): SimDevice
  dispose(): void
}

export const serverOrigin = 'https://server.test'
export const originOfMirror = (name: string): string => `https://${name}.test`

const startAt = parseInstant('2026-03-01T00:00:00Z')
const builtAt = parseInstant('2026-01-01T00:00:00Z')

export async function createWorld(seed: number): Promise<World> {
  const random = seededRandom(seed)
  const undoInline = runPlatformInline(seededRandom(seed + 1))
  const time = createWorldTime(startAt)
  const network = createSimNetwork(time.sleep)
  const repository = await createRepositorySimulator(startAt)
  const artifacts: ArtifactStore = {
    metadata: repository.files,
    targets: new Map(),
    content: new Map(),
  }
  const devices = new Map<string, SimDevice>()
  const mirrors = new Map<string, { artifacts: ArtifactStore }>()
  const signed: SignedRelease[] = []
  let isOver = false

  const server = createSimServer({
    origin: serverOrigin,
    now: () => time.now(),
    random,
    artifacts,
    channelOf: (product, channel) => repository.targets.get(channelRole(product, channel)),
  })
  network.addHost(serverOrigin, (request, path) => server.answer(request, path))

  const asOfNow = () => {
    repository.now = time.now()
    return repository
  }
  const renewForever = async () => {
    for (;;) {
      await time.sleep(hourMs)
      if (isOver) return
      await asOfNow().publish()
    }
  }
  void renewForever()

  const world: World = {
    seed,
    random,
    time,
    network,
    repository,
    server,
    artifacts,
    mirrors,
    devices,
    signed,
    tell: () => {},
    build: ({
      product,
      version,
      behaviour = 'healthy',
      platform = 'linux/amd64',
      ballastBytes,
    }) => {
      const [os = '', architecture = ''] = platform.split('/')
      return buildRelease({
        product,
        version,
        behaviour,
        random,
        platform: { os, architecture },
        ...(ballastBytes === undefined ? {} : { ballastBytes }),
      })
    },
    async publish(options) {
      const { product, channel, version, contentOf } = options
      const built =
        contentOf === undefined
          ? await world.build(options)
          : signed.find((known) => known.product === product && known.version === contentOf)!.built
      addToArtifacts(artifacts, { ...built, version }, channel)
      await asOfNow().addRelease(product, channel, version, {
        length: built.index.length,
        sha256: built.sha256,
        sha512: built.sha512,
        platforms: [options.platform ?? 'linux/amd64'],
        ...(options.counter === undefined ? {} : { counter: options.counter }),
        ...(options.floor === undefined ? {} : { floor: options.floor }),
      })
      const path = releasePath(product, channel, version)
      const target = repository.targets.get(channelRole(product, channel))!.targets[path]!
      const { counter, floor } = target.custom!['seaworthy'] as { counter: number; floor: number }
      const release = { product, channel, version, counter, floor, built }
      signed.push(release)
      return release
    },
    async addChannel(product, channel) {
      if (!repository.targets.has(product)) await asOfNow().addProduct(product)
      await asOfNow().addChannel(product, channel)
    },
    renewOnline: () => asOfNow().publish(),
    addMirror(name, isLive) {
      const mirror = { artifacts: isLive ? artifacts : copyArtifacts(artifacts) }
      mirrors.set(name, mirror)
      network.addHost(
        originOfMirror(name),
        async (request, path) => answerFromArtifacts(mirror.artifacts, request, path) ?? notFound,
      )
      return mirror
    },
    async addDevice({ name, product, channel, mirrors: names = [], isMirrorOnly = false }) {
      const setup = {
        name,
        product,
        channel,
        platform: 'linux/amd64',
        server: isMirrorOnly ? undefined : serverOrigin,
        mirrors: names.map(originOfMirror),
        provisioningKey: isMirrorOnly
          ? undefined
          : server.createProvisioningKey({ product, channel, uses: 1 }),
        anchor: repository.anchor,
        builtAt,
      }
      const disk = createSimDisk()
      await provision(setup, disk)
      const device = world.openDevice(setup, disk, (line) => world.tell(`${name}: ${line}`))
      devices.set(name, device)
      return device
    },
    openDevice(setup, disk, tellLine) {
      const tell = (event: string, fields: LogFields) => {
        const line = describeEvent(event, fields)
        if (line !== undefined) tellLine(line)
      }
      return createSimDevice(setup, { time, network, random, tell }, disk)
    },
    dispose() {
      isOver = true
      for (const device of devices.values()) device.powerOff()
      undoInline()
    },
  }
  return world
}

/** The lines of a device's log that belong in a story, without what differs from world to world. */
function describeEvent(event: string, fields: LogFields): string | undefined {
  const code = (error: unknown) =>
    error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
  const text = (name: string) => String(fields[name])
  switch (event) {
    case 'registered':
      return 'registered'
    case 'committed':
      return `committed ${text('targetPath')}, counter ${text('counter')}`
    case 'rolling-back':
      return `rolls back ${text('targetPath')}: ${text('code')}`
    case 'rolled-back':
      return `rolled back ${text('targetPath')}: ${text('code')}`
    case 'refused':
      return `refused: ${text('code')}`
    case 'poll-failed':
      return `poll failed: ${code(fields['error'])}`
    case 'server-not-reached':
      return `server not reached: ${code(fields['error'])}`
    case 'server-refused':
      return `server refused: ${code(fields['error'])}`
    case 'trust-notice':
      return `notice: ${text('code')}`
    case 'state-generation-lost':
      return 'one generation of its state is lost'
    case 'application-ended':
      return 'the application ended by itself'
    case 'application-not-started':
      return 'the application could not be started'
    case 'agent-stopped':
      return `the agent stopped: ${text('code')}`
    case 'agent-not-started':
      return `the agent did not start: ${text('code')}`
    case 'gateway':
    case 'fetcher':
    case 'request-failed':
    case 'supervision-failed':
      return `${event}: ${fields['error'] instanceof Error ? fields['error'].message : 'unknown'}`
    default:
      return undefined
  }
}
