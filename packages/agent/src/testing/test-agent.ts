/**
 * Real agents for tests: a folder, a configuration, an application that answers over HTTP, and the
 * agent's own processes.
 */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { base64Encode } from '@seaworthy/std/bytes'
import { programAt } from '@seaworthy/std/testing/own-programs'
import { claimPort } from '@seaworthy/std/testing/ports'
import { askSocket } from '../device/status-socket.ts'
import type { TestOrigin } from './test-origin.ts'
import { testProvisioningKey } from './test-origin.ts'

const mainFile = programAt(new URL('../main.ts', import.meta.url))

export function makeTestFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(`${tmpdir()}/seaworthy-agent-`)
  chmodSync(path, 0o755)
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

/** `needs-colour`: it is unwell while its variable `COLOUR` is `bad`. */
export type AppBehaviour = 'healthy' | 'unhealthy' | 'crashing' | 'turns-bad' | 'needs-colour'

/** A bundle whose application answers its version at `/health`, or misbehaves. */
export function writeTestApp(
  folder: string,
  version: string,
  behaviour: AppBehaviour = 'healthy',
  options: {
    windowSeconds?: number
    extra?: Readonly<Record<string, string>>
    onChange?: 'restart' | 'signal'
    defaults?: Readonly<Record<string, string>>
  } = {},
): string {
  mkdirSync(folder, { recursive: true })
  const status = {
    healthy: '200',
    unhealthy: '500',
    crashing: '500',
    'turns-bad': '++seen > 3 ? 500 : 200',
    'needs-colour': "readColour() === 'bad' ? 500 : 200",
  }[behaviour]
  writeFileSync(
    `${folder}/app.mjs`,
    behaviour === 'crashing'
      ? 'console.error("lost its valve")\nprocess.exit(3)\n'
      : `import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
let seen = 0
function readColour() {
  try {
    return readFileSync(process.env.SEAWORTHY_CONFIG_DIR + '/COLOUR', 'utf8')
  } catch {
    return ''
  }
}
createServer((request, response) => {
  response.statusCode = request.url === '/health' ? (${status}) : 200
  response.end(${JSON.stringify(version)} + ' ' + (process.env.NODE_OPTIONS ?? '') + (process.permission ? ' confined' : ''))
}).listen(Number(process.env.PORT), '127.0.0.1')
process.on('SIGTERM', () => process.exit(0))
`,
  )
  writeFileSync(
    `${folder}/seaworthy.json`,
    JSON.stringify({
      start: [process.execPath, 'app.mjs'],
      health: {
        http: 'http://127.0.0.1:${PORT}/health',
        windowSeconds: options.windowSeconds ?? 1.5,
      },
      stopSeconds: 3,
      variables: { onChange: options.onChange, defaults: options.defaults },
    }),
  )
  for (const [name, content] of Object.entries(options.extra ?? {}))
    writeFileSync(`${folder}/${name}`, content)
  return folder
}

export interface TestAgent {
  configPath: string
  stateDir: string
  port: number
  readonly supervisor: ChildProcess | undefined
  /** What the agent's processes wrote to their logs. */
  log: string[]
  start(): void
  /** Sends SIGTERM to the supervisor, and waits. */
  stop(): Promise<void>
  /**
   * Ends everything by `kill -9`, application included: a power cut without its effect on the disk.
   */
  cutPower(): void
  status(): Promise<Record<string, unknown>>
  updateNow(): Promise<void>
  /** Process ids by role. */
  processes(): { installer: number[]; fetcher: number[]; app: number[] }
  readVersion(): Promise<string | undefined>
}

export async function createTestAgent(
  folder: string,
  origin: TestOrigin,
  config: Readonly<Record<string, unknown>> = {},
): Promise<TestAgent> {
  const stateDir = `${folder}/state`
  const configPath = `${folder}/agent.json`
  const port = await claimPort()
  mkdirSync(folder, { recursive: true })
  writeFileSync(
    configPath,
    JSON.stringify({
      server: origin.url,
      root: createHash('sha256').update(origin.repository.anchor).digest('hex'),
      rootInline: base64Encode(origin.repository.anchor),
      provisioningKey: testProvisioningKey,
      product: origin.product,
      channel: origin.channel,
      pollSeconds: 3600,
      environment: { PORT: String(port) },
      // The Node that the application is started with may lie where only root can read it.
      ...(process.getuid?.() === 0 ? { user: 'root' } : {}),
      ...config,
    }),
    { mode: 0o600 },
  )
  let supervisor: ChildProcess | undefined
  const log: string[] = []
  const agent: TestAgent = {
    configPath,
    stateDir,
    port,
    log,
    get supervisor() {
      return supervisor
    },
    start() {
      supervisor = spawn(
        process.execPath,
        [mainFile, 'run', '--config', configPath, '--state-dir', stateDir],
        {
          stdio: ['ignore', 'ignore', 'pipe'],
          detached: true,
        },
      )
      supervisor.stderr!.on('data', (bytes: Buffer) => log.push(bytes.toString()))
    },
    async stop() {
      const stopped = supervisor
      supervisor = undefined
      if (stopped === undefined || stopped.exitCode !== null) return
      const ended = new Promise((resolve) => stopped.once('exit', resolve))
      stopped.kill('SIGTERM')
      await ended
    },
    cutPower() {
      const { installer, fetcher, app } = agent.processes()
      const all = [supervisor?.pid, ...installer, ...fetcher, ...app]
      for (const pid of all) if (pid !== undefined) killHard(pid)
      supervisor = undefined
    },
    status: async () =>
      (await askSocket(`${stateDir}/run/agent.sock`, 'status')) as Record<string, unknown>,
    async updateNow() {
      await askSocket(`${stateDir}/run/agent.sock`, 'update-now')
    },
    processes: () => findProcesses(stateDir),
    async readVersion() {
      try {
        return await (await fetch(`http://127.0.0.1:${port}/`)).text()
      } catch {
        return undefined
      }
    },
  }
  return agent
}

export function killHard(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

/** Reads what the kernel says of a process; it is empty when the process is gone. */
export function readProc(pid: number | string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return ''
  }
}

function findProcesses(stateDir: string): {
  installer: number[]
  fetcher: number[]
  app: number[]
} {
  const found = { installer: [] as number[], fetcher: [] as number[], app: [] as number[] }
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const command = readProc(pid, 'cmdline').split('\0')
    if (command.includes('installer') && command.includes(stateDir) && command[0] !== 'sh')
      found.installer.push(Number(pid))
    if (command.includes('fetcher') && command.some((part) => part.endsWith(`${stateDir}/fetch`)))
      found.fetcher.push(Number(pid))
    if (readProc(pid, 'environ').includes(`:${stateDir}\0`)) found.app.push(Number(pid))
  }
  return found
}
