/** What one process uses: memory, processor time, the event loop, garbage collection. */
import { monitorEventLoopDelay, performance, PerformanceObserver, constants } from 'node:perf_hooks'
import type { Meter } from './meter.ts'

/** `name` tells the processes of a server apart: `primary`, `worker-1`, … */
export function measureProcess(meter: Meter, name: string, startedAt: Date): void {
  const labels = ['process']
  const own = (value: number) => [{ value, labels: [name] }]
  meter.gauge(
    {
      name: 'seaworthy_process_start_time_seconds',
      help: 'When the process started, in seconds since 1970.',
      labels,
      merge: 'max',
    },
    () => own(startedAt.getTime() / 1000),
  )
  meter.gauge(
    {
      name: 'seaworthy_process_resident_memory_bytes',
      help: 'Memory of the process, shared pages included.',
      labels,
      merge: 'max',
    },
    () => own(process.memoryUsage.rss()),
  )
  meter.gauge(
    {
      name: 'seaworthy_process_heap_used_bytes',
      help: 'JavaScript heap in use.',
      labels,
      merge: 'max',
    },
    () => own(process.memoryUsage().heapUsed),
  )
  meter.total(
    {
      name: 'seaworthy_process_cpu_seconds_total',
      help: 'Processor time of the process.',
      labels: [...labels, 'mode'],
    },
    () => {
      const { user, system } = process.cpuUsage()
      return [
        { value: user / 1e6, labels: [name, 'user'] },
        { value: system / 1e6, labels: [name, 'system'] },
      ]
    },
  )
  measureEventLoop(meter, name)
  measureGarbageCollection(meter, name)
}

/**
 * Shorter delays are seen only by chance. Each sample wakes the process: at 20 ms, three idle
 * processes take 1 % of a core for it.
 */
const delaySampleMs = 100

function measureEventLoop(meter: Meter, name: string): void {
  const delay = monitorEventLoopDelay({ resolution: delaySampleMs })
  delay.enable()
  meter.total(
    {
      name: 'seaworthy_event_loop_active_seconds_total',
      help: 'Time in which the event loop did work; at one second per second the process is at its limit.',
      labels: ['process'],
    },
    () => [{ value: performance.eventLoopUtilization().active / 1000, labels: [name] }],
  )
  meter.gauge(
    {
      name: 'seaworthy_event_loop_delay_max_seconds',
      help: 'The longest that the event loop was late since the last scrape; what is shorter than 100 ms is seen by chance only.',
      labels: ['process'],
      merge: 'max',
    },
    () => {
      // The sampling interval is part of what is recorded.
      const lateSeconds = Math.max(0, delay.max / 1e9 - delaySampleMs / 1000)
      delay.reset()
      return [{ value: lateSeconds, labels: [name] }]
    },
  )
}

const kinds = new Map<number, string>([
  [constants.NODE_PERFORMANCE_GC_MINOR, 'minor'],
  [constants.NODE_PERFORMANCE_GC_MAJOR, 'major'],
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL, 'incremental'],
  [constants.NODE_PERFORMANCE_GC_WEAKCB, 'weak-callbacks'],
])

function measureGarbageCollection(meter: Meter, name: string): void {
  const seconds = meter.counter({
    name: 'seaworthy_gc_seconds_total',
    help: 'Time spent in garbage collection, by its kind.',
    labels: ['process', 'kind'],
  })
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { duration, detail } = entry as typeof entry & { detail: { kind: number } }
      seconds.add(duration / 1000, name, kinds.get(detail.kind) ?? 'other')
    }
  })
  observer.observe({ entryTypes: ['gc'] })
}
