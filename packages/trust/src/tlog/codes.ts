/** Why bytes of a transparency log are not believed. */
import { TrustError } from '@seaworthy/std/refusal'

export type LogTrustCode =
  /** Not a signed note: encoding, control characters, signature lines, too large. */
  | 'note_malformed'
  /** A verifier key in text form that is damaged, or of a kind we do not know. */
  | 'log_key_malformed'
  /** A known key's signature is wrong, or no known key signed. */
  | 'checkpoint_signature'
  /** A genuine note, but its text is no checkpoint. */
  | 'checkpoint_malformed'
  /** A genuine checkpoint of another log. */
  | 'checkpoint_origin'
  /** Fewer different witnesses have cosigned than are asked for. */
  | 'witness_quorum'
  /** A proof of the wrong form for the sizes it is about. */
  | 'proof_malformed'
  | 'inclusion_refuted'
  | 'consistency_refuted'
  /** A tile or entry bundle of the wrong length or form. */
  | 'tile_malformed'
  /** A tile or entry bundle that a signed checkpoint promises is not served. */
  | 'tile_missing'
  /** Tiles do not lead to the root of the checkpoint they are served for. */
  | 'tile_mismatch'
  /** Entries are not the ones the checkpoint was made over. */
  | 'entry_mismatch'
  /** History was rewritten: the log signed two checkpoints that cannot both be true. */
  | 'log_forked'
  /** The log is shorter than it was: an older copy was restored, or entries were cut off. */
  | 'log_truncated'

export class LogError extends TrustError<LogTrustCode> {}
