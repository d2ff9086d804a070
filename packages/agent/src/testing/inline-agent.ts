/**
 * The whole agent in the test's own process: the real protocol, the real disk and network, and
 * applications that only exist in name. Attacks need it: each part can be replaced by a hostile
 * one.
 */
import { createHash } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { PassThrough } from 'node:stream'
import { httpsTransport } from '@seaworthy/oci/transport'
import type { Log } from '@seaworthy/std/log'
import { silentLog } from '@seaworthy/std/log'
import { systemRandom } from '@seaworthy/std/random'
import type { Clock } from '@seaworthy/std/time'
import { systemClock, systemSleep } from '@seaworthy/std/time'
import type { AgentConfig } from '../config.ts'
import type { FetcherPort } from '../handover/link.ts'
import { createGateway, serveRequests } from '../handover/link.ts'
import { createFetcher } from '../fetcher/fetcher.ts'
import type { RateLimits } from '../fetcher/slow-retrieval.ts'
import { rateLimits } from '../fetcher/slow-retrieval.ts'
import { sourcesOf } from '../installer/sources.ts'
import type { AppFiles, AppProcess, Disk, Processes } from '../ports.ts'
import type { Layout } from '../state/layout.ts'
import { layoutOf } from '../state/layout.ts'
import { createAppFiles } from '../device/app-files.ts'
import { createDisk, syncNothing } from '../device/disk.ts'
import type { Installer } from '../installer/installer.ts'
import { openInstaller } from '../installer/installer.ts'
import type { TestOrigin } from './test-origin.ts'
import { testPlatform, testProvisioningKey } from './test-origin.ts'

export interface InlineAgent {
  installer: Installer
  layout: Layout
  disk: Disk
  /** Digests of applications that run now. */
  running: Set<string>
  /** What was done to applications, in order: `start`, or the name of a signal. */
  told: string[]
  status(): Record<string, unknown> & {
    committedCounter: number
    refusals: { code: string; subject?: string }[]
    metadata: Readonly<Record<string, number>>
    lastError: string | null
  }
  stop(): Promise<void>
}

export interface InlineOptions {
  config?: Partial<AgentConfig>
  /** A configuration file, of which the agent reads and destroys the provisioning key. */
  configPath?: string
  limits?: RateLimits
  clock?: Clock
  log?: Log
  /** Wraps the fetcher: what a hijacked one would answer. */
  hijack?: (fetcher: FetcherPort, layout: Layout) => FetcherPort
  isHealthy?: (sha256: string) => boolean
  /** What the application has written. */
  readOutput?: () => string
  /** Wraps what writes the files that the application reads. */
  appFiles?: (real: AppFiles) => AppFiles
}

export async function startInlineAgent(
  folder: string,
  origin: TestOrigin,
  options: InlineOptions = {},
): Promise<InlineAgent> {
  const layout = layoutOf(folder, origin.product)
  mkdirSync(layout.fetch, { recursive: true })
  const config: AgentConfig = {
    server: origin.url,
    root: createHash('sha256').update(origin.repository.anchor).digest('hex'),
    provisioningKey: testProvisioningKey,
    product: origin.product,
    channel: origin.channel,
    pollSeconds: 3600,
    mirrors: [],
    reportOutput: true,
    stateDir: folder,
    runDir: `${folder}/run`,
    environment: { PORT: '1' },
    platform: testPlatform,
    ...options.config,
  }
  if (
    options.config !== undefined &&
    'server' in options.config &&
    options.config.server === undefined
  ) {
    delete config.server
  }
  const sources = await sourcesOf(config, async () => '')
  const disk = createDisk(syncNothing)
  const clock = options.clock ?? systemClock
  const ports = {
    clock,
    sleep: systemSleep,
    random: systemRandom,
    log: options.log ?? silentLog,
    disk,
  }
  const settings = { fetchFolder: layout.fetch, sources }
  const gateway = createGateway({ ...ports, settings: () => settings })
  const [toFetcher, toInstaller] = [new PassThrough(), new PassThrough()]
  const { transport, close } = httpsTransport({ idleTimeoutMs: 5000, allowPlain: true })
  void serveRequests({
    pipe: { incoming: toFetcher, write: (bytes) => toInstaller.write(bytes) },
    log: silentLog,
    create: async (given, emit) => {
      const fetcher = createFetcher(
        {
          ...ports,
          limits: options.limits ?? rateLimits,
          transports: sources.map(() => transport),
          acceptPins() {},
        },
        given,
        emit,
      )
      return options.hijack === undefined ? fetcher : options.hijack(fetcher, layout)
    },
  })
  gateway
    .attach({ incoming: toInstaller, write: (bytes) => toFetcher.write(bytes) })
    .catch(() => {})
  const running = new Set<string>()
  const told: string[] = []
  const installer = await openInstaller(
    {
      ...ports,
      gateway,
      bootId: 'test',
      appFiles: (options.appFiles ?? ((real) => real))(
        createAppFiles(layout.appConfig, undefined, silentLog),
      ),
      processes: namedProcesses(running, told, {
        isHealthy: options.isHealthy ?? (() => true),
        readOutput: options.readOutput ?? (() => ''),
      }),
    },
    {
      config,
      ...(options.configPath === undefined ? {} : { configPath: options.configPath }),
      layout,
      sources,
      anchor: origin.repository.anchor,
      builtAt: new Date(Date.UTC(2026, 0, 1)),
      agentVersion: '0.1.0',
    },
  )
  const run = installer.run()
  installer.pollNow()
  return {
    installer,
    layout,
    disk,
    running,
    told,
    status: () => installer.status() as ReturnType<InlineAgent['status']>,
    async stop() {
      installer.stop('stopped')
      await run
      toFetcher.end()
      toInstaller.end()
      close()
    },
  }
}

/** Applications that live until they are told to end. */
function namedProcesses(
  running: Set<string>,
  told: string[],
  { isHealthy, readOutput }: { isHealthy: (sha256: string) => boolean; readOutput: () => string },
): Processes {
  const endings = new Map<string, () => void>()
  let count = 0
  return {
    async start(spec) {
      const app: AppProcess = { id: String(++count), sha256: spec.sha256 }
      running.add(spec.sha256)
      told.push('start')
      return app
    },
    find: async () => [],
    isAlive: async (app) => running.has(app.sha256),
    ended: (app, signal) =>
      new Promise((resolve, reject) => {
        if (!running.has(app.sha256)) return resolve(undefined)
        endings.set(app.id, () => resolve(undefined))
        signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      }),
    async signal(app, name) {
      told.push(name)
      if (name === 'SIGHUP') return
      running.delete(app.sha256)
      endings.get(app.id)?.()
    },
    readOutput: async () => ({ bytes: Buffer.from(readOutput()), isCut: false }),
    openProbe: (_check, spec) => ({ isHealthy: async () => isHealthy(spec.sha256), close() {} }),
  }
}
