/**
 * How a command ends when it does not succeed: exit codes, one line that says what and why, and a
 * way out.
 */
import { MalformedReplyError, ProblemError } from '@seaworthy/api/call-errors'
import { BodyTooLongError, TransportError } from '@seaworthy/std/http'
import { Refusal, TrustError } from '@seaworthy/std/refusal'
import type { ExitCode } from './exit-codes.ts'
import { exitCodes } from './exit-codes.ts'
import { endings, untrusted } from './ways-out.ts'
import type { ExitName } from './exit-codes.ts'

/** An error of the command line itself, with its exit code and what the user can do about it. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly exitCode: ExitCode
  readonly wayOut: string | undefined

  /** The message of a usage error says what is accepted; every other error needs a way out. */
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

/**
 * Ends a command with this exit code. Everything was said already, except that scripts (`--json`)
 * are told the cause where there is one.
 */
export class ExitCodeError extends Error {
  override readonly name = 'ExitCodeError'
  readonly exitCode: ExitCode

  constructor(exitCode: ExitCode, options?: { cause: unknown }) {
    super(`exit code ${exitCode}`, options)
    this.exitCode = exitCode
  }
}

/** The way out where only a fault of ours or a lying server can be the cause. */
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

/** Says how a failed command ends. Bugs and the unexpected end in `failed`. */
export function describeFailure(error: unknown): Failure {
  if (error instanceof CliError) {
    return {
      exitCode: error.exitCode,
      why: error.message,
      ...(error.wayOut === undefined ? {} : { wayOut: error.wayOut }),
    }
  }
  if (error instanceof ExitCodeError) {
    return { ...describeFailure(error.cause), exitCode: error.exitCode }
  }
  if (error instanceof ProblemError) {
    const issues = (error.problem.issues ?? []).map(describeIssue)
    const isForm = error.code === 'invalid_request' && issues.length > 0
    const why = [...(isForm ? [] : [error.message]), ...issues].join('; ')
    return ending(error.code, why, exitOfStatus(error.status))
  }
  if (error instanceof TrustError) {
    return { wayOut: untrusted, ...ending(error.code, error.message, 'refused') }
  }
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

/** `path.rolloutId` is what people call the rollout id. */
function describeIssue({ path, message }: { path: string; message: string }): string {
  const place = path
    .replace(/^(?:path|query|body)\./, '')
    .replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
  return `${place}: expected ${message}`
}

function ending(code: string, why: string, otherwise: ExitName): Failure {
  const known = Object.hasOwn(endings, code) ? endings[code] : undefined
  const [exit, wayOut] = known ?? [otherwise]
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
  const asOwner = 'Run the command as somebody who may, or change the rights of the file.'
  type FileEnding = readonly [exit: keyof typeof exitCodes, what: string, wayOut: string]
  const texts: Readonly<Record<string, FileEnding>> = {
    ENOENT: [
      'notFound',
      'no such file or folder',
      'Check the path: it begins at the folder in which the command was started.',
    ],
    EACCES: ['notAllowed', 'permission denied', asOwner],
    EPERM: ['notAllowed', 'permission denied', asOwner],
    EEXIST: ['failed', 'exists already', 'Name another one, or move it away.'],
    ENOSPC: ['failed', 'no space left on the device', 'Make room, and run the command again.'],
    EISDIR: ['failed', 'is a folder', 'Name a file.'],
    ENOTDIR: ['failed', 'is not a folder', 'Name a folder.'],
  }
  const known = texts[code]
  if (known === undefined) return { exitCode: exitCodes.failed, why: error.message, code }
  const [exit, what, wayOut] = known
  return { exitCode: exitCodes[exit], why: `${path}${what}`, code, wayOut }
}
