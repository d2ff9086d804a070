/**
 * One PostgreSQL cluster on a data folder: made once, started, restarted when it dies, stopped in
 * order. It listens only on a Unix socket, in a folder that only its own account (and root) can
 * enter, and asks the kernel which account has connected (`access.ts`).
 */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmod,
  chown,
  lstat,
  mkdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises'
import { once } from 'node:events'
import { totalmem } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { isTaken, makeFolders } from '@seaworthy/oci/folders'
import type { Log } from '@seaworthy/std/log'
import type { Random } from '@seaworthy/std/random'
import { backOffMs } from '@seaworthy/std/retry'
import type { Clock, Sleep } from '@seaworthy/std/time'
import { formatAccess } from './access.ts'
import type { ProcessAccount, Binaries } from './binaries.ts'
import { findObstacle, PostgresError, prepareBinaries } from './binaries.ts'

export interface PostgresPorts {
  readonly log: Log
  readonly clock: Clock
  readonly sleep: Sleep
  readonly random: Random
}

export interface PostgresCluster {
  /** The socket for the driver's `path`; the role and the database are both `seaworthy`. */
  readonly socketFile: string
  /** Process id of the postmaster that runs now. */
  pid(): number | undefined
  /** Does a fast shutdown: open transactions are rolled back, everything committed is on disk. */
  stop(): Promise<void>
}

export interface ClusterOptions {
  /** An absolute path. All files of PostgreSQL lie in this folder. */
  readonly dataDir: string
  /** `null` stands for the account of this process, which must not be root. */
  readonly account: ProcessAccount | null
  readonly arch: string
  readonly ports: PostgresPorts
  /** Prints lines for the person who waits. */
  readonly print: (line: string) => void
}

const socketPathMax = 100
const socketName = '.s.PGSQL.5432'
const startTimeoutMs = 60_000
const stopTimeoutMs = 30_000

/**
 * Makes the cluster if there is none, ends a postmaster that an earlier server left behind, starts
 * a new one and keeps it running until `stop`. Rejects with `PostgresError` when it cannot be
 * started.
 */
export async function startCluster(options: ClusterOptions): Promise<PostgresCluster> {
  const { dataDir, account, ports } = options
  const stateDir = join(dataDir, 'postgresql')
  makeFolders(stateDir, 0o711)
  await chmod(stateDir, 0o711)
  if (account !== null) {
    const obstacle = await findObstacle(stateDir, account)
    if (obstacle !== null) {
      throw new PostgresError(
        `PostgreSQL does not run as root, and the account it uses instead (uid ${account.uid}) cannot enter ${obstacle}. Choose a folder it can reach with --data-dir (for example /var/lib/seaworthy), or name a database with --database-url.`,
      )
    }
  }
  const clusterDir = join(stateDir, 'data')
  const isNew = !(await isTaken(clusterDir))
  options.print(
    isNew ? 'Making a PostgreSQL database, which takes a moment' : 'Starting PostgreSQL',
  )
  const binaries = await prepareBinaries(stateDir, account, { arch: options.arch })
  const socketDir = await prepareSocketDir(stateDir, account)
  const access = await writeAccess(stateDir, account)
  await createCluster(binaries, clusterDir, account, ports.log)
  await endOrphan(clusterDir, ports)

  const start = () => startPostmaster({ binaries, clusterDir, socketDir, access, account, ports })
  let child: ChildProcess = await start()
  let isStopping = false
  const supervise = async () => {
    for (let failures = 0; ;) {
      const startedMs = ports.clock.monotonicMs()
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
      if (isStopping) return
      if (ports.clock.monotonicMs() - startedMs > 60_000) failures = 0
      ports.log.error('postgresql.died', { exitCode: child.exitCode, signal: child.signalCode })
      for (;;) {
        if (failures > 0) {
          await ports.sleep(
            backOffMs(failures, { firstMs: 200, maxMs: 10_000, random: ports.random }),
          )
        }
        failures++
        if (isStopping) return
        try {
          child = await start()
          ports.log.warn('postgresql.restarted', { pid: child.pid })
          // `stop` knew only the process that had died.
          if (isStopping) return await endProcess(child, ports)
          break
        } catch (error) {
          ports.log.error('postgresql.restart-failed', { error })
        }
      }
    }
  }
  const supervision = supervise()

  return {
    socketFile: join(socketDir, socketName),
    pid: () => child.pid,
    async stop() {
      isStopping = true
      await endProcess(child, ports)
      await supervision
    },
  }
}

/**
 * Where the cluster of a data folder listens while it runs; the data folder is an absolute path.
 */
export function socketFileOf(dataDir: string): string {
  return join(socketDirOf(join(dataDir, 'postgresql')), socketName)
}

function socketDirOf(stateDir: string): string {
  const beside = join(stateDir, 'run')
  if (join(beside, socketName).length <= socketPathMax) return beside
  const hash = createHash('sha256').update(stateDir).digest('hex').slice(0, 24)
  return `/tmp/seaworthy-${hash}`
}

async function prepareSocketDir(stateDir: string, account: ProcessAccount | null): Promise<string> {
  const directory = socketDirOf(stateDir)
  makeFolders(directory, 0o700)
  const facts = await lstat(directory)
  const owner = process.getuid?.() ?? 0
  if (!facts.isDirectory() || (facts.uid !== owner && facts.uid !== account?.uid)) {
    throw new PostgresError(
      `PostgreSQL's socket would go to ${directory}, which belongs to another account (uid ${facts.uid}): start the server as that account, or choose a --data-dir with a shorter path`,
    )
  }
  await chmod(directory, 0o700)
  if (account !== null) await chown(directory, account.uid, account.gid)
  return directory
}

interface AccessFiles {
  readonly rules: string
  readonly accounts: string
}

/**
 * Writes them anew for each start, beside the folder of PostgreSQL's own account, which must not
 * choose the place where root writes.
 */
async function writeAccess(stateDir: string, account: ProcessAccount | null): Promise<AccessFiles> {
  const own = process.getuid?.() ?? -1
  const passwd = await readFile('/etc/passwd', 'utf8').catch(() => '')
  const { rules, accounts } = formatAccess(passwd, own, account?.uid ?? own)
  const files = { rules: join(stateDir, 'access.conf'), accounts: join(stateDir, 'accounts.conf') }
  await replaceFile(files.rules, rules)
  await replaceFile(files.accounts, accounts)
  return files
}

async function replaceFile(path: string, text: string): Promise<void> {
  await rm(`${path}.new`, { force: true })
  await writeFile(`${path}.new`, text, { flag: 'wx', mode: 0o644 })
  await rename(`${path}.new`, path)
}

/**
 * Makes the cluster in a separate folder first: a crash half-way leaves nothing that looks like a
 * cluster.
 */
async function createCluster(
  binaries: Binaries,
  clusterDir: string,
  account: ProcessAccount | null,
  log: Log,
): Promise<void> {
  if (await isTaken(clusterDir)) return
  const partial = `${clusterDir}.partial`
  await rm(partial, { recursive: true, force: true })
  await mkdir(partial, { mode: 0o700 })
  if (account !== null) await chown(partial, account.uid, account.gid)
  const child = spawn(
    binaries.initdb,
    [
      ...['--pgdata', partial, '--username', 'seaworthy', '--auth', 'trust'],
      ...['--encoding', 'UTF8', '--locale', 'C', '--data-checksums', '--no-instructions'],
    ],
    { env: environment(binaries), cwd: '/', stdio: ['ignore', 'pipe', 'pipe'], ...account },
  )
  let output = ''
  child.stdout.on('data', (part: Buffer) => (output += part.toString()))
  child.stderr.on('data', (part: Buffer) => (output += part.toString()))
  const [exitCode] = (await once(child, 'close')) as [number | null]
  if (exitCode !== 0) {
    throw new PostgresError(`initdb failed (exit code ${exitCode}): ${output.trim().slice(-2000)}`)
  }
  await rename(partial, clusterDir)
  log.info('postgresql.created', { clusterDir })
}

function environment(binaries: Binaries): Record<string, string> {
  return { LD_LIBRARY_PATH: binaries.libraries, TZ: 'UTC', LC_ALL: 'C', PATH: '/usr/bin:/bin' }
}

/** An eighth of the machine's memory; the part that is not needed is never touched. */
function sharedBuffersMb(memoryBytes: number): number {
  return Math.round(Math.min(1024, Math.max(128, memoryBytes / 8 / 1024 / 1024)))
}

interface PostmasterOptions {
  binaries: Binaries
  clusterDir: string
  socketDir: string
  access: AccessFiles
  account: ProcessAccount | null
  ports: PostgresPorts
}

async function startPostmaster(options: PostmasterOptions): Promise<ChildProcess> {
  const { binaries, clusterDir, socketDir, access, account, ports } = options
  const settings = {
    listen_addresses: '',
    unix_socket_directories: `"${socketDir.replaceAll('"', '""')}"`,
    unix_socket_permissions: '0700',
    hba_file: access.rules,
    ident_file: access.accounts,
    max_connections: '300',
    synchronous_commit: 'on',
    fsync: 'on',
    log_min_messages: 'warning',
    log_checkpoints: 'off',
    log_line_prefix: '',
    // The rows that every check-in writes stay in memory, and a page is written whole once for each
    // checkpoint: with PostgreSQL's own defaults a check-in among a million devices costs three
    // times one among a thousand.
    shared_buffers: `${sharedBuffersMb(totalmem())}MB`,
    max_wal_size: '4GB',
    checkpoint_timeout: '15min',
  }
  const child = spawn(
    binaries.postgres,
    ['-D', clusterDir, ...Object.entries(settings).flatMap(([k, v]) => ['-c', `${k}=${v}`])],
    // PostgreSQL has a process group of its own: a Ctrl-C at the terminal reaches only the server,
    // which then stops PostgreSQL in order.
    {
      env: environment(binaries),
      cwd: '/',
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true,
      ...account,
    },
  )
  createInterface({ input: child.stderr }).on('line', (line) => {
    ports.log.debug('postgresql', { line })
  })
  const deadline = ports.clock.monotonicMs() + startTimeoutMs
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) {
      throw new PostgresError(
        `PostgreSQL ended while starting (exit code ${child.exitCode}, signal ${child.signalCode}); --log-level debug shows what it said`,
      )
    }
    const lines = await readPidFile(clusterDir)
    if (lines[0] === String(child.pid) && lines[7]?.trim() === 'ready') return child
    if (ports.clock.monotonicMs() > deadline) {
      child.kill('SIGQUIT')
      throw new PostgresError(
        'PostgreSQL did not become ready in time; --log-level debug shows what it does, and a busy machine may need a second start',
      )
    }
    await ports.sleep(20)
  }
}

async function readPidFile(clusterDir: string): Promise<string[]> {
  try {
    return (await readFile(join(clusterDir, 'postmaster.pid'), 'utf8')).split('\n')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/**
 * After `kill -9` of the server its postmaster may still run, or its pid file may name an unrelated
 * process. In the first case the postmaster is ended, in the second the stale file is removed.
 */
async function endOrphan(clusterDir: string, ports: PostgresPorts): Promise<void> {
  const pid = Number((await readPidFile(clusterDir))[0])
  if (!Number.isInteger(pid) || pid <= 1) return
  if (!(await isPostmasterOf(pid, clusterDir))) {
    await rm(join(clusterDir, 'postmaster.pid'), { force: true })
    return
  }
  ports.log.warn('postgresql.orphan', { pid })
  for (const [signal, waitMs] of [
    ['SIGINT', 10_000],
    ['SIGQUIT', 5000],
    ['SIGKILL', 5000],
  ] as const) {
    trySignal(pid, signal)
    const deadline = ports.clock.monotonicMs() + waitMs
    while (ports.clock.monotonicMs() < deadline) {
      if (!(await isPostmasterOf(pid, clusterDir))) return
      await ports.sleep(20)
    }
  }
  throw new PostgresError(
    `the PostgreSQL of an earlier run (process ${pid}) does not end; end it with \`kill -INT ${pid}\`, then start the server again`,
  )
}

async function isPostmasterOf(pid: number, clusterDir: string): Promise<boolean> {
  try {
    const [cwd, here] = await Promise.all([stat(`/proc/${pid}/cwd`), stat(clusterDir)])
    const program = await readlink(`/proc/${pid}/exe`)
    return cwd.ino === here.ino && cwd.dev === here.dev && program.includes('postgres')
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return false
    throw error
  }
}

function trySignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

async function endProcess(child: ChildProcess, ports: PostgresPorts): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGINT')
  const waiting = new AbortController()
  const isTimedOut = await Promise.race([
    ended.then(() => false),
    ports.sleep(stopTimeoutMs, waiting.signal).then(
      () => true,
      () => false,
    ),
  ])
  waiting.abort()
  if (isTimedOut) {
    ports.log.error('postgresql.stop-timed-out', { pid: child.pid })
    child.kill('SIGQUIT')
    await ended
  }
}
