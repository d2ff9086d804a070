/** Why the agent says no or gives up, beside the codes of `@seaworthy/trust/tuf` and of the bundle reader: reported by these names. */
import { Refusal, TrustError } from '@seaworthy/std/refusal'

export type ConfigRefusal = 'config_unreadable' | 'config_malformed'

/** A release or its update that failed on this device; it is not tried again until it comes with a higher counter. */
export type UpdateFailure =
  | 'release_malformed'
  | 'manifest_malformed'
  | 'start_failed'
  | 'crash_loop'
  | 'health_failed'
  /** The trial was cut short more often than we try. */
  | 'interrupted'
  | 'no_space'
  | 'environment_missing'

/** The other process breaks the protocol: nothing it said is used. */
export type HandoverRefusal =
  | 'message_too_long'
  | 'message_malformed'
  | 'unknown_request'
  | 'handover_file_invalid'
  | 'fetcher_gone'
  | 'timed_out'

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

export class FetchError extends Error {
  override readonly name = 'FetchError'
  readonly code: FetchFailure
  /** Of a refusal by the server, its own code. */
  readonly problem: string | undefined
  readonly retryAfterSeconds: number | undefined

  constructor(
    code: FetchFailure,
    options: {
      problem?: string | undefined
      retryAfterSeconds?: number | undefined
      cause?: unknown
    } = {},
  ) {
    super(options.problem === undefined ? code : `${code}: ${options.problem}`, options)
    this.code = code
    this.problem = options.problem
    this.retryAfterSeconds = options.retryAfterSeconds
  }
}

/** The update is over for this release: undone or never started. */
export class UpdateError extends Error {
  override readonly name = 'UpdateError'
  readonly code: UpdateFailure

  constructor(code: UpdateFailure, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}

/** The code of a refusal or trust error, `undefined` for anything else. */
export function refusalCode(error: unknown): string | undefined {
  return error instanceof Refusal || error instanceof TrustError ? error.code : undefined
}
