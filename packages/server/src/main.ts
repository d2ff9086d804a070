/**
 * `seaworthy up`: the only place that reads the environment, the machine's clock and the signals.
 */
import cluster from 'node:cluster'
import { availableParallelism } from 'node:os'
import type { S3Credentials } from '@seaworthy/oci/store/s3'
import { ObjectStoreError } from '@seaworthy/oci/store/s3'
import { jsonLog } from '@seaworthy/std/log'
import type { LogLevel } from '@seaworthy/std/log'
import { systemRandom } from '@seaworthy/std/random'
import { systemClock, systemSleep } from '@seaworthy/std/time'
import manifest from '../package.json' with { type: 'json' }
import type { Ports } from './app/app.ts'
import type { OwnTls } from './app/trust/index.ts'
import { CertificateError } from './app/trust/index.ts'
import { createBankEnd, createHealth } from './app/worker/index.ts'
import {
  createExchangeEnd,
  createMeter,
  measureProcess,
  createMetrics,
} from './app/metrics/index.ts'
import type { SpanSender } from './app/traces/index.ts'
import { checkConfig } from './config/config.ts'
import type { Config } from './config/config.ts'
import { envOf, usage } from './config/env.ts'
import type { Setting } from './config/settings.ts'
import { formatSettings, readSettings, shownValue, UsageError } from './config/settings.ts'
import { readSettingsFile } from './config/settings-file.ts'
import { SealError } from './config/master-key.ts'
import { readBlobCredentials } from './config/blob-credentials.ts'
import { DatabaseError } from './db/address.ts'
import { MigrationError } from './db/migrate.ts'
import { PostgresError } from './postgres/index.ts'
import { WebFilesError } from './http/web.ts'
import { startPrimary } from './primary.ts'
import type { ProgramFailure } from './report-failure.ts'
import { wantsJson, failureText } from './report-failure.ts'
import { createServer } from './server.ts'
import { StartError } from './start-checks.ts'
import type { FromWorker, StartMessage, ToWorker } from './workers.ts'

function makePorts(level: LogLevel): Ports {
  const log = jsonLog({
    write: (line) => process.stderr.write(`${line}\n`),
    clock: systemClock,
    level,
    fields: { pid: process.pid },
  })
  return { clock: systemClock, sleep: systemSleep, random: systemRandom, log }
}

/** Follows no redirect: the content of a span goes to the collector that was named, or nowhere. */
function postTo(url: string): SpanSender {
  return async (body, signal) => {
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(url, { method: 'POST', headers, body, signal, redirect: 'error' })
    await response.body?.cancel()
    return response.status
  }
}

function fail(failure: Omit<ProgramFailure, 'command'>): void {
  const isJson = wantsJson(process.argv.slice(2))
  process.stderr.write(failureText({ command: 'up', ...failure }, isJson))
}

/** The start ends here: what was given is in order. */
function printSettings(settings: readonly Setting[]): void {
  const shown = settings.filter(({ name }) => name !== 'print-config')
  const lines = wantsJson(process.argv.slice(2))
    ? [
        JSON.stringify(
          shown.map((one) => ({ ...one, value: shownValue(one) })),
          undefined,
          2,
        ),
      ]
    : formatSettings(shown)
  process.stdout.write(`${lines.join('\n')}\n`)
}

function readConfig(): { config: Config; blobCredentials: S3Credentials | null } | undefined {
  try {
    const argv = process.argv.slice(2)
    if (argv.includes('--help') || argv.includes('-h')) {
      process.stdout.write(`${usage}\n`)
      return undefined
    }
    const settings = readSettings({ argv, variables: process.env, readFile: readSettingsFile })
    const env = envOf(settings, process.env)
    const config = checkConfig(env, {
      cwd: process.cwd(),
      coresCount: availableParallelism(),
      isTerminal: process.stderr.isTTY === true,
    })
    const blobCredentials = readBlobCredentials(config.blobs, process.env)
    const isPrinted = settings.some(({ name, value }) => name === 'print-config' && value === true)
    if (!isPrinted) return { config, blobCredentials }
    printSettings(settings)
    return undefined
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    fail({ exitCode: 2, message: error.message, text: `seaworthy: ${error.message}\n${usage}` })
    process.exitCode = 2
    return undefined
  }
}

async function runPrimary({
  config,
  blobCredentials,
}: {
  config: Config
  blobCredentials: S3Credentials | null
}): Promise<void> {
  const ports = makePorts(config.logLevel)
  // Workers stop only when the primary process tells them; a Ctrl-C at the terminal reaches every
  // process.
  const stop = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => resolve())
  })
  try {
    const primary = await startPrimary({
      config,
      blobCredentials,
      version: manifest.version,
      ports,
      machine: { arch: process.arch, uid: process.getuid?.() ?? -1, pid: process.pid },
      print: (line) => process.stdout.write(`${line}\n`),
    })
    if (config.tls !== null) process.on('SIGHUP', () => primary.lookAtCertificate())
    await stop
    await primary.stop()
    process.exit(0)
  } catch (error) {
    const isExpected = [
      StartError,
      PostgresError,
      SealError,
      CertificateError,
      MigrationError,
      ObjectStoreError,
      DatabaseError,
      WebFilesError,
    ].some((type) => error instanceof type)
    const why = error instanceof Error ? error.message : String(error)
    // An expected error is reported in one sentence; the stack is only for unexpected ones.
    if (!isExpected) ports.log.error('server.failed', { error })
    const message = `the server did not start: ${isExpected ? why : `${why} (see the log above)`}`
    fail({ exitCode: 1, message, text: `seaworthy: ${message}` })
    process.exit(1)
  }
}

async function runWorker(): Promise<void> {
  const tell = (message: FromWorker) => process.send?.(message)
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>()
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(signal, () => undefined)
  }
  const health = createHealth((problems) => tell({ kind: 'health', problems }))
  const metrics = createMetrics(createMeter())
  const exchange = createExchangeEnd((id) => tell({ kind: 'gather', id }))
  const bank = createBankEnd(tell)
  let newest: OwnTls | undefined
  let showCertificate: ((own: OwnTls) => void) | undefined
  const start = await new Promise<StartMessage>((resolve) => {
    process.on('message', (message: ToWorker) => {
      if (message.kind === 'start') resolve(message)
      else if (message.kind === 'stop') stop()
      else if (message.kind === 'certificate') {
        newest = message.own
        showCertificate?.(newest)
      } else if (message.kind === 'taken') bank.receive(message.id, message.spending)
      else if (message.kind === 'gathered') exchange.receive(message.id, message.snapshot)
      else if (message.kind === 'count') {
        tell({ kind: 'counted', id: message.id, snapshot: metrics.meter.snapshot() })
      } else health.setOthers(message.problems)
    })
  })
  const ports = makePorts(start.config.logLevel)
  measureProcess(metrics.meter, start.name, systemClock.now())
  try {
    const sendSpans = postTo(start.config.traces?.endpoint ?? '')
    // Secrets are only in the environment.
    const blobCredentials = readBlobCredentials(start.config.blobs, process.env)
    const server = await createServer({
      ...start,
      blobCredentials,
      health,
      metrics,
      exchange,
      bank,
      sendSpans,
      ports,
    })
    showCertificate = (own) => server.app.certificate.take(own)
    if (newest !== undefined) showCertificate(newest)
    tell({ kind: 'listening', port: server.port })
    await stopped
    await server.stop()
    process.exit(0)
  } catch (error) {
    ports.log.error('worker.failed', { error })
    tell({ kind: 'failed', message: error instanceof Error ? error.message : String(error) })
    process.exit(1)
  }
}

if (cluster.isPrimary) {
  const read = readConfig()
  if (read !== undefined) await runPrimary(read)
} else {
  await runWorker()
}
