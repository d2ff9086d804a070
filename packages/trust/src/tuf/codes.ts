/**
 * The closed union of reasons why bytes are not genuine or not for this device. Names are those
 * that devices report.
 */
import { TrustError, trustErrorsOf } from '@seaworthy/std/refusal'

export const trustCodes = [
  /** Not JSON within our limits, or not the members the specification demands. */
  'metadata_malformed',
  /** Conforming, but outside the strict profile of our own repositories. */
  'profile_violation',
  /** `spec_version` is not 1.x. */
  'unsupported_specification',
  /** Fewer distinct public keys than the threshold have signed. */
  'signature_threshold',
  /** A version lower than one already trusted. */
  'rollback',
  /** Expired at the start of the cycle. */
  'freeze',
  /** A timestamp or snapshot that would be valid for longer than one may be. */
  'lifetime_exceeded',
  /** Metadata that does not belong to the trusted snapshot or timestamp. */
  'mix_and_match',
  'wrong_length',
  'wrong_hash',
  /** More bytes than the limit or the signed length. */
  'endless_data',
  'slow_retrieval',
  /**
   * A root that is not exactly the next version, or an anchor the stored history does not start
   * from.
   */
  'root_chain_broken',
  /** The repository does not have a file its own signed metadata names. */
  'metadata_missing',
  /** No role that may speak for the path lists it. */
  'target_unknown',
  /**
   * A listed path that stands for no file below the repository's address, such as one with a
   * segment `..`.
   */
  'target_path_unusable',
  'release_malformed',
  'wrong_product',
  'wrong_channel',
  'wrong_platform',
  'wrong_hardware',
  'counter_below_committed',
  'below_floor',
  /** Stored trust state is missing, torn or altered. Never a reason to start afresh. */
  'state_unreadable',
] as const

export type TrustCode = (typeof trustCodes)[number]

export type TufError = TrustError<TrustCode>

export const trustError = trustErrorsOf<TrustCode>()

/**
 * Whether `error` is a `TrustError` with one of our codes, and if codes are given, one of these.
 */
export function isTrustError(error: unknown, ...codes: readonly TrustCode[]): error is TufError {
  if (!(error instanceof TrustError)) return false
  return (codes.length > 0 ? codes : trustCodes).includes(error.code as TrustCode)
}
