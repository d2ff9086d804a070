/**
 * The installer as a process: root where the agent runs as root, without network. It starts the
 * fetcher and the application.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, closeSync, constants, openSync, readFileSync, writeFileSync } from 'node:fs'
import { makeFolders } from '@seaworthy/oci/folders'
import { base64Decode } from '@seaworthy/std/bytes'
import { jsonLog } from '@seaworthy/std/log'
import type { Log } from '@seaworthy/std/log'
import { systemRandom } from '@seaworthy/std/random'
import type { TrustError } from '@seaworthy/std/refusal'
import { Refusal } from '@seaworthy/std/refusal'
import { systemClock, systemSleep } from '@seaworthy/std/time'
import { describeSystemError } from '@seaworthy/std/system-errors'
import type { AgentConfig } from '../config.ts'
import type { GatewayLink } from '../handover/link.ts'
import type { Gateway, SourceSettings } from '../handover/messages.ts'
import { sourcesOf } from './sources.ts'
import type { Disk, InstallerPorts } from '../ports.ts'
import type { ConfigRefusal, StateFault } from '../refusals.ts'
import type { Layout } from '../state/layout.ts'
import { layoutOf } from '../state/layout.ts'
import { isStateUnreadable, readStateFile, stateUnreadable } from '../state/read-state.ts'
import { replaceFile } from '../state/replace-file.ts'
import { createGateway } from '../handover/link.ts'
import { followPins } from './follow-pins.ts'
import { openServerPins } from '../state/server-pins.ts'
import type { Installer } from './installer.ts'
import { openInstaller } from './installer.ts'
import { runUnreadable } from './unreadable-state.ts'
import { agentVersion, builtAt } from '../version.ts'
import type { Accounts } from '../device/accounts.ts'
import { createAppFiles } from '../device/app-files.ts'
import { checkAccount, chooseAccounts } from '../device/accounts.ts'
import { createDisk, syncByCall, syncByProgram } from '../device/disk.ts'
import type { AgentOptions } from '../device/process-rights.ts'
import { codePlaces, fetcherCommand, probeCommand } from '../device/process-rights.ts'
import { realPlace, requireHidden } from '../device/exposed.ts'
import { lockState } from '../device/lock.ts'
import type { OwnedPlace } from '../device/owners.ts'
import {
  giveFolder,
  makeRootsFolder,
  requireNotOf,
  requireRootsAlone,
  requireRootsEntries,
} from '../device/owners.ts'
import { readMachine } from '../device/machine.ts'
import { createProcesses } from '../device/processes.ts'
import { readConfig } from '../device/read-config.ts'
import { superviseLives } from '../device/supervise.ts'

const rootBytesMax = 512 * 1024
/**
 * The status is written in place, so that it needs no room on a full disk, and never through a
 * link.
 */
const statusFlags =
  constants.O_WRONLY |
  constants.O_CREAT |
  constants.O_TRUNC |
  constants.O_NOFOLLOW |
  constants.O_NONBLOCK

export async function runInstaller(options: AgentOptions): Promise<number> {
  const log = jsonLog({
    write: (line) => process.stderr.write(`${line}\n`),
    clock: systemClock,
    level: 'info',
    fields: { process: 'installer' },
  })
  const config = readConfig(options)
  const layout = layoutOf(config.stateDir, config.product)
  const isRoot = process.getuid?.() === 0
  const accounts = chooseAccounts(isRoot, config)
  checkPlaces(options.configPath, config, layout, accounts)
  if (accounts !== undefined) checkOwners(options.configPath, config, accounts)
  prepareFolders(options.configPath, config, layout, accounts)
  if (accounts === undefined) {
    log.warn('one-account-for-all', {
      why: 'the agent was not started as root, so what talks to the network, what installs and the application run as one account: nothing but permissions of files keeps them apart',
      wayOut: 'start it as root, with the accounts seaworthy and seaworthy-app',
    })
  } else {
    checkAccount(accounts.fetcher, layout.fetch)
    checkAccount(accounts.fetcher, config.runDir)
    checkAccount(accounts.application, layout.appData)
    if (accounts.application.uid === 0) {
      log.warn('application-runs-as-root', {
        why: 'the member user of the configuration names root: the application may do whatever the agent may',
        wayOut: 'name an account of its own, or leave user out',
      })
    }
  }

  const disk = createDisk(process.permission === undefined ? syncByCall : syncByProgram)
  const serverPins = await openServerPins(disk, layout, config.pin)
  const sources = await sourcesOf(config, async (path) => readPem(path))
  const withKeptPins = (source: SourceSettings): SourceSettings =>
    source.isServer && serverPins.kept !== undefined ? { ...source, pins: serverPins.kept } : source
  const anchor = await loadAnchor(config, layout, disk)
  const ports = { clock: systemClock, sleep: systemSleep, random: systemRandom, log }
  const end = new AbortController()
  const link = followPins(
    createGateway({
      ...ports,
      settings: () => ({
        fetchFolder: layout.fetch,
        socketPath: `${config.runDir}/agent.sock`,
        sources: sources.map(withKeptPins),
      }),
    }),
    serverPins,
    log,
  )
  const gateway: Gateway = { ...link, publishStatus: publishTo(link, layout.statusFile, log) }
  const fetching = superviseLives(ports, 'fetcher', end.signal, () =>
    liveFetcher(
      fetcherCommand(layout.fetch, config.runDir, accounts?.fetcher),
      link,
      end.signal,
      log,
    ),
  )
  const stopAll = () => end.abort(new Error('stopped'))
  try {
    const installerPorts: InstallerPorts = {
      ...ports,
      disk,
      gateway,
      bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
      readMachine: (now) => readMachine(layout.root, now),
      appFiles: createAppFiles(layout.appConfig, accounts?.application, log),
      processes: createProcesses({
        stateDir: layout.root,
        probeCommand: probeCommand(accounts?.probe),
        sleep: systemSleep,
        ...(accounts === undefined ? {} : { account: accounts.application }),
      }),
    }
    const settings = {
      config,
      configPath: options.configPath,
      layout,
      sources,
      builtAt,
      agentVersion,
    }
    const onTermination = (act: () => void) => {
      for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, act)
    }
    let installer: Installer
    try {
      if (isStateUnreadable(anchor)) throw anchor
      installer = await openInstaller(installerPorts, { ...settings, anchor })
    } catch (error) {
      if (!isStateUnreadable(error)) throw error
      log.error('state-unreadable', { error })
      const stop = new AbortController()
      onTermination(() => stop.abort(new Error('stopped')))
      await runUnreadable(installerPorts, settings, error.code, stop.signal)
      return 0
    }
    onTermination(() => installer.stop('stopped'))
    await installer.run()
    return 0
  } catch (error) {
    log.error('installer-failed', { error })
    const code = error instanceof Error && 'code' in error ? error.code : 'failed'
    gateway.publishStatus({
      agentVersion,
      product: config.product,
      channel: config.channel,
      lastError: code,
    })
    // This leaves time for the status to be read and for the log to be written; the supervisor
    // starts over.
    await systemSleep(1000)
    return 1
  } finally {
    stopAll()
    await fetching
  }
}

/**
 * Checks that the fetcher's own folders are its own, whatever its account, and that the kernel
 * closes to it what it must not read where it has an account of its own. Throws
 * `Refusal<ConfigRefusal>`.
 */
function checkPlaces(
  configPath: string,
  config: AgentConfig,
  layout: Layout,
  accounts: Accounts | undefined,
): void {
  const elsewhere = 'choose another --state-dir'
  const kept = [
    { what: 'the state', path: layout.trust, wayOut: elsewhere },
    { what: 'the folder of releases', path: layout.releases, wayOut: elsewhere },
    { what: 'the data of the application', path: layout.appData, wayOut: elsewhere },
    {
      what: 'the configuration',
      path: configPath,
      wayOut: 'move it elsewhere, and name it with --config FILE',
    },
  ].map((place) => ({ ...place, path: realPlace(place.path) }))
  const written = [
    { path: layout.fetch },
    { path: config.runDir, wayOut: `name another runDir in ${configPath}` },
  ].map((folder) => ({ ...folder, path: realPlace(folder.path), right: 'write' as const }))
  const read =
    accounts === undefined
      ? codePlaces().readable.map((path) => ({ path, right: 'read' as const }))
      : []
  requireHidden([...written, ...read], kept)
}

/** Refuses what root reads unless it is root's alone. Throws `Refusal<ConfigRefusal>`. */
function checkOwners(configPath: string, config: AgentConfig, accounts: Accounts): void {
  requireRootsAlone({
    what: 'the configuration',
    path: configPath,
    elsewhere: 'move it elsewhere, and name it with --config FILE',
  })
  // Root passes the content of these files to the fetcher, which could otherwise have root read
  // what the fetcher must not.
  for (const { ca } of [config, ...config.mirrors]) {
    const elsewhere = `name another ca in ${configPath}`
    if (ca !== undefined) requireRootsAlone({ what: 'the certificate', path: ca, elsewhere })
  }
  const ofAccounts = [accounts.fetcher, accounts.application]
  for (const path of [codePlaces().main, process.execPath]) requireNotOf(ofAccounts, path)
}

/**
 * Reports at once what this account cannot use: starting over would not make it better. Throws
 * `Refusal<ConfigRefusal>`.
 */
function prepareFolders(
  configPath: string,
  config: AgentConfig,
  layout: Layout,
  accounts: Accounts | undefined,
): void {
  try {
    if (accounts === undefined) makeOwnFolders(config, layout)
    else makeAgentFolders(configPath, config, layout, accounts)
    lockState(layout.root)
  } catch (cause) {
    const { code = '', path = config.stateDir } = cause as NodeJS.ErrnoException
    if (!['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'ENOENT', 'EEXIST'].includes(code)) throw cause
    const said = ['EACCES', 'EPERM'].includes(code)
      ? `${path} cannot be used by this account (${code}): start the agent as root, or keep`
      : `${path} cannot be used: ${describeSystemError(cause) ?? code}; keep`
    throw new Refusal<ConfigRefusal>(
      'folder_unusable',
      `${said} everything elsewhere with --state-dir DIR`,
      { cause },
    )
  }
}

function readPem(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    return refuseMember(`ca: ${path} cannot be read`, cause)
  }
}

function refuseMember(what: string, cause?: unknown): never {
  const code = cause instanceof Error && 'code' in cause ? ` (${String(cause.code)})` : ''
  throw new Refusal<ConfigRefusal>('config_malformed', `${what}${code}`, { cause })
}

/** Makes the folders of an agent that is not root and can give nothing away. */
function makeOwnFolders(config: AgentConfig, layout: Layout): void {
  const make = (path: string, mode: number) => {
    makeFolders(path, mode)
    chmodSync(path, mode)
  }
  make(layout.root, 0o755)
  make(layout.trust, 0o700)
  make(layout.fetch, 0o755)
  make(config.runDir, 0o755)
  make(layout.releases, 0o755)
  make(layout.appData, 0o750)
}

/**
 * Makes root's folders, which nobody else may change, and the three that it gives away. Throws
 * `Refusal<ConfigRefusal>`.
 */
function makeAgentFolders(
  configPath: string,
  config: AgentConfig,
  layout: Layout,
  { fetcher, application }: Accounts,
): void {
  const elsewhere = 'choose another --state-dir'
  const place = (what: string, path: string): OwnedPlace => ({ what, path, elsewhere })
  const releases = place('the folder of releases', layout.releases)
  makeRootsFolder(place('the state', layout.root), 0o755)
  makeRootsFolder(place('the state', layout.trust), 0o700)
  makeRootsFolder(place('the folder for verified content', layout.incoming), 0o700)
  makeRootsFolder(releases, 0o755)
  makeRootsFolder(place('the folder of variables and secrets', layout.appConfig), 0o750)
  requireRootsEntries(releases)
  giveFolder(place('the folder of downloads', layout.fetch), 0o755, fetcher)
  giveFolder(place('the data of the application', layout.appData), 0o750, application)
  const runDir = {
    ...place('the runDir', config.runDir),
    elsewhere: `name another runDir in ${configPath}`,
  }
  giveFolder(runDir, 0o755, fetcher, ['agent.sock'])
}

/**
 * Publishes the status at the socket, and in a file for when nobody listens there. Without that
 * file everything else goes on.
 */
function publishTo(link: GatewayLink, statusFile: string, log: Log): Gateway['publishStatus'] {
  let last = ''
  let lastFault = ''
  return (status) => {
    link.publishStatus(status)
    const text = JSON.stringify(status)
    if (text === last) return
    last = text
    try {
      writeStatus(statusFile, `${text}\n`)
      lastFault = ''
    } catch (error) {
      const fault = String(error)
      if (fault !== lastFault) log.error('status-not-written', { error, path: statusFile })
      lastFault = fault
    }
  }
}

function writeStatus(statusFile: string, text: string): void {
  const file = openSync(statusFile, statusFlags, 0o644)
  try {
    writeFileSync(file, text)
  } finally {
    closeSync(file)
  }
}

/** One life of the fetcher. A breach of the protocol ends it. */
async function liveFetcher(
  [program, ...args]: string[],
  link: GatewayLink,
  signal: AbortSignal,
  log: Log,
): Promise<void> {
  const child = spawn(program!, args, { stdio: ['pipe', 'pipe', 'inherit'], env: {}, cwd: '/' })
  const ended = new Promise<void>((resolve, reject) => {
    child.once('exit', () => resolve())
    child.once('error', reject)
  })
  const kill = () => child.kill('SIGKILL')
  signal.addEventListener('abort', kill, { once: true })
  child.stdin.on('error', () => {})
  try {
    await link.attach({ incoming: child.stdout, write: (bytes) => child.stdin.write(bytes) })
  } catch (error) {
    log.error('fetcher-breached-protocol', { error })
  } finally {
    kill()
    await ended
    signal.removeEventListener('abort', kill)
  }
}

/**
 * The pinned root: from the configuration the first time, from then on from the installer's own
 * copy; its digest counts, not its path. Where the copy cannot be read and no root is given, that
 * is a fault of the state, which is returned.
 */
async function loadAnchor(
  config: AgentConfig,
  layout: Layout,
  disk: Disk,
): Promise<Uint8Array | TrustError<StateFault>> {
  const copy = `${layout.trust}/anchor.json`
  let fault: TrustError<StateFault> | undefined
  try {
    const kept = await readStateFile(disk, copy, rootBytesMax)
    if (kept !== undefined && sha256Of(kept) === config.root) return kept
    if (kept !== undefined) fault = stateUnreadable(`${copy} is not the root of the configuration`)
  } catch (error) {
    if (!isStateUnreadable(error)) throw error
    fault = error
  }
  const given = await readGivenRoot(config, disk)
  if (given === undefined) {
    if (fault !== undefined) return fault
    return refuseMember(
      'root: there is no root file to hold against it: give rootFile or rootInline',
    )
  }
  if (sha256Of(given) !== config.root) {
    return refuseMember(
      `root: the root file that was given has the digest ${sha256Of(given)}: correct the one that is wrong`,
    )
  }
  await replaceFile(disk, copy, given, 0o400)
  return given
}

async function readGivenRoot(
  { rootInline, rootFile }: AgentConfig,
  disk: Disk,
): Promise<Uint8Array | undefined> {
  if (rootInline !== undefined) {
    try {
      return base64Decode(rootInline)
    } catch (cause) {
      return refuseMember('rootInline: not Base64', cause)
    }
  }
  if (rootFile === undefined) return undefined
  try {
    return await disk.read(rootFile, rootBytesMax)
  } catch (cause) {
    return refuseMember(`rootFile: ${rootFile} cannot be read`, cause)
  }
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
