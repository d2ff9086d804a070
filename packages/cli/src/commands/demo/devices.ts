/**
 * Three devices on this machine: a real agent each, with its own folder and its own port for the
 * application.
 */
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { makeFolders } from '@seaworthy/oci/folders'
import { readBody } from '@seaworthy/std/http'
import { parseAnyJson, parseAnyJsonText } from '@seaworthy/std/json'
import type { CliPorts } from '../../ports.ts'
import type { DemoProcesses, RunningProcess } from './processes.ts'

/** Something an agent logged. */
export interface DeviceEvent {
  event: string
  code?: string
  targetPath?: string
  /** The source that did not give the content. */
  source?: string
}

/** The part of the agent's `status.json` that the demo needs. */
export interface DeviceStatus {
  readonly update?: { readonly state?: string }
  /** The versions of the metadata that the agent verified last. */
  readonly metadata?: { readonly snapshot?: number } | null
  /** The agent believes no clock below this time. */
  readonly timeFloor?: string
}

export interface GivenSettings {
  readonly version?: string
  /** The stand-in reports the digest of the secret that it read. */
  readonly tokenSha256?: string
}

export interface DemoDevice {
  readonly name: string
  /** The address at which its application answers. */
  readonly url: string
  readonly agent: RunningProcess
  /** Everything it logged, in order. */
  readonly events: readonly DeviceEvent[]
  /** Asks the application for its version, over HTTP; `undefined` while it does not answer. */
  askVersion(): Promise<string | undefined>
  /** What the application says of itself, over HTTP; nothing while it does not answer. */
  askSettings(): Promise<GivenSettings>
  /** Reads a secret where the application reads it. */
  readSecret(product: string, name: string): Promise<string | undefined>
  /** Reads what the agent says about itself; `undefined` before it says anything. */
  readStatus(): Promise<DeviceStatus | undefined>
}

/** `config` is what `provisioning-key create --agent-config` wrote. */
export async function startDevice(options: {
  name: string
  folder: string
  config: object
  /** The mirror, which is asked before the server. */
  mirror: string
  node: string
  ports: CliPorts
  processes: DemoProcesses
  onEvent: (event: DeviceEvent) => void
}): Promise<DemoDevice> {
  const { name, folder, ports } = options
  const appData = join(folder, 'node-red')
  const stateDir = join(folder, 'state')
  makeFolders(appData)
  // The mode is set whatever the umask says, because the fetcher has an account of its own.
  await chmod(folder, 0o711)
  const port = await findFreePort()
  const configFile = join(folder, 'agent.json')
  const config = {
    ...options.config,
    name,
    pollSeconds: 1,
    mirrors: [options.mirror],
    environment: { PORT: String(port), NODE: options.node, DATA: appData },
    // When root starts the demo, its own Node and folders may be closed to other users, so that the
    // application has to run as root, which the configuration must say.
    ...(process.getuid?.() === 0 ? { user: 'root' } : {}),
  }
  await writeFile(configFile, JSON.stringify(config), { mode: 0o600 })
  const events: DeviceEvent[] = []
  const agent = options.processes.start({
    file: options.node,
    args: [
      fileURLToPath(import.meta.resolve('@seaworthy/agent/main')),
      ...['run', '--config', configFile, '--state-dir', stateDir],
    ],
    logFile: join(folder, 'agent.log'),
    onLine(line) {
      const event = parseEvent(line)
      if (event === undefined) return
      events.push(event)
      options.onEvent(event)
    },
  })
  const readStatus = async () => {
    try {
      return parseAnyJsonText(await readFile(join(stateDir, 'status.json'), 'utf8')) as DeviceStatus
    } catch {
      // It has not been written yet, or is just being written.
      return undefined
    }
  }
  const url = `http://127.0.0.1:${port}/`
  const { transport } = ports.createTransport({ allowPlain: true })
  const askSettings = async (): Promise<GivenSettings> => {
    try {
      const response = await transport({ method: 'GET', url: `${url}settings` })
      return parseAnyJson(await readBody(response, 1024 * 1024)) as GivenSettings
    } catch {
      // The application does not answer, or answers something else, which makes no difference to
      // the caller.
      return {}
    }
  }
  return {
    name,
    url,
    agent,
    events,
    readStatus,
    askSettings,
    askVersion: async () => (await askSettings()).version,
    async readSecret(product, secret) {
      try {
        return await readFile(join(stateDir, 'app-config', product, secret), 'utf8')
      } catch {
        // It has not arrived yet.
        return undefined
      }
    },
  }
}

function parseEvent(line: string): DeviceEvent | undefined {
  try {
    const parsed = parseAnyJsonText(line) as DeviceEvent
    return typeof parsed.event === 'string' ? parsed : undefined
  } catch {
    // The application may print anything.
    return undefined
  }
}

export function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}
