/**
 * One more worker of a running test server, in the caller's own process, with two doors: the one
 * that every worker has, and one where nobody is asked who they are or what they may do. What lies
 * between the two is what asking costs. Only for measurements.
 */
import type { RequestListener } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { silentLog } from '@seaworthy/std/log'
import { seededRandom, systemRandom } from '@seaworthy/std/random'
import { invariant } from '@seaworthy/std/refusal'
import { systemClock, systemSleep } from '@seaworthy/std/time'
import type { Actor } from '../app/access/index.ts'
import { identify } from '../app/access/index.ts'
import { createExchangeEnd, createMeter, createMetrics } from '../app/metrics/index.ts'
import { createBank, createHealth } from '../app/worker/index.ts'
import { checkConfig } from '../config/config.ts'
import { readEnv } from '../config/env.ts'
import { readSettingsFile } from '../config/settings-file.ts'
import { watchOwnOrigin } from '../http/device-self.ts'
import { createAttemptLimiter } from '../http/authenticate.ts'
import { createDispatcher } from '../http/dispatch.ts'
import type { Endpoint } from '../http/endpoint.ts'
import { listEndpoints } from '../http/endpoints.ts'
import { socketFileOf } from '../postgres/index.ts'
import { createServer } from '../server.ts'
import type { TestServer } from './server.ts'

export interface OpenWorker {
  /** Where callers are asked. */
  readonly guardedPort: number
  /** Where nobody is: each request is that of the token, or of a device drawn at random. */
  readonly openPort: number
  stop(): Promise<void>
}

export async function openWorker(
  server: TestServer,
  credentials: { readonly token: string; readonly deviceIds: readonly string[] },
): Promise<OpenWorker> {
  const config = checkConfig(
    readEnv({
      argv: ['--data-dir', server.dataDir, '--listen', '127.0.0.1:0', '--workers', '1'],
      variables: {},
      readFile: readSettingsFile,
    }),
    { cwd: server.dataDir, coresCount: 1, isTerminal: false },
  )
  const bank = createBank(systemClock, 1)
  const { app, ...worker } = await createServer({
    config,
    database: { kind: 'socket', socketFile: socketFileOf(server.dataDir), database: 'seaworthy' },
    ...{ own: null, blobCredentials: null, version: 'measured', name: 'worker-open' },
    health: createHealth(() => undefined),
    metrics: createMetrics(createMeter()),
    exchange: createExchangeEnd(() => undefined),
    bank: { take: async (tries) => bank.take(tries), giveBack: (tries) => bank.giveBack(tries) },
    sendSpans: async () => 200,
    ports: { clock: systemClock, sleep: systemSleep, random: systemRandom, log: silentLog },
  })
  const endpoints = listEndpoints(watchOwnOrigin(app.certificate), false)
  const caller = { address: '127.0.0.1', now: systemClock.now() }
  const token = await identify(app, credentials.token, caller)
  invariant(token !== undefined, 'the token is valid')
  // Devices ask in no order at the guarded door either: neighbours would cost the database less.
  const random = seededRandom(1)
  const nextDevice = (): Actor => {
    const { deviceIds } = credentials
    return { kind: 'device', id: deviceIds[Math.floor(random.fraction() * deviceIds.length)]! }
  }
  const limiter = createAttemptLimiter(app)
  const serve = async (list: readonly Endpoint[]) => {
    const { keyPem: key, certificatePem: cert } = app.certificate.current
    const listener: RequestListener = createDispatcher(app, list, limiter, [])
    const door = createHttpsServer({ key, cert, minVersion: 'TLSv1.3' }, listener)
    door.listen(0, '127.0.0.1')
    await once(door, 'listening')
    return door
  }
  const guarded = await serve(endpoints)
  const open = await serve(
    endpoints.map((endpoint) =>
      opened(endpoint, () => (endpoint.route.auth === 'device' ? nextDevice() : token)),
    ),
  )
  return {
    guardedPort: (guarded.address() as AddressInfo).port,
    openPort: (open.address() as AddressInfo).port,
    async stop() {
      for (const door of [guarded, open]) {
        door.close()
        door.closeAllConnections()
      }
      await worker.stop()
    },
  }
}

/** The endpoint as a stranger may call it, in the name of somebody. */
function opened(endpoint: Endpoint, actorOf: () => Actor): Endpoint {
  return {
    ...endpoint,
    // This kind asks for no credential, and looks least at the request.
    route: { ...endpoint.route, auth: 'pairing', stepUp: false },
    run: (app, call, leaving) => endpoint.run(app, { ...call, actor: actorOf() }, leaving),
  }
}
