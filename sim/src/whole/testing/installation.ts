/**
 * The world of tests of the whole: a real server as processes with its PostgreSQL, people with
 * keys, real releases of a small application, real agents. Nothing in it is simulated but the
 * people.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'
import {
  decodeGeneration,
  createTestAgent,
  killHard,
  makeTestFolder,
  writeTestApp,
} from '@seaworthy/agent/testing'
import type { DeviceState, TestAgent } from '@seaworthy/agent/testing'
import { setFleet } from '@seaworthy/api/fleets'
import { createRelease } from '@seaworthy/api/releases'
import { copyContent } from '@seaworthy/oci/content'
import { createLayout } from '@seaworthy/oci/layout'
import { createRegistryClient, registryContent } from '@seaworthy/oci/registry/client'
import { buildRelease } from '@seaworthy/oci/release'
import { computeBundleFiles, readReleaseOutline } from '@seaworthy/oci/release-content'
import type { PushedRelease, TestClient, TestServer } from '@seaworthy/server/testing'
import {
  createTestClient,
  makeProvisioningKey,
  setUpTrust,
  startTestServer,
} from '@seaworthy/server/testing'
import { base64Encode, hexEncode, utf8Decode } from '@seaworthy/std/bytes'
import { systemRandom } from '@seaworthy/std/random'
import type { Signer } from '@seaworthy/trust/keys'

export const product = 'acme'
export const channel = 'stable'

/** A release as it was built and pushed, with what must lie on a device that runs it. */
export interface TestRelease extends PushedRelease {
  /** Mode and SHA-256 by path. */
  readonly files: ReadonlyMap<string, string>
}

export interface Installation {
  readonly folder: string
  readonly dataDir: string
  readonly signers: readonly Signer[]
  readonly adminToken: string
  /** The first root, which every agent has pinned. */
  readonly anchor: Uint8Array
  server: TestServer
  client: TestClient
  /** Starts the server again on its data and its port. */
  restartServer(): Promise<void>
  /** Builds a release of the test application and pushes it; nobody has signed it yet. */
  buildRelease(version: string, options?: ReleaseOptions): Promise<TestRelease>
  /** An agent that is provisioned and not started yet. */
  addAgent(name: string, config?: Readonly<Record<string, unknown>>): Promise<TestAgent>
  stop(): Promise<void>
}

export interface ReleaseOptions {
  readonly windowSeconds?: number
  readonly fillerBytes?: number
}

export async function buildInstallation(
  options: { workers?: number; answerMs?: number } = {},
): Promise<Installation> {
  const { path: folder, remove } = makeTestFolder()
  const dataDir = join(folder, 'server')
  mkdirSync(dataDir, { mode: 0o755 })
  const workers = options.workers ?? 1
  const server = await startTestServer({ dataDir, workers })
  const { adminToken } = server
  const client = createTestClient(server, options)
  const { signers } = await setUpTrust(client)
  await client.api.call(setFleet, { params: { fleet: 'shops' }, body: { pollSeconds: 5 } })
  const anchor = (await client.send('GET', '/tuf/1.root.json')).bytes
  const agents: TestAgent[] = []

  const installation: Installation = {
    folder,
    dataDir,
    signers,
    adminToken,
    anchor,
    server,
    client,
    async restartServer() {
      installation.client.close()
      const port = Number(new URL(installation.server.url).port)
      installation.server = { ...(await startTestServer({ dataDir, workers, port })), adminToken }
      installation.client = createTestClient(installation.server, options)
    },
    buildRelease: (version, release = {}) => buildTestRelease(installation, version, release),
    async addAgent(name, config = {}) {
      const origin = {
        url: installation.server.url,
        repository: { anchor },
        product,
        channel,
      }
      const agent = await createTestAgent(join(folder, name), origin as never, {
        pin: installation.server.pin,
        root: createHash('sha256').update(anchor).digest('hex'),
        rootInline: base64Encode(anchor),
        provisioningKey: await makeProvisioningKey(installation.client, 1),
        pollSeconds: 5,
        ...config,
      })
      agents.push(agent)
      return agent
    },
    async stop() {
      for (const agent of agents) {
        await agent.stop()
        agent.cutPower()
      }
      installation.client.close()
      await installation.server.stop().catch(() => undefined)
      killOrphan(dataDir)
      remove()
    },
  }
  return installation
}

/**
 * Ends the PostgreSQL that outlives a server that was killed, so that the next one finds it; here
 * there is no next one.
 */
function killOrphan(dataDir: string): void {
  try {
    const [pid] = readFileSync(join(dataDir, 'postgresql', 'data', 'postmaster.pid'), 'utf8').split(
      '\n',
    )
    killHard(Number(pid))
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}

async function buildTestRelease(
  installation: Installation,
  version: string,
  { windowSeconds = 1, fillerBytes = 50_000 }: ReleaseOptions,
): Promise<TestRelease> {
  const app = writeTestApp(join(installation.folder, `app-${version}`), version, 'healthy', {
    windowSeconds,
    extra: { 'filler.txt': hexEncode(systemRandom.bytes(Math.ceil(fillerBytes / 2))) },
  })
  const layout = await createLayout(join(installation.folder, `layout-${version}`), systemRandom)
  const { descriptor, bytes } = await buildRelease({
    product,
    version,
    platforms: [{ platform: 'linux/amd64', source: { kind: 'folder', path: app } }],
    layout,
  })
  const registry = createRegistryClient({
    origin: installation.server.url,
    transport: installation.client.transport,
    credentials: { kind: 'basic', username: 'builder', password: installation.adminToken },
  })
  const target = registryContent(registry, product)
  await copyContent({ source: layout, target, digest: descriptor.digest })
  await installation.client
    .as(installation.adminToken)
    .call(createRelease, { params: { product }, body: { version, digest: descriptor.digest } })
  const [bundle] = (await readReleaseOutline(layout, descriptor.digest)).platforms
  if (bundle?.kind !== 'bundle') throw new Error('the release holds no bundle')
  const { entries } = (await computeBundleFiles(layout, bundle)).files
  const hash = (name: string) => createHash(name).update(bytes).digest('hex')
  return {
    version,
    index: bytes,
    sha256: hash('sha256'),
    sha512: hash('sha512'),
    layer: new Uint8Array(),
    files: new Map(
      entries.map((entry) => [
        entry.path,
        entry.type === 'file' ? `${entry.mode} ${entry.sha256}` : entry.type,
      ]),
    ),
  }
}

/** What an agent has on its disk, read from outside. */
export interface DeviceDisk {
  /** SHA-256 of the release that `current` points to. */
  readonly current: string | undefined
  /** Mode and SHA-256 of its files by path. */
  readonly files: ReadonlyMap<string, string>
  readonly state: DeviceState | undefined
}

export async function readDevice(agent: TestAgent): Promise<DeviceDisk> {
  const folder = join(agent.stateDir, 'products', product)
  const state = await readState(agent)
  let current: string | undefined
  try {
    current = readlinkSync(join(folder, 'current')).split('/').at(-1)
  } catch (error) {
    if (!isMissing(error)) throw error
    return { current: undefined, files: new Map(), state }
  }
  const files = new Map<string, string>()
  const scan = (path: string) => {
    for (const entry of readdirSync(join(folder, 'releases', current!, path), {
      withFileTypes: true,
    })) {
      const below = path === '' ? entry.name : `${path}/${entry.name}`
      if (entry.isDirectory()) {
        files.set(below, 'directory')
        scan(below)
        continue
      }
      const file = join(folder, 'releases', current!, below)
      const mode = (statSync(file).mode & 0o111) === 0 ? '0644' : '0755'
      const sha256 = createHash('sha256').update(readFileSync(file)).digest('hex')
      files.set(below, `${mode} ${sha256}`)
    }
  }
  scan('')
  return { current, files, state }
}

async function readState(agent: TestAgent): Promise<DeviceState | undefined> {
  const found: { number: number; content: Uint8Array }[] = []
  for (const suffix of ['0', '1']) {
    try {
      const bytes = readFileSync(join(agent.stateDir, 'trust', `device-state.${suffix}`))
      const generation = await decodeGeneration(bytes)
      if (generation !== undefined) found.push(generation)
    } catch (error) {
      if (!isMissing(error)) throw error
    }
  }
  const newest = found.toSorted((a, b) => b.number - a.number)[0]
  return newest && (JSON.parse(utf8Decode(newest.content)) as DeviceState)
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
