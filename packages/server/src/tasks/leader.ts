/**
 * Background tasks run on one worker at a time, the one that holds the session lock. Each takes no
 * input and may be stopped at any point: what it does next time is the same whether it finished or
 * not.
 */
import type { Log } from '@seaworthy/std/log'
import { backOffMs } from '@seaworthy/std/retry'
import type { App } from '../app/app.ts'
import { answerWithin } from '../app/worker/index.ts'

export interface Task {
  readonly name: string
  /** The longest wait between two runs. */
  readonly everyMs: number
  /** The signal ends what takes long: this worker stops, or leads no more. */
  readonly run: (signal: AbortSignal) => Promise<void>
  /** Parts of the health report that the task sets. The next leader reports them anew. */
  readonly healthParts?: readonly string[]
}

export interface LeaderTasks {
  /** Makes a task run soon, if this worker leads. */
  wake(name: string): void
  /** Resolves when nothing runs any more and the lock is free. */
  stop(): Promise<void>
}

const electionMs = 1000
/** The leader asks three times within the time after which PostgreSQL ends idle sessions. */
const checkMs = 1000
const answerMs = 2000
const failureMaxMs = 30_000
/** Longer than any hand-over takes. */
const leaderlessMaxMs = 10_000

export function startLeaderTasks(
  app: Pick<App, 'clock' | 'db' | 'health' | 'log' | 'random' | 'sleep'>,
  tasks: readonly Task[],
): LeaderTasks {
  const stopping = new AbortController()
  const wakers = new Map<string, () => void>()
  const log = app.log.with({ component: 'tasks' })

  const repeat = async (task: Task, signal: AbortSignal) => {
    for (let failures = 0; !signal.aborted;) {
      const woken = new AbortController()
      wakers.set(task.name, () => woken.abort())
      try {
        await task.run(signal)
        failures = 0
        app.health.report(`task:${task.name}`, null)
      } catch (error) {
        failures++
        log.error('task.failed', { task: task.name, failures, error })
        if (failures >= 3) app.health.report(`task:${task.name}`, 'it fails again and again')
      }
      const waitMs =
        failures === 0
          ? task.everyMs
          : backOffMs(failures, { firstMs: 200, maxMs: failureMaxMs, random: app.random })
      // A wake-up does not shorten the wait after a failure.
      const early = failures === 0 ? [signal, woken.signal] : [signal]
      await app.sleep(waitMs, AbortSignal.any(early)).catch(() => undefined)
    }
    wakers.delete(task.name)
  }

  const lead = async (signal: AbortSignal) => {
    const leadership = await answerWithin(app.sleep, answerMs, app.db.tryLead())
    // Either this worker leads, or another one does.
    seenAtMs = app.clock.monotonicMs()
    app.health.report('tasks', null)
    if (leadership === undefined) return
    log.info('tasks.leading')
    const lost = new AbortController()
    const ending = AbortSignal.any([signal, lost.signal])
    const running = tasks.map((task) => repeat(task, ending))
    try {
      while (!signal.aborted) {
        await answerWithin(app.sleep, answerMs, leadership.check())
        seenAtMs = app.clock.monotonicMs()
        await app.sleep(checkMs, signal).catch(() => undefined)
      }
    } catch (error) {
      // The lock is not kept for tasks that may hang with the same database.
      await leadership.release().catch((cause: unknown) => logLoss(log, cause))
      throw error
    } finally {
      lost.abort()
      await Promise.all(running)
      for (const { name, healthParts = [] } of tasks) {
        for (const part of [`task:${name}`, ...healthParts]) app.health.report(part, null)
      }
      await leadership.release().catch((error: unknown) => logLoss(log, error))
    }
  }

  let seenAtMs = app.clock.monotonicMs()
  const elect = async () => {
    while (!stopping.signal.aborted) {
      try {
        await lead(stopping.signal)
      } catch (error) {
        log.warn('tasks.leadership-lost', { error })
        // The request may hang, and may still be carried out.
        await app.db.endLead().catch((cause: unknown) => logLoss(log, cause))
        if (app.clock.monotonicMs() - seenAtMs > leaderlessMaxMs) {
          app.health.report('tasks', 'it is not known whether any worker runs the background tasks')
        }
      }
      await app.sleep(electionMs, stopping.signal).catch(() => undefined)
    }
  }
  const elected = elect()

  return {
    wake: (name) => wakers.get(name)?.(),
    async stop() {
      stopping.abort()
      await elected
    },
  }
}

function logLoss(log: Log, error: unknown): void {
  log.debug('tasks.release-failed', { error })
}
