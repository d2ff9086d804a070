/**
 * Real processes. Each application leads its own session, carries the mark of its release in its
 * environment, and outlives the agent; it is found again in `/proc`. Node would hand its permission
 * flags down in NODE_OPTIONS, so the program `env` takes them away again before the application
 * starts (RFD 10).
 */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { access, constants, open, readdir, readFile, stat, truncate } from 'node:fs/promises'
import type { HealthCheck } from '@seaworthy/oci/bundle/manifest'
import { cutText } from '@seaworthy/std/printable'
import type { Sleep } from '@seaworthy/std/time'
import type { AppEnd, AppOutput, AppProcess, AppSpec, HealthProbe, Processes } from '../ports.ts'
import { ProcessError } from '../ports.ts'
import { layoutOf } from '../state/layout.ts'
import type { Account } from './accounts.ts'

export interface ProcessSettings {
  /** The account that the application runs as; `undefined`: the agent's own account. */
  account?: Pick<Account, 'uid' | 'gid'>
  /** Tells apart several agents on one machine. */
  stateDir: string
  /**
   * The command of the separate process that runs HTTP probes and gives up root by itself: program
   * and arguments before the URL.
   */
  probeCommand: readonly string[]
  sleep: Sleep
}

const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const markName = 'SEAWORTHY_INSTANCE'
const aliveCheckMs = 500
const probeTimeoutMs = 10_000
const environBytesMax = 256 * 1024
/**
 * The longest output of the application that is kept beside its data; beyond it the file starts
 * over.
 */
const logBytesMax = 8 * 1024 * 1024
const logCheckMs = 60_000
/** The bytes at the end of it that `readOutput` returns. */
const outputBytesMax = 64 * 1024
const logFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW

function markOf(settings: ProcessSettings, product: string, sha256: string): string {
  return `${product}:${sha256}:${settings.stateDir}`
}

/** An identity that a later process with the same number does not have. */
async function readIdentity(pid: number): Promise<{ id: string; isLeader: boolean } | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined
    return { id: `${pid}.${fields[19]}`, isLeader: Number(fields[2]) === pid }
  } catch {
    return undefined
  }
}

/** The log lies beside the application's own folder, out of its reach. */
function logFileOf(dataFolder: string): string {
  return `${dataFolder}.log`
}

function pidOf(app: AppProcess): number {
  return Number(app.id.split('.')[0])
}

export function createProcesses(settings: ProcessSettings): Processes {
  const children = new Map<string, ChildProcess>()
  /** How those processes ended that nobody has waited for yet. */
  const ends = new Map<string, AppEnd>()
  /** Where the output of the release begins that was started last, by its data folder. */
  const begins = new Map<string, { readonly sha256: string; readonly position: number }>()
  const account =
    settings.account === undefined ? {} : { uid: settings.account.uid, gid: settings.account.gid }
  const ownUid = settings.account?.uid ?? process.getuid?.()

  const environmentOf = (spec: AppSpec): Record<string, string> => ({
    PATH: path,
    LANG: 'C.UTF-8',
    HOME: spec.dataFolder,
    SEAWORTHY_DATA_DIR: spec.dataFolder,
    SEAWORTHY_CONFIG_DIR: spec.configFolder,
    ...spec.environment,
    [markName]: markOf(settings, spec.product, spec.sha256),
  })

  const launch: Launch = (command, spec, output) => {
    const environment = environmentOf(spec)
    const own = environment['NODE_OPTIONS']
    return spawn(
      '/usr/bin/env',
      ['-u', 'NODE_OPTIONS', ...(own === undefined ? [] : [`NODE_OPTIONS=${own}`]), ...command],
      {
        cwd: spec.folder,
        env: environment,
        stdio: ['ignore', output, output],
        // It has a session of its own, which signals reach and which outlives the agent.
        detached: output !== 'ignore',
        ...account,
      },
    )
  }

  const bounded = new Set<string>()
  /**
   * Bounds the log once for each process, also for those that an earlier installer started, of
   * which nothing tells when they end.
   */
  const boundLog = async (product: string, app: AppProcess, end?: AbortSignal) => {
    if (bounded.has(app.id)) return
    bounded.add(app.id)
    const file = logFileOf(layoutOf(settings.stateDir, product).appData)
    while (end?.aborted !== true && (await isAlive(app))) {
      try {
        if ((await stat(file)).size > logBytesMax) await truncate(file, 0)
      } catch {
        // The file is gone, or the disk failed once: the next check looks at it again.
      }
      // The wait is cut short when the application ends, which the loop asks about itself.
      await settings.sleep(logCheckMs, end).catch(() => {})
    }
    bounded.delete(app.id)
  }

  const isAlive = async (app: AppProcess) => (await readIdentity(pidOf(app)))?.id === app.id

  return {
    async start(spec) {
      const log = await open(logFileOf(spec.dataFolder), logFlags, 0o640)
      const known = begins.get(spec.dataFolder)
      if (known?.sha256 !== spec.sha256) {
        begins.set(spec.dataFolder, { sha256: spec.sha256, position: (await log.stat()).size })
      }
      let child: ChildProcess
      try {
        await checkProgram(spec)
        // A command that is too long throws here already; other failures come as an event.
        try {
          child = launch(spec.command, spec, log.fd)
        } catch (cause) {
          throw notStarted(spec, cause)
        }
        await new Promise<void>((resolve, reject) => {
          child.once('spawn', resolve)
          child.once('error', (cause) => reject(notStarted(spec, cause)))
        })
      } finally {
        await log.close()
      }
      const identity = await readIdentity(child.pid!)
      const app = { id: identity?.id ?? `${child.pid}.ended`, sha256: spec.sha256 }
      const end = new AbortController()
      const remember = () => {
        end.abort(new Error('it has ended'))
        children.delete(app.id)
        ends.set(app.id, { how: howEnded(child), output: logFileOf(spec.dataFolder) })
      }
      // A process that lives only briefly may have ended by now.
      if (hasEnded(child)) remember()
      else {
        children.set(app.id, child)
        child.once('exit', remember)
      }
      child.unref()
      void boundLog(spec.product, app, end.signal)
      return app
    },
    async find(product) {
      const found: AppProcess[] = []
      for (const name of await readdir('/proc')) {
        if (!/^\d+$/.test(name)) continue
        const environ = await readFile(`/proc/${name}/environ`, 'utf8').catch(() => '')
        if (environ.length > environBytesMax) continue
        const mark = environ
          .split('\0')
          .find((entry) => entry.startsWith(`${markName}=${product}:`))
        const [, , sha256, stateDir] =
          /^([^:]*):([0-9a-f]{64}):(.*)$/s.exec(mark?.slice(markName.length + 1) ?? '') ?? []
        if (sha256 === undefined || stateDir !== settings.stateDir) continue
        const identity = await readIdentity(Number(name))
        // A process of another account may carry any mark it likes.
        const isOurs = (await stat(`/proc/${name}`).catch(() => undefined))?.uid === ownUid
        if (!isOurs || identity?.isLeader !== true) continue
        const app = { id: identity.id, sha256 }
        void boundLog(product, app)
        found.push(app)
      }
      return found
    },
    isAlive,
    async ended(app, signal) {
      const child = children.get(app.id)
      if (child !== undefined && !hasEnded(child)) {
        await new Promise<void>((resolve, reject) => {
          child.once('exit', () => resolve())
          signal.addEventListener('abort', () => reject(signal.reason), { once: true })
        })
      }
      while (await isAlive(app)) await settings.sleep(aliveCheckMs, signal)
      const end = ends.get(app.id)
      ends.delete(app.id)
      return end
    },
    async signal(app, name) {
      // The leader's number stays taken while its group has members.
      const identity = await readIdentity(pidOf(app))
      if (identity !== undefined && identity.id !== app.id) return
      try {
        process.kill(-pidOf(app), name)
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
      }
    },
    openProbe: (check, spec) => openProbe(check, spec, settings, launch),
    readOutput({ sha256, dataFolder }) {
      const begin = begins.get(dataFolder)
      // A release that an earlier installer started wrote somewhere at the end of it.
      const position = begin?.sha256 === sha256 ? begin.position : 0
      return readEnd(logFileOf(dataFolder), position).catch(() => noOutput)
    },
  }
}

const noOutput: AppOutput = { bytes: new Uint8Array(), isCut: false }

/** The end of the file, from no earlier than the position. */
async function readEnd(path: string, position: number): Promise<AppOutput> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const stats = await file.stat()
    if (!stats.isFile()) return noOutput
    // A file that is shorter has been started over since.
    const begin = stats.size < position ? 0 : position
    const from = Math.max(begin, stats.size - outputBytesMax)
    const buffer = new Uint8Array(stats.size - from)
    const { bytesRead } = await file.read(buffer, 0, buffer.length, from)
    return { bytes: buffer.subarray(0, bytesRead), isCut: from > 0 }
  } finally {
    await file.close()
  }
}

type Launch = (command: readonly string[], spec: AppSpec, output: 'ignore' | number) => ChildProcess

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null
}

function howEnded({ exitCode, signalCode }: ChildProcess): string {
  return signalCode === null ? `exit code ${exitCode}` : `signal ${signalCode}`
}

const startFaults: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'it cannot be executed',
  E2BIG: 'the command is longer than the system takes',
}

/** The message is a reason for people, such as `EACCES ./bin/app: it cannot be executed`. */
function notStarted({ command }: AppSpec, cause: unknown): ProcessError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'failed'
  const words = startFaults[code] ?? 'it cannot be started'
  return new ProcessError(`${code} ${cutText(command[0]!, 128)}: ${words}`, { cause })
}

/**
 * Checks the program first: `env` would report it only by its exit code, too late to tell it from a
 * crash.
 */
async function checkProgram(spec: AppSpec): Promise<void> {
  const program = spec.command[0]!
  const file = program.startsWith('/')
    ? program
    : program.includes('/')
      ? `${spec.folder}/${program}`
      : undefined
  if (file === undefined) return
  await access(file, constants.X_OK).catch((cause: unknown) => {
    throw notStarted(spec, cause)
  })
}

function openProbe(
  check: HealthCheck,
  spec: AppSpec,
  settings: ProcessSettings,
  launch: Launch,
): HealthProbe {
  switch (check.kind) {
    case 'alive':
      return { isHealthy: async () => true, close() {} }
    case 'exec': {
      let fault: string | undefined
      return {
        get fault() {
          return fault
        },
        async isHealthy() {
          fault = await runToEnd(() => launch(check.command, spec, 'ignore'), settings.sleep)
          return fault === undefined
        },
        close() {},
      }
    }
    case 'http':
      return openHttpProbe(check.url, settings)
  }
}

/** `undefined` when the command exits with 0 within the time of a probe, or what was wrong. */
async function runToEnd(begin: () => ChildProcess, sleep: Sleep): Promise<string | undefined> {
  const timer = new AbortController()
  let child: ChildProcess
  try {
    child = begin()
  } catch {
    // A command that is too long for the system is a failed check.
    return 'it cannot be started'
  }
  void sleep(probeTimeoutMs, timer.signal).then(
    () => child.kill('SIGKILL'),
    () => {},
  )
  return new Promise((resolve) => {
    const finish = (fault: string | undefined) => {
      timer.abort(new Error('over'))
      resolve(fault)
    }
    child.once('exit', (code) => finish(code === 0 ? undefined : howEnded(child)))
    child.once('error', () => finish('it cannot be started'))
  })
}

/**
 * One process for a whole trial: a line in asks, a line out answers. No other process here may open
 * a socket.
 */
function openHttpProbe(url: string, settings: ProcessSettings): HealthProbe {
  let child: ReturnType<typeof begin> | undefined
  let answer: ((said: string) => void) | undefined
  let fault: string | undefined
  const begin = () => {
    const [program, ...args] = settings.probeCommand
    const started = spawn(program!, [...args, url], {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: {},
    })
    const lost = () => {
      if (child === started) child = undefined
      answer?.('unhealthy')
    }
    started.once('exit', lost)
    started.once('error', lost)
    started.stdin.on('error', () => {})
    started.stdout.on('data', (bytes: Buffer) => answer?.(bytes.toString('latin1').trim()))
    return started
  }
  return {
    get fault() {
      return fault
    },
    async isHealthy() {
      try {
        child ??= begin()
      } catch {
        fault = 'it cannot be asked'
        return false
      }
      const timer = new AbortController()
      const asked = child
      const said = await Promise.race([
        new Promise<string>((resolve) => {
          answer = resolve
          asked.stdin.write('\n')
        }),
        settings.sleep(probeTimeoutMs + 2000, timer.signal).then(
          () => 'unhealthy no answer',
          () => 'unhealthy',
        ),
      ])
      timer.abort(new Error('over'))
      answer = undefined
      if (said === 'healthy') return true
      fault = /^unhealthy ([A-Za-z0-9_ ]{1,40})$/.exec(said)?.[1]
      return false
    },
    close() {
      child?.kill('SIGKILL')
    },
  }
}
