/**
 * The applications of one machine. The first line of a program, as it lies on the disk when it
 * starts, says what it does.
 */
import type { AppProcess, AppSpec, Processes } from '@seaworthy/agent/testing'
import type { HealthCheck } from '@seaworthy/oci/bundle/manifest'
import { ProcessError } from '@seaworthy/agent/testing'
import { secondMs } from '@seaworthy/std/time'
import type { Sleep } from '@seaworthy/std/time'
import type { FileView, SimDisk } from './disk.ts'
import type { Behaviour } from './releases.ts'
import { behaviours } from './releases.ts'

export interface RunningApp extends AppProcess {
  readonly product: string
  /** Exactly what was on the disk when it was started. */
  readonly files: readonly FileView[]
  readonly behaviour: Behaviour
  isAlive: boolean
}

export interface SimProcesses extends Processes {
  /** All that live, in the order they were started. */
  readonly running: readonly RunningApp[]
  /** Called with every application that was started. */
  onStart: (app: RunningApp) => void
  /** Ends all, because the power is gone. */
  endAll(): void
}

const crashAfterMs = 2 * secondMs

/**
 * `diskNow`: the disk as it is mounted at the moment. `survivors` run already, and are the same
 * processes still.
 */
export function createSimProcesses(
  diskNow: () => SimDisk,
  sleep: Sleep,
  survivors: readonly RunningApp[] = [],
): SimProcesses {
  const table = survivors.map((app) => ({ ...app }))
  const waiting = new Map<RunningApp, Set<() => void>>()
  let lastId = survivors.length

  const end = (app: RunningApp) => {
    app.isAlive = false
    for (const wake of waiting.get(app) ?? []) wake()
    waiting.delete(app)
  }
  const findApp = ({ id }: AppProcess) => table.find((app) => app.id === id && app.isAlive)

  const letRun = (app: RunningApp) => {
    if (app.behaviour === 'crashing') void sleep(crashAfterMs).then(() => end(app))
  }
  for (const app of table) letRun(app)

  const processes: SimProcesses = {
    get running() {
      return table.filter(({ isAlive }) => isAlive)
    },
    onStart: () => {},
    endAll() {
      for (const app of table) app.isAlive = false
    },
    async start(spec: AppSpec) {
      const files = diskNow().filesBelow(spec.folder)
      const program = files.find(({ path }) => path === `${spec.folder}/bin/app`)
      const behaviour = behaviourOf(program)
      if (behaviour === undefined || behaviour === 'unstartable') {
        throw new ProcessError('cannot be started')
      }
      const { product, sha256 } = spec
      const app: RunningApp = {
        id: `process-${++lastId}-${sha256.slice(0, 4)}`,
        product,
        sha256,
        files,
        behaviour,
        isAlive: true,
      }
      table.push(app)
      processes.onStart(app)
      letRun(app)
      return { id: app.id, sha256 }
    },
    async find(product) {
      return table
        .filter((app) => app.isAlive && app.product === product)
        .map(({ id, sha256 }) => ({ id, sha256 }))
    },
    ended: (process, signal) =>
      new Promise((resolve, reject) => {
        const app = findApp(process)
        if (app === undefined) return resolve(undefined)
        if (signal.aborted) return reject(signal.reason)
        const listeners = waiting.get(app) ?? new Set()
        listeners.add(() => resolve(undefined))
        waiting.set(app, listeners)
        signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      }),
    isAlive: async (process) => findApp(process) !== undefined,
    async signal(process) {
      const app = findApp(process)
      if (app !== undefined) end(app)
    },
    readOutput: async () => ({ bytes: new Uint8Array(), isCut: false }),
    openProbe: (_check: HealthCheck, spec) => ({
      isHealthy: async () =>
        table.some(
          (app) => app.isAlive && app.sha256 === spec.sha256 && app.behaviour === 'healthy',
        ),
      close() {},
    }),
  }
  return processes
}

/** The behaviour; `undefined` for a program that the system would not execute. */
function behaviourOf(program: FileView | undefined): Behaviour | undefined {
  if (program === undefined || (program.mode & 0o111) === 0) return undefined
  const [word] = new TextDecoder().decode(program.bytes).split('\n')
  return behaviours.find((known) => known === word)
}
