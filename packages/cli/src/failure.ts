/** How a command ends when it does not succeed: exit codes, one line that says what and why, and a way out. */
import { MalformedReplyError } from '@seaworthy/api/client'
import { ProblemError } from '@seaworthy/api/problems'
import { BodyTooLongError, TransportError } from '@seaworthy/std/http'
import { Refusal, TrustError } from '@seaworthy/std/refusal'

/** Documented in INTERFACES: part of the contract with scripts. */
export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  refused: 3,
  notAllowed: 4,
  notFound: 5,
  unreachable: 6,
} as const
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** The command line itself says no, with the code it ends with and what the user can do about it. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly exitCode: ExitCode
  readonly wayOut: string | undefined

  /** A usage error says in its message what is taken; whatever else goes wrong needs a way out. */
  constructor(exit: 'usage', message: string, options?: { wayOut?: string; cause?: unknown })
  constructor(
    exit: Exclude<keyof typeof exitCodes, 'done' | 'usage'>,
    message: string,
    options: { wayOut: string; cause?: unknown },
  )
  constructor(
    exit: Exclude<keyof typeof exitCodes, 'done'>,
    message: string,
    options: { wayOut?: string; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.exitCode = exitCodes[exit]
    this.wayOut = options.wayOut
  }
}

/** For commands whose exit code is somebody else's, who has already said why. */
export class ExitCodeError extends Error {
  override readonly name = 'ExitCodeError'
  readonly exitCode: number

  constructor(exitCode: number) {
    super(`exit code ${exitCode}`)
    this.exitCode = exitCode
  }
}

/** The way out of what only a fault of ours or a lying server can bring about. */
export const reportIt = 'This should not happen: repeat it with --verbose, and report what it says.'

/** The way out where the server answers something else than what was signed or asked for. */
export const doNotTrust =
  'Do not go on with this server until you know why: it is faulty, was replaced, or lies.'

export interface Failure {
  exitCode: ExitCode
  why: string
  /** The stable code, where there is one. */
  code?: string
  wayOut?: string
}

type Ending = readonly [exit: keyof typeof exitCodes, wayOut?: string]

const signInAgain =
  'Ask an administrator for a token and run `seaworthy login URL --pin … --token …`.'

/** Codes that say more than their HTTP status or error class does. */
const endings: Readonly<Record<string, Ending>> = {
  // sign-in and rights
  unauthenticated: ['notAllowed', signInAgain],
  permission_denied: ['notAllowed', 'See `seaworthy whoami` for the role of this token.'],
  out_of_scope: ['notAllowed', 'See `seaworthy whoami` for the role of this token.'],
  grant_exceeds_own: ['notAllowed', 'Nobody can give more than they have: `seaworthy whoami`.'],
  // proposals
  proposal_outdated: [
    'refused',
    'Something else was published in between: make it anew with `seaworthy proposal rebase ID`.',
  ],
  proposal_incomplete: ['refused', 'See `seaworthy proposal show ID` for who has yet to sign.'],
  not_initialized: ['refused', 'Run `seaworthy trust init` first.'],
  // rollouts
  rollout_policy_invalid: ['usage', 'See `seaworthy rollout create --help`, and try --dry-run.'],
  release_not_published: [
    'refused',
    'Publish it first: `seaworthy publish PRODUCT VERSION --channel C`.',
  ],
  release_not_newer: [
    'refused',
    'Devices never go to a lower counter: the signed way back is `seaworthy rollout back ROLLOUT`.',
  ],
  // registry
  not_found: ['notFound'],
  content_missing: ['notFound'],
  unauthorized: ['notAllowed', signInAgain],
  denied: ['notAllowed', 'See `seaworthy whoami` for the role of this token.'],
  // transport
  unreachable: ['unreachable', 'Check that the server runs and that the address is right.'],
  timed_out: ['unreachable', 'Check the network, and try again.'],
  pin_mismatch: [
    'refused',
    'This is not the server that was paired, or its key was replaced: compare the pin with its administrator before `seaworthy login`.',
  ],
  tls: [
    'refused',
    'Pair with the pin that `seaworthy up` printed: `seaworthy login URL --pin sha256:…`.',
  ],
  aborted: ['failed'],
  content_coded: [
    'refused',
    'Whatever answers compresses files that are signed as they are: switch that off in the server or proxy.',
  ],
  // log
  log_truncated: [
    'refused',
    'The server forgot entries of its audit log: an old backup was restored, history was removed, or a stolen log key showed more before. Find out which before going on: both checkpoints are kept, and what changes nothing but the root still works. Then pair anew under another name: `seaworthy login URL --server NAME --root sha256:…`.',
  ],
  log_forked: [
    'refused',
    'The audit log was rewritten. Do not trust this server until you know why: both checkpoints are kept. What changes nothing but the root still works (`seaworthy trust rotate timestamp --new-online-key`); once you know, pair anew under another name: `seaworthy login URL --server NAME --root sha256:…`.',
  ],
  log_key_changed: [
    'refused',
    'The audit log has another key than the one remembered. Find out why before going on.',
  ],
  // keys
  wrong_passphrase: ['failed', 'Try again; `--passphrase-file` reads the passphrase from a file.'],
  freeze: [
    'refused',
    'Look at the clock of this machine first. If it is right, the server is down, cut off, or holds back news; where its online keys were stolen or said a wrong time, the next root ends it: `seaworthy trust rotate timestamp --new-online-key --sign-with FILE`, and the same for snapshot.',
  ],
  lifetime_exceeded: [
    'refused',
    'The clock of the server was wrong, or its online keys were stolen: the next root ends them, `seaworthy trust rotate timestamp --new-online-key --sign-with FILE`, and the same for snapshot.',
  ],
}

/** Says how a failed command ends. Bugs and the unexpected end in `failed`. */
export function describeFailure(error: unknown): Failure {
  if (error instanceof CliError) {
    return {
      exitCode: error.exitCode,
      why: error.message,
      ...(error.wayOut === undefined ? {} : { wayOut: error.wayOut }),
    }
  }
  if (error instanceof ProblemError) {
    const issues = (error.problem.issues ?? []).map((issue) => `${issue.path}: ${issue.message}`)
    const why = [error.message, ...issues].join('; ')
    return ending(error.code, why, exitOfStatus(error.status))
  }
  if (error instanceof TrustError) return ending(error.code, error.message, 'refused')
  if (error instanceof Refusal) return ending(error.code, error.message, 'refused')
  if (error instanceof TransportError) return ending(error.code, error.message, 'unreachable')
  if (error instanceof MalformedReplyError || error instanceof BodyTooLongError) {
    return {
      exitCode: exitCodes.failed,
      why: error.message,
      wayOut:
        'What answers does not speak this version of the contract: check the address and the versions.',
    }
  }
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') {
    return systemFailure(error.code, error)
  }
  return { exitCode: exitCodes.failed, why: error instanceof Error ? error.message : String(error) }
}

function ending(code: string, why: string, otherwise: keyof typeof exitCodes): Failure {
  const [exit, wayOut] = endings[code] ?? [otherwise]
  return { exitCode: exitCodes[exit], why, code, ...(wayOut === undefined ? {} : { wayOut }) }
}

function exitOfStatus(status: number): keyof typeof exitCodes {
  if (status === 401 || status === 403) return 'notAllowed'
  if (status === 404) return 'notFound'
  if (status === 400) return 'usage'
  if (status === 502 || status === 503 || status === 504) return 'unreachable'
  return status >= 500 ? 'failed' : 'refused'
}

/** Files that cannot be read or written. */
function systemFailure(code: string, error: Error): Failure {
  const path = 'path' in error && typeof error.path === 'string' ? `${error.path}: ` : ''
  const texts: Readonly<Record<string, readonly [keyof typeof exitCodes, string]>> = {
    ENOENT: ['notFound', 'no such file or folder'],
    EACCES: ['notAllowed', 'permission denied'],
    EPERM: ['notAllowed', 'permission denied'],
    EEXIST: ['failed', 'exists already'],
    ENOSPC: ['failed', 'no space left on the device'],
    EISDIR: ['failed', 'is a folder'],
    ENOTDIR: ['failed', 'is not a folder'],
  }
  const known = texts[code]
  if (known === undefined) return { exitCode: exitCodes.failed, why: error.message, code }
  return { exitCode: exitCodes[known[0]], why: `${path}${known[1]}`, code }
}
