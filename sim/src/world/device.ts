/**
 * One device: a machine that keeps its disk, its clock and its power, and the real agent on it,
 * both of its processes joined by the real protocol. Booting does what the agent's `main.ts` does,
 * with these ports.
 */
import {
  parseConfig,
  createFetcher,
  createGateway,
  serveRequests,
  openInstaller,
  layoutOf,
  rateLimits,
  sourcesOf,
} from '@seaworthy/agent/testing'
import type { Pipe, Installer, Layout } from '@seaworthy/agent/testing'
import { base64Decode, base64Encode, hexEncode, utf8Encode } from '@seaworthy/std/bytes'
import type { Log, LogFields } from '@seaworthy/std/log'
import { silentLog } from '@seaworthy/std/log'
import type { Random } from '@seaworthy/std/random'
import { TrustError } from '@seaworthy/std/refusal'
import { secondMs } from '@seaworthy/std/time'
import type { Clock, Sleep } from '@seaworthy/std/time'
import type { SimDisk } from './disk.ts'
import type { SimNetwork } from './network.ts'
import type { RunningApp, SimProcesses } from './processes.ts'
import { createSimProcesses } from './processes.ts'
import type { DeviceClock, WorldTime } from './time.ts'
import { createDeviceClock } from './time.ts'

export interface DeviceSetup {
  name: string
  product: string
  channel: string
  platform: string
  /** Origin of the server; absent: a device that knows mirrors only. */
  server: string | undefined
  mirrors: readonly string[]
  provisioningKey: string | undefined
  anchor: Uint8Array
  builtAt: Date
}

export interface DevicePorts {
  time: WorldTime
  network: SimNetwork
  random: Random
  /** Called with the lines of the device's log that are worth telling. */
  tell: (event: string, fields: LogFields) => void
}

/** One life of the machine, from power on to power off. */
export interface Life {
  readonly installer: Installer
  readonly processes: SimProcesses
  readonly clock: DeviceClock
}

export interface SimDevice {
  readonly setup: DeviceSetup
  readonly layout: Layout
  disk: SimDisk
  /** The present life; `undefined` while it is off, or when its agent refused to start. */
  readonly life: Life | undefined
  /** Why the agent does not run although the power is on. */
  readonly failure: string | undefined
  /** Offset of the wall clock from true time. */
  clockSkewMs: number
  /** Called with every application at the moment it is started. */
  onStart: (app: RunningApp) => void
  /**
   * Switches the machine on. `survivors`: applications that are running already, because only the
   * agent had ended.
   */
  powerOn(survivors?: readonly RunningApp[]): Promise<void>
  /**
   * Ends everything that was under way without a trace. The disk is left as it is: see
   * `SimDisk.afterPowerCut`.
   */
  powerOff(): void
  /**
   * Kills the agent (`kill -9`), which is started again: applications live on, the disk loses
   * nothing.
   */
  restartAgent(): Promise<void>
  setClock(skewMs: number): void
}

const restartMs = 10 * secondMs
export const stateDir = '/var/lib/seaworthy'
const configPath = '/etc/seaworthy/agent.json'

/** Puts the configuration on the disk, as an image or a person does before the first start. */
export async function provision(setup: DeviceSetup, disk: SimDisk): Promise<void> {
  const digest = await crypto.subtle.digest('SHA-256', new Uint8Array(setup.anchor))
  const config = {
    ...(setup.server === undefined ? {} : { server: setup.server }),
    root: hexEncode(new Uint8Array(digest)),
    rootInline: base64Encode(setup.anchor),
    ...(setup.provisioningKey === undefined ? {} : { provisioningKey: setup.provisioningKey }),
    product: setup.product,
    channel: setup.channel,
    pollSeconds: 3600,
    mirrors: setup.mirrors,
    stateDir,
    name: setup.name,
  }
  await disk.makeFolder('/etc/seaworthy', 0o755)
  await disk.makeFolder(stateDir, 0o755)
  for (const folder of ['/', '/etc', '/var', '/var/lib']) await disk.syncFolder(folder)
  disk.overwrite(configPath, utf8Encode(JSON.stringify(config)))
}

export function createSimDevice(setup: DeviceSetup, ports: DevicePorts, disk: SimDisk): SimDevice {
  const layout = layoutOf(stateDir, setup.product)
  let life: Life | undefined
  let failure: string | undefined
  let starting: { isOn: boolean } | undefined
  let bootCount = 0

  const boot = async (kept: SimProcesses | undefined, survivors: readonly RunningApp[] = []) => {
    failure = undefined
    life = undefined
    const power = { isOn: true }
    const { disk: own } = device
    const clock = createDeviceClock(ports.time, device.clockSkewMs)
    const sleep = createDeviceSleep(ports.time, () => power.isOn)
    const processes = kept ?? createSimProcesses(() => device.disk, sleep, survivors)
    processes.onStart = (app) => device.onStart(app)
    if (kept === undefined) bootCount++
    const tell: DevicePorts['tell'] = (event, fields) => {
      if (power.isOn) ports.tell(event, fields)
    }
    const machine = {
      clock,
      sleep,
      processes,
      disk: own,
      bootId: `boot-${bootCount}`,
      isOn: () => power.isOn,
    }
    let installer: Installer | undefined
    // The power may go while it boots: then this never returns, and nobody may wait for it.
    const opened = bootAgent({ ...ports, tell }, machine, setup.builtAt).then(
      (started) => {
        installer = started
      },
      (error: unknown) => {
        failure = describeFailure(error)
        ports.tell('agent-not-started', { code: failure })
      },
    )
    starting = power
    await Promise.race([opened, ports.time.settle()])
    if (installer === undefined) return
    life = { installer, processes, clock }
    void installer.run().catch((error: unknown) => {
      failure = describeFailure(error)
      tell('agent-stopped', { code: failure })
      // The agent comes back as under its supervisor.
      void sleep(restartMs).then(() => device.restartAgent())
    })
  }

  const device: SimDevice = {
    setup,
    layout,
    disk,
    get life() {
      return life
    },
    get failure() {
      return failure
    },
    clockSkewMs: 0,
    onStart: () => {},
    powerOn: (survivors) => boot(undefined, survivors),
    async restartAgent() {
      const processes = life?.processes
      if (starting !== undefined) starting.isOn = false
      device.disk = device.disk.reopen()
      await boot(processes)
    },
    powerOff() {
      device.disk.halt()
      life?.processes.endAll()
      if (starting !== undefined) starting.isOn = false
      life = undefined
    },
    setClock(skewMs) {
      life?.clock.shift(skewMs - device.clockSkewMs)
      device.clockSkewMs = skewMs
    },
  }
  return device
}

function describeFailure(error: unknown): string {
  if (error instanceof TrustError) return error.code
  if (error instanceof Error && 'code' in error) return String(error.code)
  // A bug of the agent or of this world must be seen in the story.
  return error instanceof Error ? `${error.name}: ${error.message}` : 'unknown'
}

function createDeviceSleep(time: WorldTime, isOn: () => boolean): Sleep {
  const never = () => new Promise<never>(() => {})
  return async (ms, signal) => {
    if (!isOn()) return never()
    try {
      await time.sleep(ms, signal)
    } catch (error) {
      if (!isOn()) return never()
      throw error
    }
    return isOn() ? undefined : never()
  }
}

interface Machine {
  clock: Clock
  sleep: Sleep
  processes: SimProcesses
  disk: SimDisk
  bootId: string
  isOn: () => boolean
}

async function bootAgent(ports: DevicePorts, machine: Machine, builtAt: Date): Promise<Installer> {
  const { clock, sleep, processes, disk, bootId, isOn } = machine
  const bytes = await disk.read(configPath, 1_000_000)
  const config = parseConfig(bytes ?? new Uint8Array(), { platform: 'linux/amd64' })
  const layout = layoutOf(config.stateDir, config.product)
  const log = tellingLog(ports.tell)
  const sources = await sourcesOf(config, async () => '')
  await disk.makeFolder(layout.fetch, 0o755)
  const transport = ports.network.connect(isOn)
  const gateway = createGateway({
    sleep,
    log,
    settings: () => ({ fetchFolder: layout.fetch, sources }),
  })
  const [installerEnd, fetcherEnd] = createPipes()
  void gateway.attach(installerEnd).catch((error: unknown) => log.error('gateway', { error }))
  void serveRequests({
    pipe: fetcherEnd,
    log,
    create: async (settings, emit) =>
      createFetcher(
        {
          clock,
          sleep,
          log,
          disk,
          limits: rateLimits,
          transports: settings.sources.map(() => transport),
          acceptPins() {},
        },
        settings,
        emit,
      ),
  }).catch((error: unknown) => log.error('fetcher', { error }))
  return openInstaller(
    {
      ...{ clock, sleep, random: ports.random, log, disk, processes, gateway, bootId },
      appFiles: { replace: async () => {} },
    },
    {
      config,
      configPath,
      layout,
      sources,
      anchor: base64Decode(config.rootInline!),
      builtAt,
      agentVersion: '0.1.0',
    },
  )
}

/** A log of which debug lines are dropped; errors of the agent itself are told as they are. */
function tellingLog(tell: (event: string, fields: LogFields) => void): Log {
  const log: Log = {
    ...silentLog,
    info: (event, fields = {}) => tell(event, fields),
    warn: (event, fields = {}) => tell(event, fields),
    error: (event, fields = {}) => tell(event, fields),
    with: () => log,
  }
  return log
}

function createPipes(): [Pipe, Pipe] {
  const one = createQueue()
  const other = createQueue()
  return [
    { incoming: one.items, write: other.put },
    { incoming: other.items, write: one.put },
  ]
}

function createQueue() {
  const waiting: Uint8Array[] = []
  let wake: (() => void) | undefined
  async function* take(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const next = waiting.shift()
      if (next !== undefined) yield next
      else {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    }
  }
  return {
    items: take(),
    put: (bytes: Uint8Array) => {
      waiting.push(bytes)
      wake?.()
    },
  }
}
