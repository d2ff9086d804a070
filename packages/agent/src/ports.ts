/**
 * Everything the agent does to the world, as interfaces: a simulation replaces each of them. Paths
 * are absolute; the rest of the agent touches a file, a process or a clock only through these.
 */
import type { MachineFacts } from './device/machine.ts'
import type { HealthCheck } from '@seaworthy/oci/bundle/manifest'
import type { Log } from '@seaworthy/std/log'
import type { Random } from '@seaworthy/std/random'
import type { Clock, Sleep } from '@seaworthy/std/time'
import type { Gateway } from './handover/messages.ts'

/**
 * A file system that may lose, at any instant, whatever was not made durable: content is durable
 * after `sync` (or when written by a durable writer), a name after `syncFolder` of the folder that
 * holds it.
 */
export interface Disk {
  /**
   * The whole content of a regular file, `undefined` when there is none. A file longer than
   * `bytesMax` is a `DiskError('too_long')`.
   */
  read(path: string, bytesMax: number): Promise<Uint8Array<ArrayBuffer> | undefined>
  /**
   * A regular file to be read piece by piece; never follows a symbolic link in the last place,
   * never blocks on a FIFO.
   */
  open(path: string): Promise<DiskReader | undefined>
  /**
   * A new file; `DiskError('exists')` when the name is taken. When `durable`, each write is on disk
   * when it resolves.
   */
  create(path: string, options: { mode: number; durable: boolean }): Promise<DiskWriter>
  /** An existing file continued at its end, or a new one. */
  append(path: string, mode: number): Promise<DiskWriter>
  /** Atomically gives `from` the name `to`, replacing what was there. */
  rename(from: string, to: string): Promise<void>
  /** Removes a file, a symbolic link, or a whole folder; nothing to remove is no error. */
  remove(path: string): Promise<void>
  /** Makes a folder with its parents; an existing folder is no error. */
  makeFolder(path: string, mode: number): Promise<void>
  /** Names in a folder, sorted; `undefined` when there is no such folder. */
  list(path: string): Promise<DiskEntry[] | undefined>
  /**
   * Writes many new files below an existing folder, fast: none of them is durable before
   * `syncTree`.
   */
  writeTree(folder: string): TreeWriter
  symlink(target: string, path: string): Promise<void>
  /** The target of a symbolic link, `undefined` when there is none at that path. */
  readLink(path: string): Promise<string | undefined>
  /** Makes the names in a folder durable. */
  syncFolder(path: string): Promise<void>
  /** Makes everything below a folder durable, names and content. */
  syncTree(path: string): Promise<void>
  setMode(path: string, mode: number): Promise<void>
  /** Bytes that may still be written to the file system of `path`. */
  freeBytes(path: string): Promise<number>
}

export interface DiskEntry {
  name: string
  kind: 'file' | 'folder' | 'symlink' | 'other'
}

export interface DiskReader {
  readonly size: number
  /** Up to `length` bytes from `position`; empty at the end. The caller may keep the bytes. */
  read(position: number, length: number): Promise<Uint8Array>
  close(): Promise<void>
}

export interface DiskWriter {
  /** Bytes in the file so far. */
  readonly size: number
  write(bytes: Uint8Array): Promise<void>
  sync(): Promise<void>
  close(): Promise<void>
}

/**
 * Takes entries in the order of an archive, parents first; paths are relative and were checked by
 * the reader of the archive.
 */
export interface TreeWriter {
  makeDirectory(path: string): void | Promise<void>
  makeSymlink(path: string, target: string): void | Promise<void>
  beginFile(path: string, size: number, isExecutable: boolean): void | Promise<void>
  /** The piece is valid only until the call, or its promise, ends. */
  writeFile(piece: Uint8Array): void | Promise<void>
  endFile(): void | Promise<void>
  /** Closes what a broken archive left open. */
  close(): void
}

export type DiskErrorCode = 'too_long' | 'exists' | 'not_regular' | 'no_space' | 'failed'

export class DiskError extends Error {
  override readonly name = 'DiskError'
  readonly code: DiskErrorCode

  constructor(code: DiskErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}

/** A process that runs, found again after the agent itself was restarted. */
export interface AppProcess {
  /** An id that is stable while the process lives, and never used again for another one. */
  readonly id: string
  /** Digest of the release it was started from. */
  readonly sha256: string
}

/** How an application ended, where the agent itself had started it. */
export interface AppEnd {
  /** `exit code 3`, `signal SIGSEGV`. */
  readonly how: string
  /** The file that holds what it wrote to its standard output and error. */
  readonly output: string
}

/** The end of what an application wrote to its standard output and error. */
export interface AppOutput {
  readonly bytes: Uint8Array
  /** Whether it wrote something before these bytes. */
  readonly isCut: boolean
}

export interface AppSpec {
  product: string
  /** Digest of the release. */
  sha256: string
  /** The release's folder; also the working directory. */
  folder: string
  /** The application's own writable folder, its HOME. */
  dataFolder: string
  /** The folder of its variables and secrets. */
  configFolder: string
  command: readonly string[]
  environment: Readonly<Record<string, string>>
}

export interface HealthProbe {
  /** One probe; never rejects, at most 10 s. */
  isHealthy(): Promise<boolean>
  /** What was wrong at the last probe, in a few words, where that is known. */
  readonly fault?: string | undefined
  close(): void
}

/**
 * The application's processes. Every one started carries a mark, so that none is lost when the
 * agent dies.
 */
export interface Processes {
  /**
   * Starts the application; resolves once it runs, rejects with `ProcessError` when it cannot be
   * started.
   */
  start(spec: AppSpec): Promise<AppProcess>
  /**
   * Processes that still live from before, whoever started them; leaders of their process group
   * only.
   */
  find(product: string): Promise<AppProcess[]>
  /**
   * Resolves when the process has ended, with how where that is known, or rejects with the
   * signal's reason.
   */
  ended(app: AppProcess, signal: AbortSignal): Promise<AppEnd | undefined>
  isAlive(app: AppProcess): Promise<boolean>
  /** Signals the whole process group; a process that has ended is no error. */
  signal(app: AppProcess, name: 'SIGTERM' | 'SIGKILL' | 'SIGHUP'): Promise<void>
  openProbe(check: HealthCheck, spec: AppSpec): HealthProbe
  /** The end of what the release wrote since it was first started; never rejects. */
  readOutput(spec: Pick<AppSpec, 'sha256' | 'dataFolder'>): Promise<AppOutput>
}

export class ProcessError extends Error {
  override readonly name = 'ProcessError'
}

/** The files from which the application reads its variables and secrets. */
export interface AppFiles {
  /**
   * Makes these the only ones, each readable by the application's account alone. Throws
   * `LocalFault`.
   */
  replace(files: ReadonlyMap<string, Uint8Array>): Promise<void>
}

export interface InstallerPorts {
  clock: Clock
  sleep: Sleep
  random: Random
  log: Log
  disk: Disk
  processes: Processes
  appFiles: AppFiles
  /** The fetcher, as seen from here: hostile. */
  gateway: Gateway
  /** The id of the machine's present boot, different after every boot. */
  bootId: string
  /** What a signed report says of the machine; absent where it says nothing. */
  readMachine?: (now: Date) => MachineFacts
}
