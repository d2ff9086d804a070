/** Tasks that are counted, timed and traced; what they do and when stays the same. */
import type { App } from '../app/app.ts'
import type { Task } from './leader.ts'

export function observeTasks(
  app: Pick<App, 'clock' | 'metrics' | 'tracer'>,
  tasks: readonly Task[],
): Task[] {
  const { taskRuns, taskSeconds, meter } = app.metrics
  const succeededAt = new Map<string, number>()
  meter.gauge(
    {
      name: 'seaworthy_task_last_success_time_seconds',
      help: 'When a background task last succeeded on this server, in seconds since 1970.',
      labels: ['task'],
      merge: 'max',
    },
    () => [...succeededAt].map(([task, value]) => ({ value, labels: [task] })),
  )
  const observe = async (name: string, run: () => Promise<void>) => {
    const startedMs = app.clock.monotonicMs()
    try {
      await run()
      taskRuns.add(1, name, 'succeeded')
      succeededAt.set(name, app.clock.now().getTime() / 1000)
    } catch (error) {
      taskRuns.add(1, name, 'failed')
      throw error
    } finally {
      taskSeconds.observe((app.clock.monotonicMs() - startedMs) / 1000, name)
    }
  }
  const trace = (name: string, run: () => Promise<void>): Promise<void> =>
    app.tracer === undefined
      ? run()
      : app.tracer.root('task', { attributes: { task: name }, links: [] }, run)
  return tasks.map((task) => ({
    ...task,
    run: (signal) => trace(task.name, () => observe(task.name, () => task.run(signal))),
  }))
}
