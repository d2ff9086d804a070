/**
 * Keeps the application of one release running: starts it, starts it again with growing waits when
 * it ends, stops it gracefully. It finds an application that survived the agent and takes it over.
 */
import type { Log } from '@seaworthy/std/log'
import type { Random } from '@seaworthy/std/random'
import { backOffMs } from '@seaworthy/std/retry'
import type { Clock, Sleep } from '@seaworthy/std/time'
import type { AppProcess, AppSpec, Processes } from '../ports.ts'

export interface AppRunnerPorts {
  clock: Clock
  sleep: Sleep
  random: Random
  log: Log
  processes: Processes
}

export interface AppRunner {
  /** The release that is kept running, how often its application ended, and how it did last. */
  readonly kept:
    | { sha256: string; exits: number; lastExit: string | undefined; isAlive: boolean }
    | undefined
  /** Resolves when its first process runs (or was taken over); rejects with `ProcessError`. */
  keep(spec: AppSpec, adopt?: AppProcess): Promise<void>
  /** SIGTERM, then after `stopMs` SIGKILL; resolves when no process of it is left. */
  stop(stopMs: number): Promise<void>
  /** Signals it where it runs. */
  signal(name: 'SIGHUP'): Promise<void>
  /** Leaves the application alone: the agent goes, the application stays. */
  abandon(): void
  onExit(listener: () => void): () => void
}

interface Kept {
  spec: AppSpec
  /** `undefined` between an exit and the next start. */
  process: AppProcess | undefined
  exits: number
  lastExit: string | undefined
  end: AbortController
  task: Promise<void>
}

const steadyMs = 60_000
const restartMaxMs = 60_000

export function createAppRunner(ports: AppRunnerPorts): AppRunner {
  let kept: Kept | undefined
  const listeners = new Set<() => void>()

  const supervise = async (own: Kept) => {
    const { signal } = own.end
    let failures = 0
    for (;;) {
      const startedMs = ports.clock.monotonicMs()
      const ended = own.process && (await ports.processes.ended(own.process, signal))
      own.process = undefined
      own.exits++
      own.lastExit = ended?.how
      failures = ports.clock.monotonicMs() - startedMs >= steadyMs ? 1 : failures + 1
      ports.log.warn('application-ended', {
        sha256: own.spec.sha256,
        exits: own.exits,
        ...ended,
      })
      for (const listener of listeners) listener()
      await ports.sleep(
        backOffMs(failures, { firstMs: 1000, maxMs: restartMaxMs, random: ports.random }),
        signal,
      )
      try {
        own.process = await ports.processes.start(own.spec)
      } catch (error) {
        ports.log.error('application-not-started', { sha256: own.spec.sha256, error })
      }
      if (signal.aborted) return
    }
  }

  const watchOver = (own: Kept) =>
    supervise(own).catch((error: unknown) => {
      if (!own.end.signal.aborted) ports.log.error('supervision-failed', { error })
    })

  return {
    get kept() {
      if (kept === undefined) return undefined
      const { spec, exits, lastExit, process } = kept
      return { sha256: spec.sha256, exits, lastExit, isAlive: process !== undefined }
    },
    async keep(spec, adopt) {
      const process = adopt ?? (await ports.processes.start(spec))
      const own: Kept = {
        spec,
        process,
        exits: 0,
        lastExit: undefined,
        end: new AbortController(),
        task: Promise.resolve(),
      }
      kept = own
      own.task = watchOver(own)
    },
    async stop(stopMs) {
      const own = kept
      kept = undefined
      own?.end.abort(new Error('stopped'))
      // A restart that was under way must be over, whether it worked or not.
      await own?.task
      if (own?.process === undefined) return
      await endProcess(ports, own.process, stopMs)
    },
    async signal(name) {
      if (kept?.process !== undefined) await ports.processes.signal(kept.process, name)
    },
    abandon() {
      kept?.end.abort(new Error('abandoned'))
      kept = undefined
    },
    onExit(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

/** SIGTERM to the group, `stopMs` of patience, SIGKILL to the group. */
export async function endProcess(
  ports: Pick<AppRunnerPorts, 'sleep' | 'processes' | 'log'>,
  app: AppProcess,
  stopMs: number,
): Promise<void> {
  await ports.processes.signal(app, 'SIGTERM')
  const patience = new AbortController()
  const ended = ports.processes.ended(app, patience.signal).then(
    () => true,
    () => false,
  )
  const late = ports.sleep(stopMs, patience.signal).then(
    () => false,
    () => false,
  )
  const inTime = await Promise.race([ended, late])
  patience.abort(new Error('over'))
  if (!inTime) ports.log.warn('application-killed', { sha256: app.sha256 })
  // This is sent after an orderly end too: children may have stayed behind.
  await ports.processes.signal(app, 'SIGKILL')
}
