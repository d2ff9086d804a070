/**
 * Accounts of this machine, for giving up root (RFD 18). When started as root, the agent runs only
 * the installer as root: a process without an account of its own gets a number that nobody has. The
 * one exception is an application for which the configuration names root.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { Refuse } from '@seaworthy/std/refusal'
import { Refusal, refuseAs } from '@seaworthy/std/refusal'
import type { AgentConfig } from '../config.ts'
import type { ConfigRefusal } from '../refusals.ts'

export interface Account {
  uid: number
  gid: number
  /** Words for people: the account's name, or that it has none. */
  name: string
}

/** The account of each process. */
export interface Accounts {
  fetcher: Account
  application: Account
  /** The account of the probe; never root, whatever the application is. */
  probe: Account
}

/**
 * Numbers without a name, where the machine has no account by the names that we look for. Debian
 * reserves 65000 to 65533, and systemd leaves 65520 to 65533 unused: no account has them, and only
 * files that the agent made are theirs.
 */
const numbers = { fetcher: 65_521, application: 65_522, probe: 65_523 } as const

function unnamed(uid: number): Account {
  return { uid, gid: uid, name: `number ${uid}` }
}

const refuse: Refuse = refuseAs<ConfigRefusal>('config_malformed')

export type FindAccount = (name: string) => Account | undefined

const findAccount: FindAccount = (name) => {
  for (const line of readFileSync('/etc/passwd', 'utf8').split('\n')) {
    const fields = line.split(':')
    if (fields[0] === name) return { uid: Number(fields[2]), gid: Number(fields[3]), name }
  }
  return undefined
}

/**
 * The accounts; `undefined`: the agent is not root and can choose nothing, so that all of it runs
 * as the user who started it. Throws `Refusal<ConfigRefusal>`.
 */
export function chooseAccounts(
  isRoot: boolean,
  { user, fetchUser }: Pick<AgentConfig, 'user' | 'fetchUser'>,
  find: FindAccount = findAccount,
): Accounts | undefined {
  if (!isRoot) return undefined
  const choose = (member: string, named: string | undefined, preset: string, number: number) => {
    if (named === undefined) return find(preset) ?? unnamed(number)
    return find(named) ?? refuse(`${member}: this machine has no account ${named}`)
  }
  const fetcher = choose('fetchUser', fetchUser, 'seaworthy', numbers.fetcher)
  const application = choose('user', user, 'seaworthy-app', numbers.application)
  if (hasRoot(fetcher)) {
    return refuse(`fetchUser: ${fetcher.name} has the rights of root, which the network must not`)
  }
  if (hasRoot(application) && user === undefined) {
    return refuse(`user: ${application.name} has the rights of root; name it if that is meant`)
  }
  if (fetcher.uid === application.uid) {
    return refuse(`fetchUser: ${fetcher.name} is the application's account too; name another one`)
  }
  const probe = hasRoot(application) ? unnamed(numbers.probe) : application
  return { fetcher, application, probe }
}

function hasRoot({ uid, gid }: Account): boolean {
  return uid === 0 || gid === 0
}

/**
 * Checks before anything is started that this machine lets the agent become that account, and the
 * account reach its folder. Throws `Refusal<ConfigRefusal>` that says what is in the way.
 */
export function checkAccount({ uid, gid, name }: Account, folder: string): void {
  const script = 'test -w "$1" && test -x "$1"'
  const { error, status } = spawnSync('/bin/sh', ['-c', script, 'sh', folder], {
    uid,
    gid,
    env: {},
    cwd: '/',
    stdio: 'ignore',
  })
  if (error !== undefined) {
    const code = 'code' in error ? String(error.code) : error.message
    throw new Refusal<ConfigRefusal>(
      'account_unusable',
      `the agent is root but may not become ${name} (${code}): give it CAP_SETUID and CAP_SETGID, or start it as an ordinary user with --state-dir`,
    )
  }
  if (status !== 0) {
    throw new Refusal<ConfigRefusal>(
      'account_unusable',
      `${folder} is closed to ${name}: open the folders above it (chmod o+x), or choose another --state-dir`,
    )
  }
}

export function formatIds({ uid, gid }: Account): string {
  return `${uid}:${gid}`
}

/**
 * Makes this process give up root for good, before it has read a word from anybody. It happens here
 * and not at its start, so that the code may lie where only root can read it. `ids` is what
 * `formatIds` made; a process that is not root has nothing to give up.
 */
export function giveUpRoot(ids: string | undefined): void {
  if (process.getuid?.() !== 0) return
  const [, uid, gid] = /^(\d{1,10}):(\d{1,10})$/.exec(ids ?? '') ?? []
  if (uid === undefined || gid === undefined || Number(uid) === 0 || Number(gid) === 0) {
    throw new Refusal<ConfigRefusal>('account_unusable', 'this process does not run as root')
  }
  process.setgroups!([])
  process.setgid!(Number(gid))
  process.setuid!(Number(uid))
}
