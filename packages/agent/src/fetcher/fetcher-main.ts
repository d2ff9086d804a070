/**
 * The fetcher as a process: requests on its input, answers on its output, nothing else of the
 * machine.
 */
import { httpsTransport } from '@seaworthy/oci/transport'
import { jsonLog } from '@seaworthy/std/log'
import type { Pins } from '@seaworthy/std/pins'
import { systemClock, systemSleep } from '@seaworthy/std/time'
import { serveRequests } from '../handover/link.ts'
import type { SourceSettings } from '../handover/messages.ts'
import { createFetcher } from './fetcher.ts'
import { rateLimits } from './slow-retrieval.ts'
import { createDisk, syncNothing } from '../device/disk.ts'
import { serveStatus } from '../device/status-socket.ts'

const idleTimeoutMs = 30_000
const loopback = /^http:\/\/(?:127\.\d+\.\d+\.\d+|localhost|\[::1\])(?::\d+)?$/

function transportOf({ url, ca }: SourceSettings, pins: (() => Pins) | undefined) {
  return httpsTransport({
    idleTimeoutMs,
    connectionsMax: 2,
    allowPlain: loopback.test(url),
    ...(pins === undefined ? {} : { pin: pins }),
    ...(ca === undefined ? {} : { ca }),
  }).transport
}

/** Ends when the installer does. */
export async function runFetcher(): Promise<number> {
  const log = jsonLog({
    write: (line) => process.stderr.write(`${line}\n`),
    clock: systemClock,
    level: 'info',
    fields: { process: 'fetcher' },
  })
  await serveRequests({
    pipe: { incoming: process.stdin, write: (bytes) => process.stdout.write(bytes) },
    log,
    create: async (settings, emit) => {
      let accepted = settings.sources.find(({ isServer }) => isServer)?.pins
      const pinsOf = ({ isServer, pins }: SourceSettings) => {
        if (pins === undefined) return undefined
        return isServer ? () => accepted ?? pins : () => pins
      }
      const fetcher = createFetcher(
        {
          clock: systemClock,
          sleep: systemSleep,
          log,
          disk: createDisk(syncNothing),
          limits: rateLimits,
          transports: settings.sources.map((source) => transportOf(source, pinsOf(source))),
          acceptPins(pins) {
            accepted = pins
          },
        },
        settings,
        emit,
      )
      if (settings.socketPath !== undefined) {
        serveStatus(settings.socketPath, (command) => {
          if (command === 'status') return fetcher.status
          if (command !== 'update-now') return { error: 'unknown command' }
          emit({ kind: 'update-now' })
          return { accepted: true }
        })
      }
      return fetcher
    },
  })
  return 0
}
