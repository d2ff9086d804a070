/**
 * Why the agent says no or gives up, beside the codes of `@seaworthy/trust/tuf` and of the bundle
 * reader: reported by these names.
 */
import { Refusal, TrustError } from '@seaworthy/std/refusal'

/** A fault that starting over cannot heal: exit code 2, at which the supervisor gives up. */
export type ConfigRefusal =
  | 'config_unreadable'
  | 'config_malformed'
  | 'account_unusable'
  | 'folder_unusable'

/** What the device must never forget is gone or damaged: it then does nothing at all. */
export type StateFault = 'state_unreadable'

/** Why what a server sent as variables and secrets is not taken over. */
export type AppSettingsFault =
  /** A secret that is older than one that was here. */
  | 'secret_rollback'
  /** A secret with a version that nobody can have given it by now. */
  | 'secret_of_future'
  /** Two variables or secrets have one name. */
  | 'setting_twice'
  /** More names of secrets than a device ever remembers. */
  | 'secret_names_full'

/**
 * Why a trial of a release, or of variables and secrets, ended, beside what its content was refused
 * for.
 */
export type TrialFailure =
  | 'start_failed'
  | 'crash_loop'
  | 'health_failed'
  /** The trial was interrupted as often as it may be started. */
  | 'interrupted'
  | 'release_missing'

/**
 * What the agent itself finds wrong with genuine content (`installer/verified.ts`); the readers of
 * `@seaworthy/oci` have further codes.
 */
export type ContentFailure =
  | 'release_malformed'
  | 'wrong_platform'
  /** The signed list of files is missing, or is not exactly what the bundle unpacks to. */
  | 'file_list_mismatch'
  /** Reading it failed in a way that nobody foresaw. */
  | 'content_unusable'

/** What this machine lacks: reported, and tried again at the next poll. */
const localFailures = ['no_space', 'disk_failed'] as const
export type LocalFailure = (typeof localFailures)[number]

/** Whether this machine is to blame, whatever it was about. */
export function isLocalFailure(code: string): code is LocalFailure {
  return localFailures.some((one) => one === code)
}

/** The other process broke the protocol, so that message boundaries are lost: it is ended. */
export type HandoverRefusal = 'message_too_long' | 'message_malformed'

/** Why something could not be fetched; says nothing about genuine or not. */
export const fetchFailures = [
  'unreachable',
  'pin_mismatch',
  'not_found',
  'not_allowed',
  'server_error',
  'slow_retrieval',
  'endless_data',
  'wrong_length',
  'malformed_reply',
  'token_needed',
  'rate_limited',
  'no_space',
  'timed_out',
  'fetcher_gone',
] as const
export type FetchFailure = (typeof fetchFailures)[number]

/**
 * A fault of transport: anything that the fetcher reports or fails to report. It costs time and
 * nothing else: no release is given up for it, whatever its code.
 */
export class FetchError extends Error {
  override readonly name = 'FetchError'
  readonly code: FetchFailure
  /** The server's own code, when it refused. */
  readonly problem: string | undefined
  readonly retryAfterSeconds: number | undefined
  /** The challenge of a refused assertion: what to sign in place of a time. */
  readonly challenge: string | undefined

  constructor(
    code: FetchFailure,
    options: {
      problem?: string | undefined
      retryAfterSeconds?: number | undefined
      challenge?: string | undefined
      cause?: unknown
    } = {},
  ) {
    super(options.problem === undefined ? code : `${code}: ${options.problem}`, options)
    this.code = code
    this.problem = options.problem
    this.retryAfterSeconds = options.retryAfterSeconds
    this.challenge = options.challenge
  }

  /** A code for people: the server's own where it refused with one. Nothing is decided by it. */
  get word(): string {
    return this.problem ?? this.code
  }
}

/**
 * This machine prevents it: the attempt is over and reported, and the release is as good as before.
 */
export class LocalFault extends Error {
  override readonly name = 'LocalFault'
  readonly code: LocalFailure

  constructor(code: LocalFailure, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}

/** The code of a refusal or trust error, `undefined` for anything else. */
export function refusalCode(error: unknown): string | undefined {
  return error instanceof Refusal || error instanceof TrustError ? error.code : undefined
}
