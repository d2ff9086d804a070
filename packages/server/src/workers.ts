/**
 * The primary process's view of its workers: started, restarted when they die, told when to stop.
 */
import cluster from 'node:cluster'
import type { Worker } from 'node:cluster'
import type { ChildProcess } from 'node:child_process'
import type { Spending } from '@seaworthy/std/allowance'
import { backOffMs } from '@seaworthy/std/retry'
import type { HealthProblem, Ports } from './app/app.ts'
import type { Config } from './config/config.ts'
import { createCollector, createMeter, measureProcess } from './app/metrics/index.ts'
import type { Snapshot } from './app/metrics/index.ts'
import { createBank } from './app/worker/index.ts'
import type { BankMessage } from './app/worker/index.ts'
import type { OwnTls } from './app/trust/index.ts'
import type { DatabaseAddress } from './db/address.ts'

/**
 * What a worker is told before anything else. The secrets in it are the access to the database and
 * the key of an own certificate.
 */
export interface StartMessage {
  readonly kind: 'start'
  readonly config: Config
  readonly database: DatabaseAddress
  /** The operator's own certificate, if there is one. */
  readonly own: OwnTls | null
  readonly version: string
  /** Name of the worker's place, which its successor takes over: `worker-1`, … */
  readonly name: string
}
export type ToWorker =
  | StartMessage
  /** The files of the own certificate have changed. */
  | { readonly kind: 'certificate'; readonly own: OwnTls }
  | { readonly kind: 'health'; readonly problems: readonly HealthProblem[] }
  /** The primary process asks what the worker has counted. */
  | { readonly kind: 'count'; readonly id: number }
  /** The answer to the worker's own question. */
  | { readonly kind: 'gathered'; readonly id: number; readonly snapshot: Snapshot }
  /** The bank's answer. */
  | { readonly kind: 'taken'; readonly id: number; readonly spending: Spending }
  | { readonly kind: 'stop' }
export type FromWorker =
  | BankMessage
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'health'; readonly problems: readonly HealthProblem[] }
  /** The worker asks what all processes have counted. */
  | { readonly kind: 'gather'; readonly id: number }
  | { readonly kind: 'counted'; readonly id: number; readonly snapshot: Snapshot }
  | { readonly kind: 'failed'; readonly message: string }

export interface Workers {
  /** The port of the first worker that listens. Rejects when the workers cannot start. */
  readonly port: Promise<number>
  /** Shows another own certificate from now on. */
  showCertificate(own: OwnTls): void
  stop(): Promise<void>
}

const failuresMax = 5
const stopMs = 20_000

export function startWorkers(start: Omit<StartMessage, 'name'>, ports: Ports): Workers {
  const { log, sleep, random, clock } = ports
  let { own } = start
  const live = new Map<Worker, readonly HealthProblem[]>()
  const { promise: port, resolve: setPort, reject: failPort } = Promise.withResolvers<number>()
  let isStopping = false
  let restartsCount = 0
  let known: number | undefined
  let askedPort = start.config.listen.port

  const shareHealth = () => {
    for (const worker of live.keys()) {
      const problems = [...live].flatMap(([other, own]) => (other === worker ? [] : own))
      send(worker, { kind: 'health', problems })
    }
  }

  const meter = createMeter()
  measureProcess(meter, 'primary', clock.now())
  meter.gauge(
    { name: 'seaworthy_workers', help: 'Worker processes that run.', merge: 'max' },
    () => [{ value: live.size }],
  )
  meter.total(
    {
      name: 'seaworthy_worker_restarts_total',
      help: 'Workers that ended without being told to.',
    },
    () => [{ value: restartsCount }],
  )
  const bank = createBank(clock, start.config.workersCount)
  const collector = createCollector<Worker>({
    own: () => meter.snapshot(),
    ask: (worker, id) => send(worker, { kind: 'count', id }),
    sleep,
  })

  const keep = async (name: string) => {
    for (let failures = 0; !isStopping;) {
      const startedMs = clock.monotonicMs()
      // Workers share a socket if they ask for the same port: a new worker asks for what the living
      // ones asked for.
      if (live.size === 0) askedPort = known ?? askedPort
      const listen = { ...start.config.listen, port: askedPort }
      const worker = cluster.fork()
      live.set(worker, [])
      const ended = new Promise<string>((resolve) => {
        worker.once('exit', (code, signal) => resolve(String(signal ?? code)))
        // Node answers the worker's own requests, and reports here that it could not, usually
        // because the worker has just been killed. A worker that cannot be reached is of no use.
        worker.on('error', (error: NodeJS.ErrnoException) => {
          if (worker.process.pid === undefined) resolve(error.code ?? error.message)
          else worker.process.kill('SIGKILL')
        })
      })
      closeUntaken(worker.process)
      let message: string | undefined
      worker.on('message', (received: FromWorker) => {
        if (received.kind === 'listening') {
          collector.add(worker)
          known ??= received.port
          setPort(received.port)
        } else if (received.kind === 'health') {
          live.set(worker, received.problems)
          shareHealth()
        } else if (received.kind === 'counted') {
          collector.receive(worker, received.id, received.snapshot)
        } else if (received.kind === 'take') {
          const { id, tries } = received
          send(worker, { kind: 'taken', id, spending: bank.take(tries) })
        } else if (received.kind === 'give_back') {
          bank.giveBack(received.tries)
        } else if (received.kind === 'gather') {
          const { id } = received
          void collector
            .gather()
            .then((snapshot) => send(worker, { kind: 'gathered', id, snapshot }))
        } else {
          message = received.message
        }
      })
      send(worker, { ...start, own, name, config: { ...start.config, listen } })
      const how = await ended
      live.delete(worker)
      collector.remove(worker)
      if (isStopping) return
      restartsCount++
      log.error('worker.died', { pid: worker.process.pid, how })
      failures = clock.monotonicMs() - startedMs > 30_000 ? 1 : failures + 1
      if (known === undefined && failures >= failuresMax) {
        failPort(new Error(message ?? `the workers do not start (${how})`))
        return
      }
      shareHealth()
      await sleep(backOffMs(failures, { firstMs: 100, maxMs: 10_000, random }))
    }
  }
  const keeping = Array.from({ length: start.config.workersCount }, (_, i) =>
    keep(`worker-${i + 1}`),
  )

  return {
    port,
    showCertificate(next) {
      own = next
      for (const worker of live.keys()) send(worker, { kind: 'certificate', own })
    },
    async stop() {
      isStopping = true
      for (const worker of live.keys()) send(worker, { kind: 'stop' })
      const finished = new AbortController()
      const forced = sleep(stopMs, finished.signal).then(
        () => {
          for (const worker of live.keys()) worker.process.kill('SIGKILL')
        },
        () => undefined,
      )
      await Promise.all(keeping)
      finished.abort()
      await forced
    },
  }
}

/** What Node tells its worker when it hands a connection over, and what the worker answers. */
interface NodeMessage {
  readonly act?: string
  readonly seq?: number
  readonly ack?: number
}

/**
 * Closes connections that a worker had not taken when it died. The primary process accepts each
 * connection, hands it to a worker, and closes its own descriptor once the worker says that it has
 * taken it: a dead worker never says so. Node would keep the descriptor, and the client would wait
 * for an answer for ever.
 */
function closeUntaken(worker: ChildProcess): void {
  const untaken = new Map<number, { close(): void }>()
  const send = worker.send.bind(worker) as (...args: unknown[]) => boolean
  worker.send = (...args: unknown[]) => {
    const [message, handle] = args as [NodeMessage, { close(): void } | undefined]
    if (message.act === 'newconn' && message.seq !== undefined && handle !== undefined) {
      untaken.set(message.seq, handle)
    }
    return send(...args)
  }
  worker.on('internalMessage', ({ ack }: NodeMessage) => {
    if (ack !== undefined) untaken.delete(ack)
  })
  // The worker has ended, and every answer of it has been read. (Node says `disconnect` only when
  // nothing was under way.)
  worker.once('close', () => {
    for (const handle of untaken.values()) handle.close()
    untaken.clear()
  })
}

function send(worker: Worker, message: ToWorker): void {
  if (worker.isConnected()) worker.send(message, () => undefined)
}
