/**
 * The servers this command line is paired with. One small file, and one folder per server for what
 * it must remember.
 */
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseAnyJson } from '@seaworthy/std/json'
import { CliError } from '../failure.ts'
import type { CliPorts } from '../ports.ts'
import { makePrivateFolder } from './files.ts'
import { changeKept, keptFile, parseKept, readKept } from './kept-files.ts'

export interface PairedServer {
  /** Origin, `https://host:port`. */
  url: string
  /** `sha256:<base64url>` of the server's SPKI. */
  pin?: string
  /** C2SP verifier key of the audit log, remembered at login. */
  logVerifierKey: string
  /** SHA-256 of the bytes of the root that is the anchor; its bytes lie beside the token. */
  rootDigest?: string
  /** Whether its audit log was seen at login, so that a checkpoint of it is remembered. */
  logSeen?: true
}

export interface CliConfig {
  current?: string
  servers: Readonly<Record<string, PairedServer>>
}

const configFormat = 'seaworthy-cli-v1'
const nameForm = /^[a-z0-9][a-z0-9._-]{0,62}$/

/**
 * `--config-dir`, `$SEAWORTHY_CONFIG`, `$XDG_CONFIG_HOME/seaworthy`, `~/.config/seaworthy`: the
 * first there is.
 */
export function configFolder(ports: CliPorts, option: string | undefined): string {
  const { environment } = ports
  const explicit = option ?? environment['SEAWORTHY_CONFIG']
  if (explicit !== undefined && explicit !== '') return resolve(explicit)
  const xdg = environment['XDG_CONFIG_HOME']
  if (xdg !== undefined && xdg.startsWith('/')) return join(xdg, 'seaworthy')
  return join(environment['HOME'] ?? homedir(), '.config', 'seaworthy')
}

/**
 * Reads the configuration, which is empty when there is no file yet. A damaged file is an error,
 * never a fresh start.
 */
export async function readConfig(folder: string): Promise<CliConfig> {
  return await parseBytes(folder, await readKept(fileIn(folder)))
}

const fileIn = (folder: string) => keptFile(folder, 'config.json')

async function parseBytes(
  folder: string,
  bytes: Uint8Array<ArrayBuffer> | undefined,
): Promise<CliConfig> {
  if (bytes === undefined) return { servers: {} }
  return await parseKept(fileIn(folder), bytes, (text) => parseConfig(parseAnyJson(text)))
}

/**
 * Reads the configuration again and writes it changed, one command after the other, so that none
 * undoes what another has just paired.
 */
export async function changeConfig(
  ports: Pick<CliPorts, 'sleep' | 'signal' | 'random'>,
  folder: string,
  change: (config: CliConfig) => CliConfig | Promise<CliConfig>,
): Promise<void> {
  await makePrivateFolder(folder)
  await changeKept(ports, fileIn(folder), async (bytes) => {
    const config = await change(await parseBytes(folder, bytes))
    return `${JSON.stringify({ format: configFormat, ...config }, undefined, 2)}\n`
  })
}

/**
 * The configuration with what is remembered of one server. Throws where another command has paired
 * the same name with another root or log meanwhile.
 */
export function withServer(config: CliConfig, name: string, server: PairedServer): CliConfig {
  const now = config.servers[name]
  const rootDigest = server.rootDigest ?? now?.rootDigest
  const isOther =
    now !== undefined &&
    (now.logVerifierKey !== server.logVerifierKey ||
      (now.rootDigest !== undefined && now.rootDigest !== rootDigest))
  if (isOther) {
    throw new CliError('refused', `another command has paired ${name} otherwise meanwhile`, {
      wayOut: 'Run the same command again: it then compares with what was paired.',
    })
  }
  const kept = { ...server, ...(rootDigest === undefined ? {} : { rootDigest }) }
  return { ...config, servers: { ...config.servers, [name]: kept } }
}

/** The configuration with the root of one server, whatever else of it has changed meanwhile. */
export function withRoot(
  config: CliConfig,
  name: string,
  { logVerifierKey, rootDigest }: Pick<PairedServer, 'logVerifierKey' | 'rootDigest'>,
): CliConfig {
  const now = config.servers[name]
  if (now === undefined) {
    throw new CliError('refused', `another command has removed ${name} meanwhile`, {
      wayOut: 'Pair again with `seaworthy login`.',
    })
  }
  return withServer(config, name, {
    ...now,
    logVerifierKey,
    ...(rootDigest === undefined ? {} : { rootDigest }),
  })
}

export function serverFolder(folder: string, name: string): string {
  return join(folder, 'servers', name)
}

/** A name for a server that was given none: its host, and its port where that is not 443. */
export function nameServer(url: string): string {
  const { hostname, port } = new URL(url)
  const name = `${hostname.replaceAll(/[^a-z0-9.-]/g, '-').replace(/^[^a-z0-9]+/, '')}${port === '' ? '' : `-${port}`}`
  return checkServerName(name.slice(0, 63))
}

export function checkServerName(name: string): string {
  if (!nameForm.test(name)) {
    throw new CliError('usage', `${JSON.stringify(name)} is not a name for a server`, {
      wayOut: 'Use letters a-z, digits and . _ -, at most 63 of them.',
    })
  }
  return name
}

/** The server asked for, else the current one. */
export function chooseServer(
  config: CliConfig,
  wanted: string | undefined,
): { name: string; server: PairedServer } {
  const name = wanted ?? config.current
  const server = name === undefined ? undefined : config.servers[name]
  if (name === undefined || server === undefined) {
    const known = Object.keys(config.servers).join(', ')
    const wayOut =
      known === ''
        ? 'Run the `seaworthy login …` line that `seaworthy up` printed.'
        : `Known servers: ${known}.`
    if (name === undefined) throw new CliError('usage', 'not paired with a server', { wayOut })
    throw new CliError('notFound', `not paired with a server called ${name}`, { wayOut })
  }
  return { name, server }
}

function parseConfig(value: unknown): CliConfig {
  const root = asMembers(value, 'config')
  if (root['format'] !== configFormat) throw new SyntaxError('format')
  const servers: Record<string, PairedServer> = Object.create(null)
  for (const [name, entry] of Object.entries(asMembers(root['servers'], 'servers'))) {
    if (!nameForm.test(name)) throw new SyntaxError(`server name ${name}`)
    const members = asMembers(entry, name)
    const pin = members['pin']
    const { rootDigest, logSeen } = members
    servers[name] = {
      url: asText(members['url'], 'url'),
      logVerifierKey: asText(members['logVerifierKey'], 'logVerifierKey'),
      ...(pin === undefined ? {} : { pin: asText(pin, 'pin') }),
      ...(rootDigest === undefined ? {} : { rootDigest: asText(rootDigest, 'rootDigest') }),
      ...(logSeen === true ? { logSeen } : {}),
    }
  }
  const current = root['current']
  return { servers, ...(current === undefined ? {} : { current: asText(current, 'current') }) }
}

function asMembers(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new SyntaxError(what)
  return value as Record<string, unknown>
}

function asText(value: unknown, what: string): string {
  if (typeof value !== 'string') throw new SyntaxError(what)
  return value
}
