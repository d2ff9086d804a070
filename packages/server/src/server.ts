/**
 * One worker: everything that it uses is made here, in one place, from its configuration and its
 * ports.
 */
import { hkdfSync } from 'node:crypto'
import { once } from 'node:events'
import type { Server as PlainServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { createZones } from '@seaworthy/fleet/rollouts'
import type { S3Credentials } from '@seaworthy/oci/store/s3'
import { invariant } from '@seaworthy/std/refusal'
import { secondMs } from '@seaworthy/std/time'
import type { ChallengeCertificates } from './app/acme/index.ts'
import { createChallengeCertificates } from './app/acme/index.ts'
import type { App, Health, Ports } from './app/app.ts'
import type { OpenBlobStore } from './app/content/index.ts'
import { openBlobStore, createReleaseFileLists, createContentChecks } from './app/content/index.ts'
import { createRemovedDevices, createCheckIns, createStoppedDevices } from './app/devices/index.ts'
import { createEventFeed, createHeardDevices } from './app/events/index.ts'
import { createFleetTable } from './app/fleets/index.ts'
import { createTokenReader, deviceAudience } from './app/access/index.ts'
import {
  createIdentityProviders,
  createPairingPaces,
  createSlowHashes,
} from './app/people/index.ts'
import {
  createForeignCheckIns,
  createForeignIdentities,
  createOmahaAppTable,
} from './app/foreign/index.ts'
import type { SnapshotExchange, Metrics } from './app/metrics/index.ts'
import {
  observeCheckIns,
  observeForeignCheckIns,
  observeDb,
  observeSettlements,
} from './app/metrics/index.ts'
import type { SpanExporter, SpanSender } from './app/traces/index.ts'
import { startSpanExporter, createTracer } from './app/traces/index.ts'
import type { OwnTls, ServerTls } from './app/trust/index.ts'
import { createServedCertificate, createTrustPlane, loadOnlineSecrets } from './app/trust/index.ts'
import { createRebootLockTable } from './app/restarts/index.ts'
import {
  createHearingNotes,
  createReleaseTable,
  createRolloutTable,
  createSettlements,
} from './app/rollouts/index.ts'
import type { BankAccess, FollowedClock } from './app/worker/index.ts'
import {
  createBudgets,
  createCallerLog,
  createReloads,
  followDatabaseClock,
  keepComparing,
} from './app/worker/index.ts'
import type { Config } from './config/config.ts'
import { loadCredentialKey } from './config/credential-key.ts'
import { loadMasterKey } from './config/master-key.ts'
import type { DatabaseAddress } from './db/address.ts'
import { openDb } from './db/connection.ts'
import { eventsChannel } from './db/events.ts'
import { createHandlers } from './http/index.ts'
import type { FastPath } from './http/fast-path/index.ts'
import { connectionLimits } from './http/limits.ts'
import { createPlainServer } from './http/plain-http.ts'
import { endProofs, proveNames } from './http/name-proofs.ts'
import { loadWebFiles } from './http/web.ts'
import { createLogMemory, logMemoryFile, watchLog } from './tasks/audit-log-memory.ts'
import { startTasks } from './tasks/index.ts'
import { keepHearing } from './tasks/hearing.ts'
import { watchRemovedDevices } from './tasks/removed-devices.ts'

export interface ServerOptions {
  readonly config: Config
  readonly database: DatabaseAddress
  /** The operator's own certificate, if there is one. */
  readonly own: OwnTls | null
  /** Credentials of object storage, if content is kept there. */
  readonly blobCredentials: S3Credentials | null
  readonly version: string
  /** Name of this worker. */
  readonly name: string
  readonly health: Health
  readonly metrics: Metrics
  readonly exchange: SnapshotExchange
  /** What the workers of this server share of their callers' budgets. */
  readonly bank: BankAccess
  /** Sends spans to the collector of `config.traces`. */
  readonly sendSpans: SpanSender
  readonly ports: Ports
}

export interface RunningServer {
  readonly port: number
  readonly app: App
  /** Stops accepting, finishes what has begun, stops the tasks, closes the database. */
  stop(): Promise<void>
}

const drainMs = 10 * secondMs

/**
 * Resolves once the server listens. The database must be migrated and prepared (`prepareServer`).
 */
export async function createServer(options: ServerOptions): Promise<RunningServer> {
  const { config, ports } = options
  const exporter = startExporter(options)
  const blobs = await openBlobStore(config.blobs, options.blobCredentials, ports)
  const { app, clock } = await createApp(options, exporter, blobs)
  const keeper = { signer: app.secrets.logSigner, origin: app.secrets.logOrigin }
  const memory = createLogMemory(app, keeper, logMemoryFile(config.dataDir))
  const stopWatching = watchLog(app, memory)
  const opened = Promise.withResolvers<void>()
  const tasks = startTasks(app, { keeper, memory, acme: config.acme, opened: opened.promise })
  const challenges =
    config.acme?.challenge === 'tls-alpn-01' ? createChallengeCertificates(app) : undefined
  const stopReloading = await subscribe(app, {
    challenges,
    onAudit: () => tasks.wake('log-sequencer'),
    onRollouts: () => tasks.wake('rollout-reconciler'),
    onCertificate: () => tasks.wake('acme-renewal'),
  })
  const stopLooking = watchRemovedDevices(app)
  const stopKeeping = keepHearing(app)
  const stopComparing = keepComparing(clock, ports)
  const web = config.webFolder === null ? undefined : await loadWebFiles(config.webFolder)
  const handlers = createHandlers(app, {
    hasFastPath: config.hasFastPath,
    hasReportForm: config.hasReportForm,
    web,
  })
  const server = createHttpsServer(
    {
      ...createTlsOptions(app.certificate.current),
      ...(challenges === undefined ? {} : { ALPNCallback: proveNames(challenges) }),
      handshakeTimeout: connectionLimits.handshakeMs,
      maxHeaderSize: connectionLimits.headersBytesMax,
      headersTimeout: connectionLimits.headersMs,
      connectionsCheckingInterval: connectionLimits.checkEveryMs,
      // Uploads may take a long time: every body has limits of its own (`http/bodies.ts`).
      requestTimeout: 0,
      keepAliveTimeout: connectionLimits.keepAliveMs,
    },
    handlers.requests,
  )
  app.certificate.onChange((tls) => server.setSecureContext(createTlsOptions(tls)))
  if (handlers.fastPath !== undefined) openFastPath(server, handlers.fastPath)
  if (challenges !== undefined) endProofs(server)
  server.maxHeadersCount = connectionLimits.headersCountMax
  server.timeout = connectionLimits.silenceMs
  server.listen(config.listen.port, config.listen.host)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const plain = await openPlainServer(app, config.httpListen, port)
  opened.resolve()
  return {
    port,
    app,
    async stop() {
      app.events.close()
      plain?.close()
      plain?.closeAllConnections()
      await drain(server, handlers.fastPath, ports)
      await tasks.stop()
      await stopWatching()
      await stopLooking()
      await stopKeeping()
      await stopComparing()
      stopReloading()
      await app.db.close()
      blobs.close()
      await exporter?.stop()
    },
  }
}

async function openPlainServer(
  app: App,
  listen: Config['httpListen'],
  httpsPort: number,
): Promise<PlainServer | undefined> {
  if (listen === null) return undefined
  const plain = createPlainServer(app, httpsPort)
  plain.listen(listen.port, listen.host)
  await once(plain, 'listening')
  return plain
}

function createTlsOptions({ keyPem, certificatePem }: ServerTls) {
  return {
    key: keyPem,
    cert: certificatePem,
    minVersion: 'TLSv1.3' as const,
    ticketKeys: deriveTicketKeys(keyPem),
  }
}

/**
 * One set of keys for all workers and replicas: a device resumes its TLS session wherever it
 * connects, which saves both sides a signature. Each session still has fresh keys of its own (TLS
 * 1.3, `psk_dhe_ke`).
 */
function deriveTicketKeys(tlsKeyPem: string): Buffer {
  return Buffer.from(hkdfSync('sha256', tlsKeyPem, '', 'seaworthy-tls-tickets-v1', 48))
}

function startExporter(options: ServerOptions): SpanExporter | undefined {
  const { config, metrics, sendSpans: send, version, name } = options
  if (config.traces === null) return undefined
  const { log, sleep } = options.ports
  const resource = {
    'service.name': 'seaworthy',
    'service.version': version,
    'service.instance.id': name,
  }
  return startSpanExporter({ send, sleep, log, meter: metrics.meter, resource })
}

async function createApp(
  options: ServerOptions,
  exporter: SpanExporter | undefined,
  blobs: OpenBlobStore,
): Promise<{ app: App; clock: FollowedClock }> {
  const { config, health } = options
  const { log, random, clock: own } = options.ports
  const masterKey = await loadMasterKey(config.masterKeyFile, random, false)
  const { metrics, exchange } = options
  const ratio = config.traces?.ratio ?? 0
  const tracer =
    exporter === undefined
      ? undefined
      : createTracer({ clock: own, random, ratio, record: exporter.record })
  const db = observeDb(openDb(options.database, log), { metrics, clock: own, tracer })
  const clock = await followDatabaseClock(db, options.ports)
  const ports: Ports = { ...options.ports, clock }
  const secrets = await loadOnlineSecrets(db.reader, masterKey)
  const removedDevices = createRemovedDevices(db)
  const stoppedDevices = createStoppedDevices(db)
  const zones = createZones()
  const hearing = createHearingNotes(db)
  const { workersCount } = config
  const leftOut = metrics.logLinesLeftOut
  const callerLog = createCallerLog({ log, clock, workersCount, leftOut })
  const { bank } = options
  const budgets = createBudgets({ clock, workersCount, bank, limited: metrics.limited, callerLog })
  const trust = createTrustPlane({ db, masterKey, callerLog, health })
  const releases = createReleaseTable(trust)
  const rollouts = createRolloutTable({
    db,
    releases,
    sleep: ports.sleep,
    onFailure: (error) => log.warn('cache.reload-failed', { what: 'rollouts', error }),
  })
  const app: App = {
    ...ports,
    version: options.version,
    db,
    store: blobs.store,
    masterKey,
    credentialKey: await loadCredentialKey(config, ports),
    secrets,
    certificate: await createServedCertificate(
      { db, masterKey },
      { own: options.own, names: config.names, isByAcme: config.acme !== null },
    ),
    readDeviceToken: createTokenReader(secrets.deviceTokenKey, deviceAudience),
    trust,
    releases,
    rollouts,
    hearing,
    settlements: createSettlements(
      { db, zones, rollouts, releases, observer: observeSettlements({ metrics, tracer }) },
      ports,
    ),
    fleets: createFleetTable(db),
    removedDevices,
    stoppedDevices,
    events: createEventFeed({ ...ports, callerLog, db, removedDevices, stoppedDevices }),
    zones,
    rebootLocks: createRebootLockTable(db),
    omahaApps: createOmahaAppTable(db),
    foreignIdentities: createForeignIdentities(db, removedDevices, ports),
    releaseFiles: createReleaseFileLists(),
    contentChecks: createContentChecks(),
    contentReads: createContentChecks(),
    foreignCheckIns: observeForeignCheckIns(
      createForeignCheckIns(db, ports, hearing.note),
      metrics,
    ),
    checkIns: createCheckIns(
      db,
      observeCheckIns({ metrics, clock, tracer }),
      { ...ports, budgets },
      { onHeard: hearing.note, onChanged: createHeardDevices(db, { ...ports, callerLog }) },
    ),
    health,
    callerLog,
    budgets,
    pairingPaces: createPairingPaces(),
    slowHashes: createSlowHashes(),
    identityProviders: createIdentityProviders(ports),
    metrics,
    exchange,
    tracer,
  }
  return { app, clock }
}

/**
 * Resolves when everything in memory has been loaded once; from then on notifications keep it
 * fresh, until the returned function is called.
 */
async function subscribe(
  app: App,
  {
    onAudit,
    onRollouts,
    onCertificate,
    challenges,
  }: {
    onAudit: () => void
    onRollouts: () => void
    onCertificate: () => void
    challenges: ChallengeCertificates | undefined
  },
): Promise<() => void> {
  const { begin: reload, stop } = createReloads(app)
  const caches = [
    ['certificate', app.certificate.reload],
    ['metadata', app.trust.reload],
    ['fleets', app.fleets.reload],
    ['removed_device', app.removedDevices.reload],
    ['stopped_devices', app.stoppedDevices.reload],
    ['rollouts', app.rollouts.reload],
    ['reboot_locks', app.rebootLocks.reload],
    ['omaha_apps', app.omahaApps.reload],
    ...(challenges === undefined ? [] : [['acme_challenges', challenges.reload] as const]),
  ] as const
  for (const [, load] of caches) await load()
  await app.db.subscribe([
    ...caches.map(([channel, load]) => ({
      channel,
      onNotify: (payload: string) => {
        if (channel === 'removed_device') {
          app.removedDevices.add(payload)
          reload('reboot_locks', app.rebootLocks.reload)
        } else if (channel === 'rollouts') {
          app.rollouts.markChanged(payload)
          app.events.takeRollout(payload)
          onRollouts()
        } else reload(channel, load)
        if (channel === 'certificate') onCertificate()
        if (channel === 'metadata') app.events.takeMetadata()
      },
      // Listening was interrupted, or has just begun: what was missed is in the tables.
      onListening: () => reload(channel, load),
    })),
    {
      channel: eventsChannel,
      onNotify: (note: string) => app.events.take(note),
      onListening: () => app.events.missed(),
    },
    { channel: 'audit', onNotify: onAudit, onListening: onAudit },
    {
      channel: 'foreign_devices',
      onNotify: (id: string) => app.foreignIdentities.forget(id),
      onListening: () => app.foreignIdentities.forgetAll(),
    },
  ])
  return stop
}

type SecureListener = (socket: TLSSocket) => void

/**
 * Hands every connection to the fast path first, and to Node's HTTP when it sends anything else.
 */
function openFastPath(server: Server, fastPath: FastPath): void {
  const [serveHttp, ...others] = server.listeners('secureConnection') as SecureListener[]
  invariant(
    serveHttp !== undefined && others.length === 0,
    'Node serves HTTP on TLS connections by this listener',
  )
  server.removeAllListeners('secureConnection')
  server.on('secureConnection', (socket: TLSSocket) =>
    fastPath.accept(socket, server, (left) => serveHttp.call(server, left)),
  )
}

async function drain(server: Server, fastPath: FastPath | undefined, ports: Ports): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  fastPath?.drain()
  const finished = new AbortController()
  const forced = ports.sleep(drainMs, finished.signal).then(
    () => {
      server.closeAllConnections()
      fastPath?.destroy()
    },
    () => undefined,
  )
  await closed
  finished.abort()
  await forced
}
