/**
 * One command's contact with one server: paired transport, typed client, and the audit log compared
 * before anything is believed.
 */
import { LogError } from '@seaworthy/trust/tlog'
import type { ClosableTransport } from '@seaworthy/oci/transport'
import type { Transport } from '@seaworthy/std/http'
import type { Pins } from '@seaworthy/std/pins'
import { heardPinsOf, keepPins } from '@seaworthy/std/pins'
import { describeSystemError } from '@seaworthy/std/system-errors'
import type { ApiClient } from '@seaworthy/api/client'
import { createClient } from '@seaworthy/api/client'
import type { Context } from './context.ts'
import { askingApproval } from './approval.ts'
import { CliError, doNotTrust } from './failure.ts'
import type { PairedServer } from './state/servers.ts'
import { chooseServer, configFolder, readConfig, serverFolder } from './state/servers.ts'
import type { LogCheck, LogSettings } from './state/audit-log.ts'
import { checkLog, checkpointPath } from './state/audit-log.ts'
import { hearServerPins, readServerPins } from './state/server-pins.ts'
import { readToken } from './state/token.ts'

export interface Connection {
  name: string
  server: PairedServer
  /** The folder in which this program keeps what it remembers about the server. */
  folder: string
  configFolder: string
  client: ApiClient
  transport: Transport
  token: string
  /**
   * The result of comparing the log; `undefined` when the server has no log yet, or one that is not
   * believed.
   */
  log: LogCheck | undefined
  /**
   * Why the log is not believed. Only changes to nothing but the root go on then; `requireLog`
   * throws the fault.
   */
  logFault: Error | undefined
}

export interface ConnectionOptions {
  /**
   * Goes on, with a warning, without a log that contradicts the one remembered. It is only for
   * changes to nothing but the root, and for showing who the caller is; never for what needs the
   * log, or reads what other people did. A thief of the log's key can cause that contradiction for
   * ever, and must not be able to keep owners from replacing keys.
   */
  mayLackLog?: boolean
}

/**
 * Opens the server chosen by `--server`, compares its audit log with the checkpoint remembered, and
 * runs `act`. The connections end when `act` does.
 */
export async function withConnection<T>(
  context: Context,
  act: (connection: Connection) => Promise<T>,
  { mayLackLog = false }: ConnectionOptions = {},
): Promise<T> {
  return await withPaired(context, async (paired) => {
    let log: LogCheck | undefined
    let logFault: Error | undefined
    try {
      log = await checkLog(logSettings(context, paired))
      warnOfForgottenLog(context, { ...paired, log })
    } catch (error) {
      if (!mayLackLog || !(error instanceof LogError || error instanceof CliError)) throw error
      logFault = error
      warnOfLog(context, error)
    }
    return await act({ ...paired, log, logFault })
  })
}

/**
 * Warns, before anything else is printed, that what a command shows or does goes on without the
 * log.
 */
export function warnOfLog(context: Context, error: Error): void {
  context.warn(
    context.paint.yellow(
      `WARNING: the audit log of this server is NOT BELIEVED (${error.message}). What changes nothing but the root goes on without it; almost everything else is refused. Find out why (\`seaworthy log verify\`), then say so: \`seaworthy log accept --reason …\`.`,
    ),
  )
}

/**
 * Warns where the log was seen at login and no checkpoint of it is remembered: what this machine
 * remembered is gone.
 */
export function warnOfForgottenLog(
  context: Context,
  {
    name,
    folder,
    log,
    server,
  }: Pick<Connection, 'name' | 'folder' | 'log'> & { server: PairedServer | undefined },
): void {
  if (log?.verdict.kind !== 'first_seen' || server?.logSeen !== true) return
  context.warn(
    context.paint.yellow(
      `WARNING: this machine has seen the audit log of ${name} before, but ${checkpointPath({ folder })} is gone: the log counts as seen for the first time, and what was rewritten until now cannot be noticed. Compare \`seaworthy log verify\` with another machine.`,
    ),
  )
}

export type PairedConnection = Omit<Connection, 'log' | 'logFault'>

/**
 * Like `withConnection`, but without looking at the log: for the commands about a log that is not
 * believed.
 */
export async function withPaired<T>(
  context: Context,
  act: (connection: PairedConnection) => Promise<T>,
): Promise<T> {
  const { ports } = context
  const base = configFolder(ports, context.options.configDir)
  const { name, server } = chooseServer(await readConfig(base), context.options.server)
  const folder = serverFolder(base, name)
  const token = await readToken(folder, name)
  const { transport, close, pins } = await openTransport(context, folder, server.pin)
  try {
    const client = createClient({
      baseUrl: server.url,
      transport: (request) => transport({ ...request, signal: request.signal ?? ports.signal }),
      token: () => token,
    })
    const patient = askingApproval(context, client, server.url)
    return await act({
      name,
      // The pin that counts now: the server may just have shown its next key.
      get server() {
        const [pin] = pins() ?? []
        return pin === undefined ? server : { ...server, pin }
      },
      folder,
      configFolder: base,
      client: patient,
      transport,
      token,
    })
  } finally {
    close()
  }
}

/** A transport to the paired server, which keeps the pins that the server announces. */
async function openTransport(
  { ports, warn }: Context,
  folder: string,
  configured: string | undefined,
): Promise<ClosableTransport & { pins: () => Pins | undefined }> {
  if (configured === undefined) return { ...ports.createTransport({}), pins: () => undefined }
  let pins = await readServerPins(folder, configured)
  const { transport, close } = ports.createTransport({ pin: () => pins })
  return {
    async transport(request) {
      const response = await transport(request)
      const heard = heardPinsOf(response)
      if (heard === undefined || keepPins(pins, heard) === pins) return response
      try {
        pins = await hearServerPins(folder, configured, heard, ports)
      } catch (error) {
        if (describeSystemError(error) === undefined) throw error
        warn(`The pin of the server’s next key cannot be kept: ${describeSystemError(error)}.`)
      }
      return response
    },
    close,
    pins: () => pins,
  }
}

/**
 * Throws the reason why the log is not believed, before anything but the root is looked at or
 * changed.
 */
export function requireLog({ logFault }: Pick<Connection, 'logFault'>): void {
  if (logFault !== undefined) throw logFault
}

export function logSettings(
  { ports }: Context,
  {
    server,
    folder,
    transport,
    token,
  }: Pick<Connection, 'server' | 'folder' | 'transport' | 'token'>,
): LogSettings {
  return {
    url: server.url,
    verifierKey: server.logVerifierKey,
    folder,
    transport,
    token,
    random: ports.random,
    sleep: ports.sleep,
    signal: ports.signal,
  }
}

interface Page<T> {
  items: T[]
  next: string | null
}

const pageSize = 500

/** The most items that a command holds at once. */
const heldItemsMax = 1_000_000

/**
 * All items of a paged list, or at least the first `wanted`. Throws `CliError` where a list has
 * more than a command holds, so that a list that was cut is never taken for the whole.
 */
export async function collectPages<T>(
  fetchPage: (query: { limit: number; after?: string }) => Promise<Page<T>>,
  wanted = Number.POSITIVE_INFINITY,
): Promise<T[]> {
  const items: T[] = []
  let after: string | undefined
  do {
    const page = await fetchPage({ limit: pageSize, ...(after === undefined ? {} : { after }) })
    for (const item of page.items) items.push(item)
    if (page.next !== null && page.next === after)
      throw new CliError('failed', 'the list does not end', { wayOut: doNotTrust })
    after = page.next ?? undefined
    if (after !== undefined && items.length > heldItemsMax) {
      throw new CliError('failed', `the list has more than ${heldItemsMax} entries`, {
        wayOut: 'Narrow it with the options of the command, or read the HTTP API page by page.',
      })
    }
  } while (after !== undefined && items.length < wanted)
  return items
}
