/** The rights and the memory with which each process of the agent is started (RFD 10). */
import { realpathSync } from 'node:fs'
import { dirname, extname, join } from 'node:path'
import type { Account } from './accounts.ts'
import { formatIds } from './accounts.ts'

export interface AgentOptions {
  configPath: string
  stateDir: string | undefined
}

/**
 * Small heaps: the agent's own data is a few megabytes, and a device pays for idle memory all day.
 */
const memoryFlags = ['--max-semi-space-size=1', '--max-old-space-size=128', '--v8-pool-size=0']
/** The lite mode saves a fifth, but has no WebAssembly, which running from the sources needs. */
const packagedFlags = ['--lite-mode']
/**
 * Every process goes without what the permission model lets through: databases that open any path,
 * foreign functions, native code, storage in a file, a debugger that a signal opens, flags of the
 * engine, some of which write files or open its memory. Each process adds the few rights that it
 * needs.
 */
const wallFlags = [
  '--permission',
  '--no-experimental-sqlite',
  '--no-experimental-webstorage',
  '--no-addons',
  '--disable-sigusr1',
  '--freeze-flags-after-init',
  // The oldest Node that we accept has neither the functions nor the option.
  ...['--no-experimental-ffi'].filter((flag) => process.allowedNodeEnvironmentFlags.has(flag)),
]
const quietFlags = ['--disable-warning=ExperimentalWarning', '--disable-warning=SecurityWarning']

/**
 * The file that this process runs, and what must be readable for its code: the one file that
 * `build/main.ts` makes, or all packages where this module is a file of its own.
 */
export function codePlaces(): { main: string; readable: string[]; flags: string[] } {
  const here = realpathSync(import.meta.filename)
  const isBundled = !/\/device\/process-rights\.[jt]s$/.test(here)
  if (isBundled) return { main: here, readable: [here], flags: [...memoryFlags, ...packagedFlags] }
  const source = dirname(dirname(here))
  return {
    main: join(source, `main${extname(here)}`),
    readable: [dirname(dirname(dirname(source)))],
    flags: memoryFlags,
  }
}

/**
 * The installer's rights: root's work and no network. Node grants symbolic links and the whole
 * bundle tree only together with the whole file system.
 */
export function installerCommand({ configPath, stateDir }: AgentOptions): string[] {
  return confinedCommand(
    () => ['--allow-child-process', '--allow-fs-read=*', '--allow-fs-write=*'],
    [
      ...['installer', '--config', configPath],
      ...(stateDir === undefined ? [] : ['--state-dir', stateDir]),
    ],
  )
}

/**
 * The fetcher's rights: the network, its own folder, its own socket; no child process, no worker,
 * no add-on.
 */
export function fetcherCommand(
  fetchFolder: string,
  runDir: string,
  account: Account | undefined,
): string[] {
  return confinedCommand(
    (readable) => [
      '--allow-net',
      ...[...readable, fetchFolder, runDir].map((path) => `--allow-fs-read=${path}`),
      ...[fetchFolder, runDir].map((folder) => `--allow-fs-write=${folder}`),
    ],
    ['fetcher', ...accountOption(account)],
  )
}

/** The probe's rights: the network and nothing else; the process lives for one trial. */
export function probeCommand(account: Account | undefined): string[] {
  return confinedCommand(
    (readable) => ['--allow-net', ...readable.map((path) => `--allow-fs-read=${path}`)],
    ['probe', ...accountOption(account)],
  )
}

/** A process of this program behind the wall, with these rights; `readable` holds its code. */
function confinedCommand(
  rightsFor: (readable: readonly string[]) => readonly string[],
  words: readonly string[],
): string[] {
  const { main, readable, flags } = codePlaces()
  return [
    ...[process.execPath, ...quietFlags, ...flags, ...wallFlags],
    ...[...rightsFor(readable), main, ...words],
  ]
}

function accountOption(account: Account | undefined): string[] {
  return account === undefined ? [] : ['--account', formatIds(account)]
}
