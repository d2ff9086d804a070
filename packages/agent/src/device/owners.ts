/**
 * The owners of the places that root relies on. Started as root, the agent believes what lies in
 * its folders, so that an account that can replace one of them, or a folder above it, would be
 * believed too. Such a place is refused before anything is made or read in it.
 */
import type { Stats } from 'node:fs'
import {
  chmodSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { Refuse } from '@seaworthy/std/refusal'
import { refuseAs } from '@seaworthy/std/refusal'
import type { ConfigRefusal } from '../refusals.ts'
import type { Account } from './accounts.ts'

/** A file or folder of the agent's, and how somebody puts it elsewhere. */
export interface OwnedPlace {
  /** What lies there, for people. */
  readonly what: string
  readonly path: string
  readonly elsewhere: string
}

const linksMax = 40
const writableByOthers = 0o022
const sticky = 0o1000

const refuse: Refuse = refuseAs<ConfigRefusal>('folder_unusable')

function nameOf(uid: number): string {
  const users = readFileSync('/etc/passwd', 'utf8').split('\n')
  const fields = users.map((line) => line.split(':')).find(([, , id]) => id === String(uid))
  return fields?.[0] ?? `the account number ${uid}`
}

/** Why somebody other than root could change it, and the command that prevents it, if any. */
function faultOf(path: string, { uid, mode }: Stats): { fault: string; cure?: string } | undefined {
  if (uid !== 0) return { fault: `belongs to ${nameOf(uid)}`, cure: `chown -h root: ${path}` }
  if ((mode & writableByOthers) === 0) return undefined
  const shown = (mode & 0o7777).toString(8).padStart(4, '0')
  const fault = `may be written by others than root (mode ${shown})`
  // Nobody should take /tmp from its users.
  return (mode & sticky) !== 0 ? { fault } : { fault, cure: `chmod go-w ${path}` }
}

function requireRoots(path: string, stat: Stats, place: OwnedPlace): void {
  const found = faultOf(path, stat)
  if (found === undefined) return
  const subject = path === place.path ? path : `${path}, on the way to ${place.what} ${place.path},`
  const cure =
    found.cure === undefined ? '' : `, or ${found.cure} if nobody has changed what lies there`
  refuse(
    `${subject} ${found.fault}, who could put there what root then believes: ${place.elsewhere}${cure}`,
  )
}

/** True for a folder like /tmp, where anybody may add names and nobody can touch those of root. */
function isShared(stat: Stats): boolean {
  return stat.isDirectory() && stat.uid === 0 && (stat.mode & sticky) !== 0
}

function statOf(path: string, isMade: boolean): Stats | undefined {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (stat !== undefined || !isMade) return stat
  try {
    mkdirSync(path, 0o755)
  } catch (error) {
    // Whatever was made here in the meantime is checked like everything else.
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
  return lstatSync(path)
}

/**
 * Walks the whole path from `/`, through links as the kernel does, and requires each step to be
 * root's alone. What is missing is made where `isMade` says so, one folder at a time, so that
 * nothing is made beyond a step that is not root's; otherwise the walk ends there. Throws
 * `Refusal<ConfigRefusal>`. Nobody but root can change the answer afterwards.
 */
function walkRoots(place: OwnedPlace, isMade: boolean, path = place.path): void {
  let rest = path.split('/').filter(Boolean)
  let real = '/'
  let links = 0
  let stat = lstatSync(real)
  while (rest.length > 0) {
    if (!isShared(stat)) requireRoots(real, stat, place)
    const name = rest.shift()!
    if (name === '.') continue
    const next = name === '..' ? dirname(real) : join(real, name)
    const found = statOf(next, isMade)
    if (found === undefined) return
    if (found.isSymbolicLink()) {
      if (found.uid !== 0) requireRoots(next, found, place)
      if (++links > linksMax) refuse(`${place.path} leads through too many links`)
      const target = readlinkSync(next)
      rest = [...target.split('/').filter(Boolean), ...rest]
      if (!target.startsWith('/')) continue
      real = '/'
    } else real = next
    stat = lstatSync(real)
  }
  requireRoots(real, stat, place)
}

/**
 * Throws `Refusal<ConfigRefusal>` unless the place, as far as it exists, and all above it are
 * root's alone.
 */
export function requireRootsAlone(place: OwnedPlace): void {
  walkRoots(place, false)
}

/**
 * Makes the folder with the parents that it lacks, root's alone. Throws `Refusal<ConfigRefusal>`,
 * or the system's error.
 */
export function makeRootsFolder(place: OwnedPlace, mode: number): void {
  walkRoots(place, true)
  chmodSync(place.path, mode)
}

/** Throws `Refusal<ConfigRefusal>` for the first entry of the folder that is not root's alone. */
export function requireRootsEntries(place: OwnedPlace): void {
  for (const name of readdirSync(place.path)) {
    const path = join(place.path, name)
    requireRoots(path, lstatSync(path), { ...place, path })
  }
}

/**
 * Makes a folder and gives it to an account. The one above it is root's alone, so that nobody can
 * put a link in its place between the look and the change of owner. What lies there already must
 * be a folder; one that the configuration names must hold nothing but `mayHold`, or a slip would
 * give /run away.
 */
export function giveFolder(
  place: OwnedPlace,
  mode: number,
  { uid, gid }: Account,
  mayHold?: readonly string[],
): void {
  walkRoots(place, true, dirname(place.path))
  const stat = statOf(place.path, true)!
  if (!stat.isDirectory()) {
    const kind = stat.isSymbolicLink() ? 'is a symbolic link' : 'is no folder'
    refuse(
      `${place.path} ${kind}, and root gives no account what lies behind it: remove it, or ${place.elsewhere}`,
    )
  }
  if (stat.uid !== uid || stat.gid !== gid) {
    const other = readdirSync(place.path).find((name) => mayHold?.includes(name) === false)
    if (other !== undefined) {
      refuse(
        `${place.path} holds ${JSON.stringify(other)}, which is not the agent's, and would be given to the account number ${uid}: ${place.elsewhere}`,
      )
    }
    lchownSync(place.path, uid, gid)
  }
  chmodSync(place.path, mode)
}

/** Throws `Refusal<ConfigRefusal>` where root would run code that one of these accounts owns. */
export function requireNotOf(accounts: readonly Account[], path: string): void {
  for (let at = path; ; at = dirname(at)) {
    const { uid } = lstatSync(at)
    const owner = uid === 0 ? undefined : accounts.find((account) => account.uid === uid)
    if (owner !== undefined) {
      refuse(
        `${at} belongs to ${owner.name}, who could replace what root runs (${basename(path)}): chown it to root, or keep the agent elsewhere`,
      )
    }
    if (at === '/') return
  }
}
